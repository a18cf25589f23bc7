// Package rollout is the policy that looks ahead online: each admissible action is
// valued by what it is worth now and by what the tabular policy, taking the best action
// within reach in each interval, would earn from there over a horizon, on the same table
// of predictions and within the same limits. It is the online rollout of F. S. Samani and
// R. Stadler's later work, after Bertsekas.
//
// Use it where a step limit (max_step) makes the present choice decide what can be chosen
// next: tabular takes the best action within reach, and stays where no single step is
// better; rollout takes the first of several steps. It needs no training of its own, and
// adapts with the table, the margins and the limits.
//
// Do not use it where steps are not limited, as it then chooses what tabular chooses and
// looks at every action to do so; where the load moves further within the horizon than it
// does within an interval, as it then plans for a load that is over (a shorter horizon
// helps); or where there are too many actions for a table (search).
//
// The forecast of the load is that it stays: an observation holds one interval, and a
// policy keeps nothing between calls. Then an action that is in force some intervals
// later (settling) is worth the same later, so that a delay changes no decision.
//
// Its settings are those of tabular, and horizon: a number of intervals.
package rollout

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/planning"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/model"
)

// Name is the policy's.
const Name = "rollout"

// The horizon of the settings, in intervals.
const (
	Horizon     = 8 // by default: enough for the steps from one end of a knob to the other
	mostHorizon = 1000
)

// settings are the policy's own table in the rules file.
type settings struct {
	planning.Settings
	Horizon int `json:"horizon"` // intervals that an action is valued over
}

// Policy is the rollout policy. Configure it before Decide.
type Policy struct {
	choice *choice // what is fixed, and the buffers of one decision; nothing in them outlives it
}

var _ policy.Policy = (*Policy)(nil)

// New returns a policy that has no table yet.
func New() *Policy { return &Policy{} }

// Describe says that the policy needs an artefact: the table of the tabular policy.
func (p *Policy) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: Name, Version: "1", Artefact: true}, nil
}

// Configure reads the settings and the table. It is an error if there are settings
// that the policy does not have, or the artefact is not a table or is damaged; the
// policy then stays as it was.
func (p *Policy) Configure(_ context.Context, c policy.Config) error {
	s := settings{Settings: planning.Defaults(), Horizon: Horizon}
	if err := planning.Parse(Name, c.Settings, &s, ", and horizon = a number of intervals"); err != nil {
		return err
	}
	if err := s.Check(Name); err != nil {
		return err
	}
	if s.Horizon < 1 || s.Horizon > mostHorizon {
		return fmt.Errorf("rollout: settings: horizon = %d: want 1 to %d intervals, such as %d", s.Horizon, mostHorizon, Horizon)
	}
	t, err := model.DecodeTable(c.Artefact)
	if err != nil {
		return err
	}
	at, err := planning.NewCase(Name, t, s.Settings)
	if err != nil {
		return err
	}
	sizes := make([]int, len(at.Axes))
	for i, axis := range at.Axes {
		sizes[i] = len(axis.Values)
	}
	reach := NewReach(sizes)
	p.choice = &choice{Case: at, horizon: s.Horizon, reach: reach, ahead: NewLookahead(reach), score: make([]float64, len(at.Grid))}
	return nil
}

// Decide takes the admissible action of the grid that is worth most over the horizon.
// Beyond the loads of the data it plans with the nearest load that they have, blocks no
// service less than it is blocked now, and says that its predictions are not supported.
func (p *Policy) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if p.choice == nil {
		return policy.Decision{}, errors.New("rollout: not configured; it needs a trained artefact")
	}
	if err := p.choice.Begin(o); err != nil {
		return policy.Decision{}, err
	}
	return p.choice.best(), nil
}

// choice is one decision in the making.
type choice struct {
	*planning.Case
	horizon int
	reach   *Reach
	ahead   *Lookahead
	score   []float64 // by action
}

// slack is what a prediction's distance from the bound counts, as a share of the value
// of all offered load: of actions that are worth the same the one furthest from the
// bounds is better, and the base policy moves there.
const slack = 1e-6

// rate fills score: what each action is worth in an interval, less what the objectives
// cost; -Inf where it may not be taken at the present load, from wherever.
func (c *choice) rate() {
	for i, a := range c.Grid {
		c.score[i] = math.Inf(-1)
		if !c.Allowed(a) {
			continue
		}
		if cost, excess := c.Weigh(i); !math.IsInf(cost, 1) {
			c.score[i] = c.Value(a) - cost - slack*c.All*excess
		}
	}
}

// move reports whether an axis gets from one category to another in one interval.
func (c *choice) move(axis int, from, to int32) bool {
	a := &c.Axes[axis]
	for k, v := range a.Values[to] {
		if !c.Moves(a.First+k, a.Values[from][k], v) {
			return false
		}
	}
	return true
}

func (c *choice) best() policy.Decision {
	if d, ok := c.Frozen(); ok {
		return d
	}
	c.rate()
	c.reach.Set(c.move)
	ahead := c.ahead.Values(c.score, c.horizon)
	best, most := -1, math.Inf(-1)
	myopic := -1
	for i, v := range ahead {
		a := c.Grid[i]
		if !c.Within(a) {
			continue
		}
		if myopic < 0 || c.score[i] > c.score[myopic] {
			myopic = i
		}
		if v > most && len(guard.Limit(c.O, a).Edits) == 0 {
			best, most = i, v
		}
	}
	if best < 0 {
		return c.Infeasible("no admissible action")
	}
	reason := fmt.Sprintf("worth %.4g of %.4g (value/s) %s, and %.4g in the mean of the %d intervals that begin with it",
		c.score[best], c.All, c.Met(), most, c.horizon)
	if c.Stays(most) {
		best = c.Nearest
		reason = fmt.Sprintf("the live action is as good %s: no other is worth %.4g %% more in the mean of %d intervals",
			c.Met(), 100*c.Settings.Hysteresis, c.horizon)
	}
	d := c.Decision(c.Grid[best].Clone(), best, reason)
	if c.score[myopic] > c.score[best] {
		c.Beside(&d, best, myopic, "worth the most in the next interval")
	}
	c.BesideLive(&d, best)
	return d
}
