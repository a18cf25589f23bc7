package eval

import (
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
)

// learn moves the control state by the outcome that becomes known now, and returns
// what the present interval, which will be known later, says of each objective.
func (l *loop) learn(o policy.Observation) []margin.Measured {
	l.waiting = append(l.waiting, outcome{observation: o, expected: l.expected, choice: l.choice})
	if l.known == nil {
		l.known = o.State
	}
	if len(l.waiting) > l.Late {
		known := &l.waiting[0]
		l.known = known.observation.State
		l.control, _ = l.control.Measure(l.Params, l.services, l.known, known.choice)
		l.control = l.control.Compare(l.Params, &known.observation, known.expected)
		l.waiting = l.waiting[1:]
	}
	var out []margin.Measured
	for _, s := range l.services {
		for _, objective := range s.Objectives {
			m := margin.Measured{Service: s.Name, Signal: objective.Signal}
			m.Error, m.Known = margin.Error(objective, o.State.Find(s.Name, objective.Signal))
			m.Counted = m.Known && l.choice.Counted
			out = append(out, m)
		}
	}
	return out
}

// announce is the newest known state with the load of the interval to come: that in
// its middle.
func (l *loop) announce() policy.State {
	out := slices.Clone(l.known)
	middle := l.meter.Now() + l.Mesh.Interval.Seconds()/2
	for i, s := range l.services {
		process := l.wiring.graph.Services[l.wiring.services[i]].Load
		for k := range out {
			if out[k].Service == s.Name && out[k].Role == policy.RoleOffered {
				out[k].Value, out[k].Status = process.Rate(middle), policy.Valid
			}
		}
	}
	return out
}
