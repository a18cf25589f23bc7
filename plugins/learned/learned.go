// Package learned is the policy of a trained network: it proposes actions from the
// offered loads and from how far the predictions may go under the present margins, and
// takes the best of the proposals that keep every objective on a table of predictions.
//
// A network alone cannot hold an error budget: it says what was right on average over
// its training, while a margin moves with each measured interval. So it is trained
// with margins drawn at random that it sees, and is not believed but checked. What may
// not live here: training (sim/train), state between decisions, limits of its own
// beside the guard's.
package learned

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
)

// Name is the policy's.
const Name = "learned"

// Policy is the learned policy. Configure it before Decide.
type Policy struct {
	artefact *Artefact
	axes     []policy.Axis
	grid     []policy.Action
	blocking []int // by service: the position of its blocking among the knobs, or -1

	scratch choice // the buffers of one decision; nothing in them outlives it
}

var _ policy.Policy = (*Policy)(nil)

// New returns a policy that has no network yet.
func New() *Policy { return &Policy{} }

// Describe says that the policy needs an artefact.
func (p *Policy) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: Name, Version: "1", Artefact: true}, nil
}

// Configure reads the network and its table. It is an error if there are settings,
// or if the artefact is of another policy, damaged, or not what its card describes; the
// policy then stays as it was.
func (p *Policy) Configure(_ context.Context, c policy.Config) error {
	if s := string(c.Settings); s != "" && s != "{}" && s != "null" {
		return fmt.Errorf("learned: settings %s: it has none", s)
	}
	a, err := Decode(c.Artefact)
	if err != nil {
		return err
	}
	if err := a.matches(c.Card); err != nil {
		return err
	}
	t := a.Table
	grid, err := t.Actions()
	if err != nil {
		return err
	}
	axes, err := policy.Axes(t.Knobs)
	if err != nil {
		return err
	}
	n := len(t.Services)
	services, blocking := make([]policy.Service, n), make([]int, n)
	for s, name := range t.Services {
		services[s].Name, blocking[s] = name, -1
		for i, k := range t.Knobs {
			if k.Kind == policy.Blocking && k.Service == name {
				blocking[s] = i
			}
		}
	}
	sizes := make([]int, len(axes))
	for i, axis := range axes {
		sizes[i] = len(axis.Values)
	}
	*p = Policy{artefact: a, axes: axes, grid: grid, blocking: blocking, scratch: choice{
		offered: make([]float64, n), worth: make([]float64, n), live: make([]float64, n),
		latency: make([]float64, n), limit: make([]float64, n),
		x: make([]float32, 2*n), buffers: a.Net.NewBuffers(1), proposals: newProposals(sizes),
		judge: margin.Judge{Terms: policy.NewTerms(t.Knobs, services)},
	}}
	return nil
}

// matches holds an artefact against its card; no card: nothing to hold it against.
func (a *Artefact) matches(card []byte) error {
	if len(card) == 0 {
		return nil
	}
	var c struct {
		Policy   string `json:"policy"`
		Services []struct {
			Service string `json:"service"`
		} `json:"services"`
		Knobs []policy.Knob `json:"knobs"`
	}
	if err := json.Unmarshal(card, &c); err != nil {
		return fmt.Errorf("learned: card: %w; train it again", err)
	}
	if c.Policy != Name {
		return fmt.Errorf("learned: the card is of policy %q; name an artefact of `windvane train --policy %s`", c.Policy, Name)
	}
	same := len(c.Services) == len(a.Table.Services) && len(c.Knobs) == len(a.Table.Knobs)
	for s := 0; same && s < len(c.Services); s++ {
		same = c.Services[s].Service == a.Table.Services[s]
	}
	for i := 0; same && i < len(c.Knobs); i++ {
		same = c.Knobs[i] == a.Table.Knobs[i]
	}
	if !same {
		return errors.New("learned: the card describes other services or knobs than the artefact has; train it again")
	}
	return nil
}

// Decide takes the best admissible proposal of the network. Beyond the loads of the
// data it plans with the nearest load that they have, blocks no service less than it is
// blocked now, and says that its predictions are not supported.
func (p *Policy) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if p.artefact == nil {
		return policy.Decision{}, errors.New("learned: not configured; it needs a trained artefact")
	}
	c := &p.scratch
	c.policy, c.o = p, o
	if err := c.prepare(); err != nil {
		return policy.Decision{}, err
	}
	return c.best()
}

// prepare checks that the observation fits the artefact, and fills the buffers.
func (c *choice) prepare() error {
	t, o := c.policy.artefact.Table, &c.o
	if len(o.Knobs) != len(t.Knobs) || len(o.Services) != len(t.Services) || len(o.Live) != len(t.Knobs) {
		return fmt.Errorf("learned: the network is for %d knobs and %d services, the mesh has %d (%d of them live) and %d; train it again",
			len(t.Knobs), len(t.Services), len(o.Knobs), len(o.Live), len(o.Services))
	}
	for i, k := range t.Knobs {
		if o.Knobs[i].KnobID != k.KnobID || o.Live[i].KnobID != k.KnobID {
			return fmt.Errorf("learned: the network is for %s, the mesh has %s, live %s; train it again", k.KnobID, o.Knobs[i].KnobID, o.Live[i].KnobID)
		}
	}
	c.all = 0
	for i, s := range o.Services {
		if s.Name != t.Services[i] {
			return fmt.Errorf("learned: the network is for service %s, the mesh has %s; train it again", t.Services[i], s.Name)
		}
		v, ok := o.State.Role(s.Name, policy.RoleOffered).Get()
		if !ok || v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			return fmt.Errorf("learned: the offered load of %s is not known", s.Name)
		}
		c.offered[i], c.worth[i] = v, s.Value*v
		c.all += c.worth[i]
	}
	c.corners, c.inside = t.Corners(c.corners, c.offered, len(c.policy.grid))
	c.nearest = c.policy.nearest(o.Live)
	t.Predict(c.live, c.corners, c.nearest)
	known := c.live
	if !c.inside || !c.policy.grid[c.nearest].Equal(o.Live, onGrid) {
		known = nil
	}
	c.judge.Begin(o, t.Signals, c.offered, known)
	c.limits()
	Observe(c.x, t.Loads, c.policy.artefact.Bound, c.offered, c.limit)
	return nil
}

// limits asks the judge how far each prediction may go: as far as a prediction of one
// second, with all that the host knows of the live action, is from its bound.
func (c *choice) limits() {
	clear(c.latency)
	for s := range c.limit {
		c.latency[s] = 1
		_, excess := c.judge.Weigh(c.latency, c.o.Live)
		c.limit[s] = math.Inf(1)
		if excess > 0 {
			c.limit[s] = 1 / excess
		}
		c.latency[s] = 0
	}
}

// nearest is the action of the grid closest to the given one: the closest category of
// each axis.
func (p *Policy) nearest(to policy.Action) int {
	at := 0
	for i, axis := range p.axes {
		best, least := 0, math.Inf(1)
		for c, values := range axis.Values {
			d := 0.
			for k, v := range values {
				d += (v - to[axis.First+k].Value) * (v - to[axis.First+k].Value)
			}
			if d < least {
				best, least = c, d
			}
		}
		at += best * p.scratch.proposals.stride[i]
	}
	return at
}
