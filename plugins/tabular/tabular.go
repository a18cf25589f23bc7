// Package tabular is the exact policy: it enumerates the grid of the knobs on a table
// of predictions, and takes the action that is worth most among those that meet every
// objective under its margin, or, where it is asked to, after a price for each
// objective's chance to be broken: always, or while the host finds that such chances come
// true.
//
// What it knows of the mesh is the artefact; what it knows of its own errors is in
// the observation, kept by the host. What may not live here: fitting (sim/train),
// state between decisions, limits of its own beside the guard's.
package tabular

import (
	"context"
	"errors"
	"fmt"

	"github.com/windvane/windvane/plugins/planning"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

// Name is the policy's.
const Name = "tabular"

// Policy is the tabular policy. Configure it before Decide.
type Policy struct {
	choice *choice // what is fixed, and the buffers of one decision; nothing in them outlives it
}

var _ policy.Policy = (*Policy)(nil)

// New returns a policy that has no table yet.
func New() *Policy { return &Policy{} }

// Describe says that the policy needs an artefact.
func (p *Policy) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: Name, Version: "1", Artefact: true}, nil
}

// Configure reads the settings and the table. It is an error if there are settings
// that the policy does not have, or the artefact is not a table or is damaged; the
// policy then stays as it was.
func (p *Policy) Configure(_ context.Context, c policy.Config) error {
	s := planning.Defaults()
	if err := planning.Parse(Name, c.Settings, &s, ""); err != nil {
		return err
	}
	if err := s.Check(Name); err != nil {
		return err
	}
	t, err := model.DecodeTable(c.Artefact)
	if err != nil {
		return err
	}
	at, err := planning.NewCase(Name, t, s)
	if err != nil {
		return err
	}
	classes := classify(at)
	p.choice = &choice{Case: at, classes: classes, order: make([]ranked, len(classes))}
	return nil
}

// class are the actions of the grid that differ in their weights only: they carry and
// cost the same.
type class struct{ actions []int }

// classify sorts the grid into classes.
func classify(c *planning.Case) []class {
	at := map[string]int{}
	var key []byte
	var out []class
	for i, a := range c.Grid {
		key = key[:0]
		for k, s := range a {
			if c.Table.Knobs[k].Kind != policy.Weight {
				key = fmt.Appendf(key, "%x ", s.Value)
			}
		}
		n, ok := at[string(key)]
		if !ok {
			n = len(out)
			at[string(key)] = n
			out = append(out, class{})
		}
		out[n].actions = append(out[n].actions, i)
	}
	return out
}

// Decide takes the best admissible action of the grid. Beyond the loads of the data
// it plans with the nearest load that they have, blocks no service less than it is
// blocked now, and says that its predictions are not supported.
func (p *Policy) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if p.choice == nil {
		return policy.Decision{}, errors.New("tabular: not configured; it needs a trained artefact")
	}
	if err := p.choice.Begin(o); err != nil {
		return policy.Decision{}, err
	}
	return p.choice.best(), nil
}
