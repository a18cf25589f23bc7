// Package tabular is the exact policy for small meshes: it looks up what a model
// predicts for every action of the grid, and takes the one that is worth most
// among those that meet every objective under its margin.
//
// The table is made by sim/train. What lives here is the choice among its entries;
// the margin is the host's, the limits are the guard's.
package tabular

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/model"
)

// hysteresis keeps the live action unless the gain exceeds this share of the value of all offered load.
const hysteresis = .01

// Policy is the tabular policy. Configure it before Decide.
type Policy struct {
	table *model.Table
	grid  []policy.Action
}

var _ policy.Policy = (*Policy)(nil)

// New returns a policy that has no table yet.
func New() *Policy { return &Policy{} }

// Describe says that the policy needs an artefact.
func (p *Policy) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "tabular", Version: "1", Artefact: true}, nil
}

// Configure reads the table. It is an error if the artefact is not one, or is damaged.
func (p *Policy) Configure(_ context.Context, c policy.Config) error {
	t, err := model.DecodeTable(c.Artefact)
	if err != nil {
		return err
	}
	grid, err := t.Actions()
	if err != nil {
		return err
	}
	p.table, p.grid = t, grid
	return nil
}

// Decide takes the best admissible action of the grid.
func (p *Policy) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if p.table == nil {
		return policy.Decision{}, errors.New("tabular: not configured; it needs a trained artefact")
	}
	offered, err := p.offered(o)
	if err != nil {
		return policy.Decision{}, err
	}
	corners, inside := p.table.Corners(offered, len(p.grid))
	c := choice{policy: p, o: o, offered: offered, corners: corners, latency: make([]float64, len(p.table.Services))}
	if !inside {
		return c.unsupported(), nil
	}
	return c.best(), nil
}

// offered returns the loads in the order of the table; it is an error if one is not known.
func (p *Policy) offered(o policy.Observation) ([]float64, error) {
	if len(o.Knobs) != len(p.table.Knobs) || len(o.Services) != len(p.table.Services) {
		return nil, fmt.Errorf("tabular: the table is for %d knobs and %d services, the mesh has %d and %d; train it again",
			len(p.table.Knobs), len(p.table.Services), len(o.Knobs), len(o.Services))
	}
	for i, k := range p.table.Knobs {
		if o.Knobs[i].KnobID != k.KnobID {
			return nil, fmt.Errorf("tabular: the table is for %s, the mesh has %s; train it again", k.KnobID, o.Knobs[i].KnobID)
		}
	}
	out := make([]float64, len(o.Services))
	for i, s := range o.Services {
		if s.Name != p.table.Services[i] {
			return nil, fmt.Errorf("tabular: the table is for service %s, the mesh has %s; train it again", p.table.Services[i], s.Name)
		}
		v, ok := o.State.Role(s.Name, policy.RoleOffered).Get()
		if !ok || v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, fmt.Errorf("tabular: the offered load of %s is not known", s.Name)
		}
		out[i] = v
	}
	return out, nil
}

// choice is one decision in the making.
type choice struct {
	policy  *Policy
	o       policy.Observation
	offered []float64
	corners []model.Corner
	latency []float64 // by service, of the action looked at last
}

// value is the worth of the nominal carried load of an action, less the costs.
func (c *choice) value(a policy.Action) float64 {
	v := 0.0
	for i, s := range c.o.Services {
		b, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: s.Name})
		v += s.Value * c.offered[i] * (1 - b)
	}
	for i, k := range c.o.Knobs {
		v -= k.Cost * a[i].Value
	}
	return v
}

// excess is the largest ratio of a prediction under its margin to its bound; at
// most 1 means that every objective is expected to be met.
func (c *choice) excess(action int) float64 {
	c.policy.table.Predict(c.latency, c.corners, action)
	worst := 0.0
	for i, s := range c.o.Services {
		for _, obj := range s.Objectives {
			if obj.Kind != policy.LatencyObjective || obj.Signal != c.policy.table.Signals[i] {
				continue
			}
			under := c.latency[i] * math.Exp(obj.Correction) * (1 + obj.Residual) * (1 + obj.Margin)
			worst = math.Max(worst, under/obj.Bound)
		}
	}
	return worst
}

// admissible reports whether the guard would let the action pass as it is.
func (c *choice) admissible(a policy.Action) bool {
	for i, s := range a {
		live := c.o.Live[i].Value
		step := c.o.Limits.MaxStep + 1e-9
		switch c.o.Knobs[i].Kind {
		case policy.Weight:
			if math.Abs(s.Value-live) > step {
				return false
			}
		case policy.Blocking:
			if live-s.Value > step {
				return false
			}
		case policy.Replicas: // any number within the range
		}
	}
	return len(guard.Limit(c.o, a).Edits) == 0
}

func (c *choice) best() policy.Decision {
	best, bestValue, bestExcess := -1, math.Inf(-1), 0.0
	for i, a := range c.policy.grid {
		v := c.value(a)
		if v < bestValue-1e-9 {
			continue
		}
		e := c.excess(i)
		if e > 1 || v < bestValue+1e-9 && e >= bestExcess || !c.admissible(a) {
			continue
		}
		best, bestValue, bestExcess = i, v, e
	}
	live := c.nearest(c.o.Live)
	if best < 0 {
		return c.infeasible(live)
	}
	all := 0.0
	for i, s := range c.o.Services {
		all += s.Value * c.offered[i]
	}
	reason := fmt.Sprintf("carries %.4g of %.4g (value/s) with every objective met under its margin", bestValue, all)
	if v := c.value(c.o.Live); c.policy.grid[live].Equal(c.o.Live, 1e-6) && c.excess(live) <= 1 && bestValue-v <= hysteresis*all {
		best = live
		reason = fmt.Sprintf("the live action meets every objective under its margin, and no other is worth %.0f %% more", 100*hysteresis)
	}
	return c.decision(best, live, reason)
}

func (c *choice) decision(action, live int, reason string) policy.Decision {
	return policy.Decision{
		Action: c.policy.grid[action].Clone(), Reason: reason,
		Expected: c.predictions(action, true), ExpectedLive: c.predictions(live, true),
	}
}

func (c *choice) predictions(action int, supported bool) []policy.Prediction {
	c.policy.table.Predict(c.latency, c.corners, action)
	var out []policy.Prediction
	for i, v := range c.latency {
		out = append(out, policy.Prediction{Service: c.policy.table.Services[i], Signal: c.policy.table.Signals[i], Value: v, Supported: supported})
	}
	return out
}

// nearest is the action of the grid closest to the given one.
func (c *choice) nearest(to policy.Action) int {
	best, least := 0, math.Inf(1)
	for i, a := range c.policy.grid {
		d := 0.0
		for k := range a {
			d += (a[k].Value - to[k].Value) * (a[k].Value - to[k].Value)
		}
		if d < least {
			best, least = i, d
		}
	}
	return best
}

// infeasible does not trust the model: it sheds the services that are predicted
// above their bound to their maximum, and leaves the rest as it is.
func (c *choice) infeasible(live int) policy.Decision {
	a := c.o.Live.Clone()
	c.policy.table.Predict(c.latency, c.corners, live)
	for i, s := range c.o.Services {
		for _, obj := range s.Objectives {
			under := c.latency[i] * math.Exp(obj.Correction) * (1 + obj.Residual) * (1 + obj.Margin)
			if obj.Kind != policy.LatencyObjective || under <= obj.Bound {
				continue
			}
			for _, k := range c.o.Knobs {
				if k.Kind == policy.Blocking && k.Service == s.Name {
					a.Set(k.KnobID, k.Max)
				}
			}
		}
	}
	return policy.Decision{
		Action: a, Infeasible: true, Expected: c.predictions(live, true), ExpectedLive: c.predictions(live, true),
		Reason: "no admissible action meets every objective under its margin: shed the services predicted above their bound",
	}
}

// unsupported keeps the live action: outside the data nothing is promised.
func (c *choice) unsupported() policy.Decision {
	live := c.nearest(c.o.Live)
	return policy.Decision{
		Action: c.o.Live.Clone(), Expected: c.predictions(live, false), ExpectedLive: c.predictions(live, false),
		Reason: "the offered load is outside the data behind the model: nothing is promised, nothing is changed",
	}
}
