package tabular

import (
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/model"
)

// hysteresis keeps the live action unless the gain exceeds this share of the value of all offered load.
const hysteresis = .01

// tiny absorbs rounding where values and settings are compared.
const tiny = 1e-9

// choice is one decision in the making. Slices are by service unless they say otherwise.
type choice struct {
	policy  *Policy
	o       policy.Observation
	offered []float64
	worth   []float64 // value of all of the offered load
	live    []float64 // predicted for the live action
	latency []float64 // predicted for the action looked at last
	factor  [][]float64
	corners []model.Corner
	inside  bool // the offered load lies within the data
}

// value is the worth of the nominal carried load of an action of the grid, less the costs.
func (c *choice) value(action int) float64 {
	n, v := len(c.worth), 0.0
	for s, share := range c.policy.admitted[action*n : (action+1)*n] {
		v += c.worth[s] * share
	}
	return v - c.cost(c.policy.grid[action])
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

// valueOf is value for any action.
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

// excess is the largest ratio of a prediction under its margin to its bound; at
// most 1 means that every objective is expected to be met.
func (c *choice) excess(action int) float64 {
	c.policy.table.Predict(c.latency, c.corners, action)
	worst := 0.0
	for s, factors := range c.factor {
		for _, f := range factors {
			worst = math.Max(worst, c.latency[s]*f)
		}
	}
	return worst
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

// overCap reports whether an action refuses more than total_blocking allows. The
// guard would say the same, but at the price of its edits.
func (c *choice) overCap(action int) bool {
	n, total, blocked := len(c.offered), 0.0, 0.0
	for s, share := range c.policy.admitted[action*n : (action+1)*n] {
		if c.policy.blocking[s] >= 0 {
			total += c.offered[s]
			blocked += c.offered[s] * (1 - share)
		}
	}
	return blocked > c.o.Limits.TotalBlocking*total*(1+tiny)+tiny
}

// best looks at every action of the grid, dearest checks last: most actions are
// worth less than the best one so far.
func (c *choice) best() policy.Decision {
	best, bestValue, bestExcess := -1, math.Inf(-1), 0.0
	for i, a := range c.policy.grid {
		v := c.value(i)
		if v < bestValue-tiny || !c.within(a) || c.overCap(i) {
			continue
		}
		e := c.excess(i)
		if e > 1 || v < bestValue+tiny && e >= bestExcess || len(guard.Limit(c.o, a).Edits) > 0 {
			continue
		}
		best, bestValue, bestExcess = i, v, e
	}
	live := c.nearest(c.o.Live)
	if best < 0 {
		return c.infeasible(live)
	}
	all := 0.0
	for _, w := range c.worth {
		all += w
	}
	reason := fmt.Sprintf("carries %.4g of %.4g (value/s) with every objective met under its margin", bestValue, all)
	if c.policy.grid[live].Equal(c.o.Live, 1e-6) && c.excess(live) <= 1 && bestValue-c.valueOf(c.o.Live) <= hysteresis*all {
		best = live
		reason = fmt.Sprintf("the live action meets every objective under its margin, and no other is worth %.0f %% more", 100*hysteresis)
	}
	return c.decision(c.policy.grid[best].Clone(), best, live, reason)
}

// decision says what is expected of the chosen and of the live action, by their
// nearest actions of the grid.
func (c *choice) decision(a policy.Action, chosen, live int, reason string) policy.Decision {
	if !c.inside {
		reason = "the offered load is outside the data behind the model, so nothing is promised and no blocking is lowered; at the nearest known load: " + reason
	}
	n := len(c.offered)
	both := make([]policy.Prediction, 0, 2*n)
	both = c.predictions(c.predictions(both, chosen), live)
	return policy.Decision{Action: a, Reason: reason, Expected: both[:n:n], ExpectedLive: both[n:]}
}

func (c *choice) predictions(to []policy.Prediction, action int) []policy.Prediction {
	c.policy.table.Predict(c.latency, c.corners, action)
	for s, v := range c.latency {
		to = append(to, policy.Prediction{Service: c.policy.table.Services[s], Signal: c.policy.table.Signals[s], Value: v, Supported: c.inside})
	}
	return to
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
	c.policy.table.Predict(c.live, c.corners, live)
	for s, factors := range c.factor {
		i := c.policy.blocking[s]
		for _, f := range factors {
			if i >= 0 && c.live[s]*f > 1 {
				a[i].Value = math.Max(a[i].Value, c.o.Knobs[i].Max)
			}
		}
	}
	d := c.decision(a, c.nearest(a), live, "no admissible action meets every objective under its margin: shed the services predicted above their bound")
	d.Infeasible = true
	return d
}
