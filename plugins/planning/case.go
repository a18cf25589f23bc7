// Package planning is what the policies over a table of predictions share: whether an
// observation fits the table, what an action is worth and what its objectives cost,
// which actions the limits admit, and the answer.
//
// Which action is looked for, and how, is each policy's own business. What may not live
// here: state between decisions, limits beside the guard's, fitting (sim/train).
package planning

import (
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/model"
)

// Tiny absorbs rounding where values and settings are compared.
const Tiny = 1e-9

// Case is one decision after the other over one table: what is fixed with the table, and
// from Begin to the next Begin what an observation says. It is for one goroutine; what it
// lends is good until the next Begin. Slices are by service unless they say otherwise.
type Case struct {
	Table    *model.Table
	Grid     []policy.Action
	Axes     []policy.Axis
	Stride   []int // by axis, of the position in Grid
	Blocking []int // the position of its blocking among the knobs, or -1
	Settings Settings

	O       policy.Observation
	Offered []float64 // requests/s
	Worth   []float64 // value of all of the offered load
	All     float64   // their sum
	Nearest int       // the action of the grid nearest to the live one
	Live    []float64 // predicted for the live action, seconds; beyond the grid, for the nearest one
	Inside  bool      // the offered load lies within the data
	Judge   margin.Judge

	name    string // of the policy
	corners []model.Corner
	growths [growths]growth
	latency []float64 // predicted for the action looked at last

	knowsLive bool   // the live action lies on the grid or between its actions, and the loads in the data
	sides     []side // reused
}

// NewCase prepares decisions of the named policy over a table. It is an error if the
// table is damaged.
func NewCase(name string, t *model.Table, settings Settings) (*Case, error) {
	grid, err := t.Actions()
	if err != nil {
		return nil, err
	}
	for i, v := range t.Values {
		if !(v >= 0) || math.IsInf(float64(v), 1) {
			n := len(t.Services)
			return nil, fmt.Errorf("%s: the artefact predicts %v for %s of %s with %v: train it again", name, v, t.Signals[i%n], t.Services[i%n], grid[i/n%len(grid)])
		}
	}
	axes, err := policy.Axes(t.Knobs)
	if err != nil {
		return nil, err
	}
	n := len(t.Services)
	c := &Case{
		Table: t, Grid: grid, Axes: axes, Stride: make([]int, len(axes)), Blocking: make([]int, n), Settings: settings, name: name,
		Offered: make([]float64, n), Worth: make([]float64, n), Live: make([]float64, n), latency: make([]float64, n),
	}
	stride := 1
	for i := len(axes) - 1; i >= 0; i-- {
		c.Stride[i] = stride
		stride *= len(axes[i].Values)
	}
	services := make([]policy.Service, n)
	for s, service := range t.Services {
		services[s].Name, c.Blocking[s] = service, -1
		for i, k := range t.Knobs {
			if k.Kind == policy.Blocking && k.Service == service {
				c.Blocking[s] = i
			}
		}
	}
	for k := range c.growths {
		c.growths[k].offered = make([]float64, n)
	}
	c.Judge = margin.Judge{Terms: policy.NewTerms(t.Knobs, services), Pricing: pricings[settings.Objectives]}
	c.Judge.Scales, c.Judge.Tails = t.Scales, t.Tails()
	return c, nil
}

// Begin reads an observation. It is an error if that does not fit the table, or if an
// offered load is not known.
func (c *Case) Begin(o policy.Observation) error {
	c.O = o
	if err := c.fits(); err != nil {
		return err
	}
	c.All = 0
	for i, s := range o.Services {
		v, ok := guard.Offered(o, s.Name)
		if !ok {
			return fmt.Errorf("%s: the offered load of %s is not known", c.name, s.Name)
		}
		c.Offered[i], c.Worth[i] = v, s.Value*v
		c.All += c.Worth[i]
	}
	c.corners, c.Inside = c.Table.Corners(c.corners, c.Offered, len(c.Grid))
	c.Nearest = c.nearest(o.Live)
	c.knowsLive = c.between(c.Live, o.Live) && c.Inside
	known := c.Live
	if !c.knowsLive {
		known = nil
		c.Table.Predict(c.Live, c.corners, c.Nearest)
	}
	c.Judge.Begin(&c.O, c.Table.Signals, c.Offered, known)
	return nil
}

// speaks reports whether the prediction for an action of the grid is one for the given
// action, too: the loads are within the data, and the settings no further apart than
// rounding moves them.
func (c *Case) speaks(chosen int, a policy.Action) bool {
	return c.Inside && c.Grid[chosen].Equal(a, policy.Rounding)
}

// fits checks that the observation is of the table's mesh.
func (c *Case) fits() error {
	t, o := c.Table, &c.O
	if len(o.Knobs) != len(t.Knobs) || len(o.Services) != len(t.Services) || len(o.Live) != len(t.Knobs) {
		return fmt.Errorf("%s: the artefact is for %d knobs and %d services, the mesh has %d (%d of them live) and %d; train it again",
			c.name, len(t.Knobs), len(t.Services), len(o.Knobs), len(o.Live), len(o.Services))
	}
	for i, k := range t.Knobs {
		if o.Knobs[i].KnobID != k.KnobID || o.Live[i].KnobID != k.KnobID {
			return fmt.Errorf("%s: the artefact is for %s, the mesh has %s, live %s; train it again", c.name, k.KnobID, o.Knobs[i].KnobID, o.Live[i].KnobID)
		}
	}
	for i, s := range o.Services {
		if s.Name != t.Services[i] {
			return fmt.Errorf("%s: the artefact is for service %s, the mesh has %s; train it again", c.name, t.Services[i], s.Name)
		}
	}
	for _, s := range o.Live { // which may be outside the rules' range, but is a share
		if s.Kind != policy.Replicas && !(s.Value >= 0 && s.Value <= 1) {
			return fmt.Errorf("%s: %s is %v in the live action; want 0 to 1", c.name, s.KnobID, s.Value)
		}
	}
	return nil
}

// nearest is the action of the grid closest to the given one: the closest category of
// each axis.
func (c *Case) nearest(to policy.Action) int {
	at := 0
	for i, axis := range c.Axes {
		best, least := 0, math.Inf(1)
		for category, values := range axis.Values {
			d := 0.0
			for k, v := range values {
				d += (v - to[axis.First+k].Value) * (v - to[axis.First+k].Value)
			}
			if d < least {
				best, least = category, d
			}
		}
		at += best * c.Stride[i]
	}
	return at
}

// Value is the worth of the nominal carried load of an action, less its costs.
func (c *Case) Value(a policy.Action) float64 {
	v := 0.0
	for i := range c.O.Knobs {
		if cost := c.O.Knobs[i].Cost; cost != 0 {
			v -= cost * a[i].Value
		}
	}
	for s, w := range c.Worth {
		if i := c.Blocking[s]; i >= 0 {
			w *= 1 - a[i].Value
		}
		v += w
	}
	return v
}

// Predict returns the latencies of an action of the grid, in seconds and before any
// margin. The slice is reused.
func (c *Case) Predict(action int) []float64 {
	c.Table.Predict(c.latency, c.corners, action)
	return c.latency
}

// Weigh is what the objectives cost an action of the grid, and its largest ratio of a
// prediction under its margin to its bound.
func (c *Case) Weigh(action int) (cost, excess float64) {
	return c.Judge.Weigh(c.Predict(action), c.Grid[action])
}

// Moves reports whether a knob gets from one value to another in one cycle: as far as
// the guard's step allows, and, beyond the data, never to less blocking.
func (c *Case) Moves(knob int, from, to float64) bool {
	step := c.O.Limits.MaxStep + Tiny
	switch c.O.Knobs[knob].Kind {
	case policy.Weight:
		return math.Abs(to-from) <= step
	case policy.Blocking:
		return from-to <= step && (c.Inside || from-to <= Tiny)
	default: // replicas: any number within the range
		return true
	}
}

// Within reports whether an action is one cycle away from the live one.
func (c *Case) Within(a policy.Action) bool {
	for i := range a {
		if !c.Moves(i, c.O.Live[i].Value, a[i].Value) {
			return false
		}
	}
	return true
}

// Allowed reports whether an action refuses no more than total_blocking and the floors
// allow. The guard would say the same, but at the price of its edits.
func (c *Case) Allowed(a policy.Action) bool {
	total, blocked := 0.0, 0.0
	for s, b := range c.Blocking {
		if b < 0 {
			continue
		}
		total += c.Offered[s]
		blocked += c.Offered[s] * a[b].Value
		floor := math.Min(c.O.Services[s].Floor, c.Offered[s]) // nobody carries more than is offered
		if floor > 0 && a[b].Value > 1-floor/c.Offered[s]+Tiny {
			return false
		}
	}
	return blocked <= c.O.Limits.TotalBlocking*total*(1+Tiny)+Tiny
}
