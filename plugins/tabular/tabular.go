// Package tabular is the exact policy: it enumerates the grid of the knobs on a table
// of predictions, and takes the action that is worth most among those that meet every
// objective under its margin, or, where it is asked to, after a price for each
// objective's chance to be broken.
//
// What it knows of the mesh is the artefact; what it knows of its own errors is in
// the observation, kept by the host. What may not live here: fitting (sim/train),
// state between decisions, limits of its own beside the guard's.
package tabular

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/model"
)

// Policy is the tabular policy. Configure it before Decide.
type Policy struct {
	table    *model.Table
	grid     []policy.Action
	blocking []int // by service: the position of its blocking among the knobs, or -1
	classes  []class

	scratch choice // the buffers of one decision; nothing in them outlives it
}

// class are the actions of the grid that differ in their weights only: they carry and
// cost the same.
type class struct {
	actions  []int
	admitted []float64 // by service: share of the offered load that is not blocked
}

var _ policy.Policy = (*Policy)(nil)

// New returns a policy that has no table yet.
func New() *Policy { return &Policy{} }

// Describe says that the policy needs an artefact.
func (p *Policy) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "tabular", Version: "1", Artefact: true}, nil
}

// The values of the setting `objectives`.
const (
	keepMargins = "margin" // an objective predicted above its bound under its margin is out of the question
	payPrices   = "price"  // the chance to break it costs its price
)

// settings are the policy's own table in the rules file.
type settings struct {
	Objectives string  `json:"objectives"`
	Hysteresis float64 `json:"hysteresis"` // the live action stays unless the gain exceeds this share of the value of all offered load
}

func parse(src []byte) (settings, error) {
	s := settings{Objectives: keepMargins, Hysteresis: hysteresis}
	if len(src) == 0 {
		return s, nil
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return s, fmt.Errorf("tabular: settings: %w; there are objectives = %q or %q, and hysteresis = a share", err, keepMargins, payPrices)
	}
	if s.Objectives != keepMargins && s.Objectives != payPrices {
		return s, fmt.Errorf("tabular: settings: objectives = %q: want %q or %q", s.Objectives, keepMargins, payPrices)
	}
	if !(s.Hysteresis >= 0 && s.Hysteresis <= 1) {
		return s, fmt.Errorf("tabular: settings: hysteresis = %v: want 0 to 1, such as %v", s.Hysteresis, hysteresis)
	}
	return s, nil
}

// Configure reads the settings and the table. It is an error if there are settings
// that the policy does not have, or the artefact is not a table or is damaged; the
// policy then stays as it was.
func (p *Policy) Configure(_ context.Context, c policy.Config) error {
	s, err := parse(c.Settings)
	if err != nil {
		return err
	}
	t, err := model.DecodeTable(c.Artefact)
	if err != nil {
		return err
	}
	grid, err := t.Actions()
	if err != nil {
		return err
	}
	n := len(t.Services)
	next := Policy{table: t, grid: grid, blocking: make([]int, n)}
	for s, name := range t.Services {
		next.blocking[s] = -1
		for i, k := range t.Knobs {
			if k.Kind == policy.Blocking && k.Service == name {
				next.blocking[s] = i
			}
		}
	}
	next.classify()
	services := make([]policy.Service, n)
	for s, name := range t.Services {
		services[s].Name = name
	}
	next.scratch = choice{
		offered: make([]float64, n), worth: make([]float64, n), live: make([]float64, n), latency: make([]float64, n),
		order: make([]ranked, len(next.classes)), hysteresis: s.Hysteresis, judge: margin.Judge{Terms: policy.NewTerms(t.Knobs, services), Price: s.Objectives == payPrices},
	}
	if next.scratch.judge.Price {
		for _, r := range t.Residuals {
			next.scratch.judge.Tails = append(next.scratch.judge.Tails, margin.NewTail(r))
		}
	}
	*p = next
	return nil
}

// classify sorts the grid into classes.
func (p *Policy) classify() {
	at := map[string]int{}
	var key []byte
	for i, a := range p.grid {
		key = key[:0]
		for k, s := range a {
			if p.table.Knobs[k].Kind != policy.Weight {
				key = fmt.Appendf(key, "%x ", s.Value)
			}
		}
		c, ok := at[string(key)]
		if !ok {
			c = len(p.classes)
			at[string(key)] = c
			admitted := make([]float64, len(p.blocking))
			for s, b := range p.blocking {
				if admitted[s] = 1; b >= 0 {
					admitted[s] -= a[b].Value
				}
			}
			p.classes = append(p.classes, class{admitted: admitted})
		}
		p.classes[c].actions = append(p.classes[c].actions, i)
	}
}

// Decide takes the best admissible action of the grid. Beyond the loads of the data
// it plans with the nearest load that they have, blocks no service less than it is
// blocked now, and says that its predictions are not supported.
func (p *Policy) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if p.table == nil {
		return policy.Decision{}, errors.New("tabular: not configured; it needs a trained artefact")
	}
	c := &p.scratch
	c.policy, c.o = p, o
	if err := c.prepare(); err != nil {
		return policy.Decision{}, err
	}
	return c.best(), nil
}

// prepare checks that the observation fits the table, and fills the buffers.
func (c *choice) prepare() error {
	t, o := c.policy.table, &c.o
	if len(o.Knobs) != len(t.Knobs) || len(o.Services) != len(t.Services) || len(o.Live) != len(t.Knobs) {
		return fmt.Errorf("tabular: the table is for %d knobs and %d services, the mesh has %d (%d of them live) and %d; train it again",
			len(t.Knobs), len(t.Services), len(o.Knobs), len(o.Live), len(o.Services))
	}
	for i, k := range t.Knobs {
		if o.Knobs[i].KnobID != k.KnobID || o.Live[i].KnobID != k.KnobID {
			return fmt.Errorf("tabular: the table is for %s, the mesh has %s, live %s; train it again", k.KnobID, o.Knobs[i].KnobID, o.Live[i].KnobID)
		}
	}
	c.all = 0
	for i, s := range o.Services {
		if s.Name != t.Services[i] {
			return fmt.Errorf("tabular: the table is for service %s, the mesh has %s; train it again", t.Services[i], s.Name)
		}
		v, ok := o.State.Role(s.Name, policy.RoleOffered).Get()
		if !ok || v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			return fmt.Errorf("tabular: the offered load of %s is not known", s.Name)
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
	return nil
}
