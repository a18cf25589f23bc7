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

	"github.com/windvane/windvane/plugins/planning"
	"github.com/windvane/windvane/plugins/policy"
)

// Name is the policy's.
const Name = "learned"

// Policy is the learned policy. Configure it before Decide.
type Policy struct {
	choice *choice // what is fixed, and the buffers of one decision; nothing in them outlives it
}

var _ policy.Policy = (*Policy)(nil)

// New returns a policy that has no network yet.
func New() *Policy { return &Policy{} }

// Describe says that the policy needs an artefact.
func (p *Policy) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: Name, Version: "1", Artefact: true}, nil
}

// Configure reads the settings, the network and its table. It is an error if there are
// settings that the policy does not have, or if the artefact is of another policy,
// damaged, or not what its card describes; the policy then stays as it was.
func (p *Policy) Configure(_ context.Context, c policy.Config) error {
	s := planning.Defaults()
	if err := planning.Parse(Name, c.Settings, &s, ""); err != nil {
		return err
	}
	if err := s.Check(Name); err != nil {
		return err
	}
	if s.Objectives != planning.KeepMargins {
		return fmt.Errorf("learned: settings: objectives = %q: a network is trained to keep margins and has never seen a price; leave the setting out, or use tabular or rollout",
			s.Objectives)
	}
	a, err := Decode(c.Artefact)
	if err != nil {
		return err
	}
	if err := a.matches(c.Card); err != nil {
		return err
	}
	at, err := planning.NewCase(Name, a.Table, s)
	if err != nil {
		return err
	}
	sizes := make([]int, len(at.Axes))
	for i, axis := range at.Axes {
		sizes[i] = len(axis.Values)
	}
	n := len(a.Table.Services)
	p.choice = &choice{
		Case: at, artefact: a, limit: make([]float64, n),
		x: make([]float32, 2*n), buffers: a.Net.NewBuffers(1), proposals: newProposals(sizes, at.Stride),
	}
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
	if p.choice == nil {
		return policy.Decision{}, errors.New("learned: not configured; it needs a trained artefact")
	}
	c := p.choice
	if err := c.Begin(o); err != nil {
		return policy.Decision{}, err
	}
	c.limits()
	Observe(c.x, c.Table.Loads, c.artefact.Bound, c.Offered, c.limit)
	return c.best()
}

// limits asks the judge how far each prediction may go, with all that the host knows of the
// live action.
func (c *choice) limits() {
	for s := range c.limit {
		c.limit[s] = c.Judge.Limit(s, c.O.Live)
	}
}
