package search

import (
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/model"
)

// mostChoices bounds the choices of one part. A service with more ways to set its
// knobs is chosen in several parts.
const mostChoices = 1024

// axis is knobs that are set together, and the values that the guard would take
// unchanged: a blocking, the weights of one target, or replicas. The first are those
// in force.
type axis struct {
	kind    policy.KnobKind
	service int // -1 for replicas
	at      []int
	values  [][]float64
}

// mesh is what a decision knows of the mesh. Slices are by service.
type mesh struct {
	o       policy.Observation
	model   *model.System
	names   map[string]int
	offered []float64 // requests/s
	inside  bool      // the offered load lies within the data
}

// axes lists what may be chosen. Values that the data never had are left out, unless
// they are in force: the model would have to guess.
func (m *mesh) axes() ([]axis, error) {
	var out []axis
	for i := 0; i < len(m.o.Knobs); {
		k, j := m.o.Knobs[i], i+1
		for k.Kind == policy.Weight && j < len(m.o.Knobs) && m.o.Knobs[j].Kind == policy.Weight && m.o.Knobs[j].Target == k.Target {
			j++
		}
		a := axis{kind: k.Kind, service: -1}
		for n := i; n < j; n++ {
			a.at = append(a.at, n)
		}
		if s, ok := m.names[k.Service]; ok && k.Kind != policy.Replicas {
			a.service = s
		}
		grid, err := policy.Grid(m.o.Knobs[i:j])
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		live := make([]float64, j-i)
		for n := range live {
			live[n] = m.o.Live[i+n].Value
		}
		low, high := k.Min, k.Max
		if k.Kind == policy.Blocking {
			low, high = m.blocking(k, live[0])
			live[0] = math.Max(low, math.Min(high, live[0]))
		}
		a.add(live)
		if m.o.Limits.Frozen != "" && k.Kind != policy.Blocking {
			grid = nil
		}
		for _, action := range grid {
			v := make([]float64, len(action))
			for n := range action {
				v[n] = action[n].Value
			}
			if !within(m.model, a.at, v) {
				continue
			}
			switch k.Kind {
			case policy.Weight:
				shorten(v, live, m.o.Limits.MaxStep)
			case policy.Blocking:
				v[0] = math.Max(low, math.Min(high, v[0]))
			case policy.Replicas: // any number within the range
			}
			a.add(v)
		}
		out = append(out, a)
		i = j
	}
	return out, nil
}

// add appends values that the axis does not have.
func (a *axis) add(v []float64) {
	for _, have := range a.values {
		if slices.EqualFunc(have, v, func(x, y float64) bool { return math.Abs(x-y) < 1e-6 }) {
			return
		}
	}
	a.values = append(a.values, v)
}

// shorten moves weights no further from live than one step, as the guard does.
func shorten(v, live []float64, step float64) {
	far := 0.0
	for i := range v {
		far = math.Max(far, math.Abs(v[i]-live[i]))
	}
	if far <= step+tiny {
		return
	}
	for i := range v {
		v[i] = live[i] + step/far*(v[i]-live[i])
	}
}

// blocking is the range that one cycle may reach: down by one step, up to where the
// service still carries its floor, which wins over the step. Outside the data, and where
// the guard admits no change, nothing is blocked less than it is.
func (m *mesh) blocking(k policy.Knob, live float64) (low, high float64) {
	low, high = math.Min(k.Max, live-m.o.Limits.MaxStep), k.Max
	if s, ok := m.names[k.Service]; ok {
		if floor := m.o.Services[s].Floor; floor > 0 && m.offered[s] > 0 {
			high = math.Min(high, math.Max(0, 1-floor/m.offered[s]))
		}
	}
	low, high = math.Max(k.Min, math.Min(low, high)), math.Max(k.Min, high)
	if !m.inside || m.o.Limits.Frozen != "" {
		low = math.Max(low, math.Min(live, high))
	}
	return low, high
}

// problem makes parts of the axes, one for each service, and says what their choices
// set. The evaluator is the caller's.
func (m *mesh) problem(axes []axis) (*Problem, []knobs) {
	p := &Problem{Services: len(m.offered), MostBlocked: math.Inf(1)}
	var sets []knobs
	for s := range m.offered {
		for _, group := range split(axes, s) {
			part, set := m.part(group, s)
			p.Parts, sets = append(p.Parts, part), append(sets, set)
		}
	}
	for _, a := range axes {
		if a.service < 0 {
			part, set := m.part([]axis{a}, -1)
			p.Parts, sets = append(p.Parts, part), append(sets, set)
		}
	}
	if m.o.Limits.TotalBlocking < 1 {
		total := 0.0
		for _, a := range axes {
			if a.kind == policy.Blocking {
				total += m.weight(a.service)
			}
		}
		p.MostBlocked = m.o.Limits.TotalBlocking * total
	}
	return p, sets
}

// weight is what a service's blocking counts in the cap; the guard counts the same.
func (m *mesh) weight(service int) float64 {
	if service < 0 {
		return 0
	}
	return guard.Weight(m.o, m.o.Services[service].Name)
}

// split groups a service's axes, blocking first, so that no group has too many choices.
func split(axes []axis, service int) [][]axis {
	var out [][]axis
	size := 0
	for _, a := range axes {
		if a.service != service {
			continue
		}
		if size == 0 || size*len(a.values) > mostChoices {
			out = append(out, nil)
			size = 1
		}
		size *= len(a.values)
		out[len(out)-1] = append(out[len(out)-1], a)
	}
	return out
}

// part combines the values of axes: all of them, but where everything is blocked,
// only one, because then weights do nothing.
func (m *mesh) part(axes []axis, service int) (Part, knobs) {
	p, set := Part{Service: service}, knobs{}
	n := 1
	for _, a := range axes {
		set.at = append(set.at, a.at...)
		n *= len(a.values)
	}
	for k := range n {
		var values []float64
		rest, stride, blocked := k, n, 0.0
		first := true // all weights are those in force
		for _, a := range axes {
			stride /= len(a.values)
			v := a.values[rest/stride]
			if a.kind == policy.Blocking {
				blocked = v[0]
			} else if rest/stride > 0 {
				first = false
			}
			rest %= stride
			values = append(values, v...)
		}
		if blocked >= 1 && !first {
			continue
		}
		p.Choices = append(p.Choices, m.worth(axes, values, service))
		set.values = append(set.values, values)
	}
	p.Rest = m.rest(axes, p.Choices)
	return p, set
}

// worth is what a choice of a service's part, or of replicas, carries and costs.
func (m *mesh) worth(axes []axis, values []float64, service int) Choice {
	var c Choice
	for _, a := range axes {
		switch a.kind {
		case policy.Blocking:
			s := &m.o.Services[service]
			c.Value += s.Value * m.offered[service] * (1 - values[0])
			c.Blocked += m.weight(service) * values[0]
		case policy.Replicas:
			c.Value -= m.o.Knobs[a.at[0]].Cost * values[0]
		case policy.Weight: // carry the same wherever they send it
		}
		values = values[len(a.at):]
	}
	return c
}

// rest is the choice that blocks most, or has the most replicas, with the weights in
// force: those come first.
func (m *mesh) rest(axes []axis, choices []Choice) int {
	best := 0
	if axes[0].kind == policy.Replicas {
		for i := range axes[0].values {
			if axes[0].values[i][0] > axes[0].values[best][0] {
				best = i
			}
		}
		return best
	}
	for i := range choices {
		if choices[i].Blocked > choices[best].Blocked {
			best = i
		}
	}
	return best
}
