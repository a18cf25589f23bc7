package search

import (
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/planning"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// decision is one decision in the making. Slices are by service.
type decision struct {
	policy  *Policy
	mesh    mesh
	planned []float64 // offered loads that the model is asked about: the nearest in the data, requests/s
	all     float64   // value of all of the offered load, per second
	fixed   float64   // value of the load that no knob blocks
	problem *Problem
	sets    []knobs
	seed    uint64
}

// newDecision checks that the observation fits the model.
func newDecision(p *Policy, o policy.Observation) (*decision, error) {
	m := p.model
	if len(o.Knobs) != len(m.Knobs) || len(o.Services) != len(m.Services) {
		return nil, fmt.Errorf("search: the model is for %d knobs and %d services, the mesh has %d and %d; train it again",
			len(m.Knobs), len(m.Services), len(o.Knobs), len(o.Services))
	}
	if err := o.Live.Validate(o.Knobs); err != nil {
		return nil, fmt.Errorf("search: live %w", err)
	}
	n := len(m.Services)
	d := &decision{
		policy: p, planned: make([]float64, n),
		mesh: mesh{o: o, model: m, names: make(map[string]int, n), offered: make([]float64, n), inside: true},
	}
	if err := d.services(); err != nil {
		return nil, err
	}
	for i, k := range m.Knobs {
		if o.Knobs[i].KnobID != k.KnobID {
			return nil, fmt.Errorf("search: the model is for %s, the mesh has %s; train it again", k.KnobID, o.Knobs[i].KnobID)
		}
		if _, ok := d.mesh.names[o.Knobs[i].Service]; !ok && k.Kind != policy.Replicas {
			return nil, fmt.Errorf("search: %s is of service %q, which the mesh does not have", k.KnobID, o.Knobs[i].Service)
		}
	}
	return d, d.prepare()
}

// services reads loads and values.
func (d *decision) services() error {
	m, o := d.policy.model, &d.mesh.o
	for i, s := range o.Services {
		if s.Name != m.Services[i] {
			return fmt.Errorf("search: the model is for service %s, the mesh has %s; train it again", m.Services[i], s.Name)
		}
		v, ok := guard.Offered(*o, s.Name)
		if !ok {
			return fmt.Errorf("search: the offered load of %s is not known", s.Name)
		}
		d.mesh.names[s.Name], d.mesh.offered[i] = i, v
		d.all += s.Value * v
		d.planned[i] = math.Max(m.Offered[i].Min, math.Min(m.Offered[i].Max, v))
		d.mesh.inside = d.mesh.inside && d.planned[i] == v
	}
	return nil
}

// prepare lists the choices and starts the evaluator at those in force.
func (d *decision) prepare() error {
	axes, err := d.mesh.axes()
	if err != nil {
		return err
	}
	o, e := &d.mesh.o, d.policy.evaluator
	d.fixed = d.all
	for _, a := range axes {
		if a.kind == policy.Blocking {
			d.fixed -= o.Services[a.service].Value * d.mesh.offered[a.service]
		}
	}
	copy(e.offered, d.planned)
	live := d.predict(o.Live)
	if !d.policy.model.Supported(o.Live.Values(), d.mesh.offered) {
		live = nil
	}
	e.observe(o, d.mesh.offered, live)
	d.problem, d.sets = d.mesh.problem(axes)
	d.problem.Evaluator = e
	e.start(o.Live, d.problem.Parts, d.sets)
	d.seed = d.hash()
	return nil
}

// hash makes the seed of what is observed, whatever the services are called: the
// same observation searches the same way.
func (d *decision) hash() uint64 {
	mix := func(h uint64, v float64) uint64 {
		h = (h ^ math.Float64bits(v)) * 0x9e3779b97f4a7c15
		return h ^ h>>29
	}
	sum := uint64(1)
	for i, set := range d.sets {
		h := uint64(0)
		for _, at := range set.at {
			h = mix(h, d.mesh.o.Live[at].Value)
		}
		if s := d.problem.Parts[i].Service; s >= 0 {
			h = mix(mix(mix(h, d.mesh.offered[s]), d.policy.evaluator.Ratio(s)), d.mesh.o.Services[s].Value)
		}
		sum += h
	}
	return sum
}

// decide searches, and keeps the live action unless something is clearly better.
func (d *decision) decide() (policy.Decision, error) {
	r, err := Solve(d.problem, d.policy.evaluations, d.seed)
	if err != nil {
		return policy.Decision{}, err
	}
	if !r.Feasible {
		return d.infeasible(), nil
	}
	live := d.mesh.o.Live
	reason := fmt.Sprintf("carries %.4g of %.4g (value/s) with every objective met under its margin; looked at %d sets of settings",
		r.Value+d.fixed, d.all, r.Evaluations)
	if r.Exact {
		reason += ", which leaves none better"
	}
	action := d.action(r.Choices)
	stay := r.InForce.Feasible && d.action(r.InForce.Choices).Equal(live, tiny)
	if stay && r.Value-r.InForce.Value <= planning.Hysteresis*d.all {
		action = live.Clone()
		reason = fmt.Sprintf("the live action meets every objective under its margin, and no other that was found is worth %.0f %% more", 100*planning.Hysteresis)
	}
	if g := guard.Limit(d.mesh.o, action); len(g.Edits) > 0 {
		action = g.Action // rounding: what the choices leave to the guard is less than it would record
	}
	out := d.answer(action, reason)
	d.alternative(&out, r.InForce, "the live action, as far as its limits allow it")
	d.alternative(&out, r.Greedy, "service by service, the most valuable for its work first")
	return out, nil
}

// alternative adds a candidate that is not the choice.
func (d *decision) alternative(to *policy.Decision, c Candidate, what string) {
	a := d.action(c.Choices)
	if a.Equal(to.Action, tiny) {
		return
	}
	if !c.Feasible {
		what += "; does not meet every objective under its margin"
	}
	to.Alternatives = append(to.Alternatives, policy.Alternative{Action: a, Score: c.Value + d.fixed, Reason: what})
}

// action is the settings of a set of choices.
func (d *decision) action(choices []int) policy.Action {
	a := d.mesh.o.Live.Clone()
	for i, set := range d.sets {
		for k, at := range set.at {
			a[at].Value = set.values[choices[i]][k]
		}
	}
	return a
}

// infeasible does not trust the model: it sheds the services that are predicted
// above their bound now to their maximum, as far as the guard lets it, and leaves the
// rest as it is.
func (d *decision) infeasible() policy.Decision {
	e, o := d.policy.evaluator, d.mesh.o
	var above []int
	latency := d.predict(o.Live)
	for s := range latency {
		if e.excess(s, latency, o.Live) > 1 {
			above = append(above, s)
		}
	}
	out := d.answer(guard.Shed(o, above),
		"no admissible action that was found meets every objective under its margin: shed the services predicted above their bound")
	out.Infeasible = true
	return out
}

// answer says what is expected of an action and of the live one.
func (d *decision) answer(a policy.Action, reason string) policy.Decision {
	if !d.mesh.inside {
		reason = "the offered load is outside the data behind the model, so nothing is promised and no blocking is lowered; at the nearest known load: " + reason
	}
	return policy.Decision{Action: a, Reason: reason, Expected: d.predictions(a), ExpectedLive: d.predictions(d.mesh.o.Live)}
}

func (d *decision) predictions(a policy.Action) []policy.Prediction {
	supported := d.policy.model.Supported(a.Values(), d.mesh.offered)
	var out []policy.Prediction
	for s, v := range d.predict(a) {
		if signal := d.policy.evaluator.signals[s]; signal != "" {
			out = append(out, policy.Prediction{
				Service: d.mesh.o.Services[s].Name, Signal: signal, Value: v, Supported: supported, Scale: d.policy.evaluator.judge[s].Scale(s, v, a),
			})
		}
	}
	return out
}

// predict returns each service's latency in seconds.
func (d *decision) predict(a policy.Action) []float64 {
	out := make([]float64, len(d.planned))
	d.policy.whole.Latency(out, a.Values(), d.planned)
	return out
}
