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
	"github.com/windvane/windvane/sim/model"
)

// Policy is the tabular policy. Configure it before Decide.
type Policy struct {
	table    *model.Table
	grid     []policy.Action
	blocking []int     // by service: the position of its blocking among the knobs, or -1
	admitted []float64 // [action][service]: share of the offered load that is not blocked

	scratch choice // the buffers of one decision; nothing in them outlives it
}

var _ policy.Policy = (*Policy)(nil)

// New returns a policy that has no table yet.
func New() *Policy { return &Policy{} }

// Describe says that the policy needs an artefact.
func (p *Policy) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "tabular", Version: "1", Artefact: true}, nil
}

// Configure reads the table. It is an error if the artefact is not one, or is
// damaged; the policy then stays as it was.
func (p *Policy) Configure(_ context.Context, c policy.Config) error {
	t, err := model.DecodeTable(c.Artefact)
	if err != nil {
		return err
	}
	grid, err := t.Actions()
	if err != nil {
		return err
	}
	n := len(t.Services)
	next := Policy{table: t, grid: grid, blocking: make([]int, n), admitted: make([]float64, 0, n*len(grid))}
	for s, name := range t.Services {
		next.blocking[s] = -1
		for i, k := range t.Knobs {
			if k.Kind == policy.Blocking && k.Service == name {
				next.blocking[s] = i
			}
		}
	}
	for _, a := range grid {
		for _, i := range next.blocking {
			share := 1.0
			if i >= 0 {
				share -= a[i].Value
			}
			next.admitted = append(next.admitted, share)
		}
	}
	next.scratch = choice{
		offered: make([]float64, n), worth: make([]float64, n), live: make([]float64, n),
		latency: make([]float64, n), factor: make([][]float64, n),
	}
	*p = next
	return nil
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
	for i, s := range o.Services {
		if s.Name != t.Services[i] {
			return fmt.Errorf("tabular: the table is for service %s, the mesh has %s; train it again", t.Services[i], s.Name)
		}
		v, ok := o.State.Role(s.Name, policy.RoleOffered).Get()
		if !ok || v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			return fmt.Errorf("tabular: the offered load of %s is not known", s.Name)
		}
		c.offered[i], c.worth[i] = v, s.Value*v
		c.factor[i] = c.factor[i][:0]
		for _, obj := range s.Objectives {
			if obj.Kind == policy.LatencyObjective && obj.Signal == t.Signals[i] {
				c.factor[i] = append(c.factor[i], math.Exp(obj.Correction)*(1+obj.Residual)*(1+obj.Margin)/obj.Bound)
			}
		}
	}
	c.corners, c.inside = t.Corners(c.corners, c.offered, len(c.policy.grid))
	return nil
}
