package tabular

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/model"
)

// hysteresis keeps the live action unless the gain exceeds this share of the value of
// all offered load, where the settings do not say another.
const hysteresis = .01

// tiny absorbs rounding where values and settings are compared.
const tiny = 1e-9

// onGrid is how near the live settings have to be to an action of the grid for its
// prediction to be theirs: weights are applied in whole percents.
const onGrid = .011

// choice is one decision in the making. Slices are by service unless they say otherwise.
type choice struct {
	policy  *Policy
	o       policy.Observation
	offered []float64
	worth   []float64 // value of all of the offered load
	all     float64   // their sum
	nearest int       // the action of the grid nearest to the live one
	live    []float64 // predicted for it
	latency []float64 // predicted for the action looked at last
	order   []ranked  // the classes, the most valuable first
	corners []model.Corner
	inside  bool // the offered load lies within the data
	judge   margin.Judge

	hysteresis float64
}

// ranked is a class with what its actions are worth.
type ranked struct {
	class *class
	value float64 // of the nominal carried load, less the costs
}

// rank fills order.
func (c *choice) rank() {
	for i := range c.policy.classes {
		cl := &c.policy.classes[i]
		v := -c.cost(c.policy.grid[cl.actions[0]])
		for s, share := range cl.admitted {
			v += c.worth[s] * share
		}
		c.order[i] = ranked{cl, v}
	}
	slices.SortStableFunc(c.order, func(a, b ranked) int { return cmp.Compare(b.value, a.value) })
}

func (c *choice) cost(a policy.Action) float64 {
	v := 0.0
	for i := range c.o.Knobs {
		if cost := c.o.Knobs[i].Cost; cost != 0 {
			v += cost * a[i].Value
		}
	}
	return v
}

// valueOf is the value of any action.
func (c *choice) valueOf(a policy.Action) float64 {
	v := -c.cost(a)
	for s, w := range c.worth {
		if i := c.policy.blocking[s]; i >= 0 {
			w *= 1 - a[i].Value
		}
		v += w
	}
	return v
}

// weigh is what the objectives cost an action of the grid, and its largest ratio of a
// prediction under its margin to its bound.
func (c *choice) weigh(action int) (cost, excess float64) {
	c.policy.table.Predict(c.latency, c.corners, action)
	return c.judge.Weigh(c.latency, c.policy.grid[action])
}

// within reports whether an action keeps to the steps that the guard allows, and,
// beyond the data, blocks no service less than it is blocked now.
func (c *choice) within(a policy.Action) bool {
	step := c.o.Limits.MaxStep + tiny
	down := step
	if !c.inside {
		down = tiny
	}
	for i := range a {
		v, live := a[i].Value, c.o.Live[i].Value
		switch c.o.Knobs[i].Kind {
		case policy.Weight:
			if math.Abs(v-live) > step {
				return false
			}
		case policy.Blocking:
			if live-v > down {
				return false
			}
		case policy.Replicas: // any number within the range
		}
	}
	return true
}

// overCap reports whether a class refuses more than total_blocking allows. The guard
// would say the same, but at the price of its edits.
func (c *choice) overCap(cl *class) bool {
	total, blocked := 0.0, 0.0
	for s, share := range cl.admitted {
		if c.policy.blocking[s] >= 0 {
			total += c.offered[s]
			blocked += c.offered[s] * (1 - share)
		}
	}
	return blocked > c.o.Limits.TotalBlocking*total*(1+tiny)+tiny
}

// search returns the action with the greatest score: its value less what the
// objectives cost. What they cost is never negative, so the first class that is worth
// less than the best score ends it. Of equal scores the one furthest from the bounds
// is taken. Nothing feasible: -1.
func (c *choice) search() (best int, score float64) {
	c.rank()
	best, score = -1, math.Inf(-1)
	least := 0.0
	for _, r := range c.order {
		if r.value < score-tiny {
			break
		}
		if c.overCap(r.class) {
			continue
		}
		for _, i := range r.class.actions {
			a := c.policy.grid[i]
			if !c.within(a) {
				continue
			}
			cost, excess := c.weigh(i)
			v := r.value - cost
			if math.IsInf(cost, 1) || v < score-tiny || v < score+tiny && excess >= least || len(guard.Limit(c.o, a).Edits) > 0 {
				continue
			}
			best, score, least = i, v, excess
		}
	}
	return best, score
}

func (c *choice) best() policy.Decision {
	best, score := c.search()
	if best < 0 {
		return c.infeasible()
	}
	met := "with every objective met under its margin"
	if c.judge.Price {
		met = "after the price of violations"
	}
	reason := fmt.Sprintf("worth %.4g of %.4g (value/s) %s", score, c.all, met)
	if live := c.o.Live; c.policy.grid[c.nearest].Equal(live, 1e-6) {
		if cost, _ := c.weigh(c.nearest); score-(c.valueOf(live)-cost) <= c.hysteresis*c.all {
			best = c.nearest
			reason = fmt.Sprintf("the live action is as good %s: no other is worth %.4g %% more", met, 100*c.hysteresis)
		}
	}
	return c.decision(c.policy.grid[best].Clone(), best, reason)
}

// decision says what is expected of the chosen and of the live action, by their
// nearest actions of the grid.
func (c *choice) decision(a policy.Action, chosen int, reason string) policy.Decision {
	if !c.inside {
		reason = "the offered load is outside the data behind the model, so nothing is promised and no blocking is lowered; at the nearest known load: " + reason
	}
	n := len(c.offered)
	both := make([]policy.Prediction, 0, 2*n)
	c.policy.table.Predict(c.latency, c.corners, chosen)
	both = c.predictions(c.predictions(both, c.latency), c.live)
	return policy.Decision{Action: a, Reason: reason, Expected: both[:n:n], ExpectedLive: both[n:]}
}

func (c *choice) predictions(to []policy.Prediction, latency []float64) []policy.Prediction {
	for s, v := range latency {
		to = append(to, policy.Prediction{Service: c.policy.table.Services[s], Signal: c.policy.table.Signals[s], Value: v, Supported: c.inside})
	}
	return to
}

// nearest is the action of the grid closest to the given one.
func (p *Policy) nearest(to policy.Action) int {
	best, least := 0, math.Inf(1)
	for i, a := range p.grid {
		d := 0.0
		for k := range a {
			if d += (a[k].Value - to[k].Value) * (a[k].Value - to[k].Value); d >= least {
				break
			}
		}
		if d < least {
			best, least = i, d
		}
	}
	return best
}

// infeasible does not trust the model: it sheds the services that are predicted
// above their bound to their maximum, and leaves the rest as it is.
func (c *choice) infeasible() policy.Decision {
	a := c.o.Live.Clone()
	c.judge.Above(c.live, c.o.Live, func(service int) {
		if i := c.policy.blocking[service]; i >= 0 {
			a[i].Value = math.Max(a[i].Value, c.o.Knobs[i].Max)
		}
	})
	d := c.decision(a, c.policy.nearest(a), "no admissible action meets every objective under its margin: shed the services predicted above their bound")
	d.Infeasible = true
	return d
}
