package learned

import (
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/nn"
)

// hysteresis keeps the live action unless the gain exceeds this share of the value of all offered load.
const hysteresis = .01

// tiny absorbs rounding where values and settings are compared.
const tiny = 1e-9

// onGrid is how near the live settings have to be to an action of the grid for its
// prediction to be theirs: weights are applied in whole percents.
const onGrid = .011

// choice is one decision in the making. Slices are by service unless they say otherwise.
type choice struct {
	policy    *Policy
	o         policy.Observation
	offered   []float64
	worth     []float64 // value of all of the offered load
	all       float64   // their sum
	nearest   int       // the action of the grid nearest to the live one
	live      []float64 // predicted for it
	latency   []float64 // predicted for the action looked at last
	limit     []float64 // that a prediction may reach
	x         []float32
	buffers   *nn.Buffers
	proposals proposals
	corners   []model.Corner
	inside    bool // the offered load lies within the data
	judge     margin.Judge
}

// admit reports whether a category of an axis keeps to the steps that the guard allows,
// and, beyond the data, blocks no service less than it is blocked now.
func (c *choice) admit(axis, category int) bool {
	a := &c.policy.axes[axis]
	step := c.o.Limits.MaxStep + tiny
	for i, v := range a.Values[category] {
		live := c.o.Live[a.First+i].Value
		switch c.o.Knobs[a.First+i].Kind {
		case policy.Weight:
			if math.Abs(v-live) > step {
				return false
			}
		case policy.Blocking:
			if live-v > step || !c.inside && live-v > tiny {
				return false
			}
		case policy.Replicas: // any number within the range
		}
	}
	return true
}

// value is the worth of the nominal carried load of an action, less its costs.
func (c *choice) value(a policy.Action) float64 {
	v := 0.0
	for i := range c.o.Knobs {
		if cost := c.o.Knobs[i].Cost; cost != 0 {
			v -= cost * a[i].Value
		}
	}
	for s, w := range c.worth {
		if i := c.policy.blocking[s]; i >= 0 {
			w *= 1 - a[i].Value
		}
		v += w
	}
	return v
}

// weigh is what the objectives cost an action of the grid (nothing or everything), and
// its largest ratio of a prediction under its margin to its bound.
func (c *choice) weigh(action int) (cost, excess float64) {
	c.policy.artefact.Table.Predict(c.latency, c.corners, action)
	return c.judge.Weigh(c.latency, c.policy.grid[action])
}

// best asks the network, and takes the proposal that is worth most among those that
// keep every objective and that the guard would not edit. Of equal ones it takes the one
// furthest from the bounds.
func (c *choice) best() (policy.Decision, error) {
	logits := c.policy.artefact.Net.Forward(c.buffers, c.x)
	if axis := c.proposals.find(logits, c.admit); axis >= 0 {
		k := c.o.Knobs[c.policy.axes[axis].First]
		return policy.Decision{}, fmt.Errorf("learned: no level of %s is within one step of %.3g of its live value; raise max_step or its levels",
			k.KnobID, c.o.Limits.MaxStep)
	}
	best, score, least := -1, math.Inf(-1), 0.0
	for _, p := range c.proposals.best {
		best, score, least = c.better(p.action, best, score, least)
	}
	if best < 0 {
		best, score, least = c.protect()
	}
	if best < 0 {
		return c.infeasible(), nil
	}
	best, score = c.polish(best, score, least)
	reason := fmt.Sprintf("worth %.4g of %.4g (value/s) with every objective met under its margin, of %d proposals of the network",
		score, c.all, len(c.proposals.best))
	if c.policy.grid[c.nearest].Equal(c.o.Live, 1e-6) && score-c.value(c.o.Live) <= hysteresis*c.all {
		if cost, _ := c.weigh(c.nearest); !math.IsInf(cost, 1) {
			best = c.nearest
			reason = fmt.Sprintf("the live action is as good with every objective met under its margin: no proposal of the network is worth %.0f %% more", 100*hysteresis)
		}
	}
	return c.decision(c.policy.grid[best].Clone(), best, reason), nil
}

// better returns the better one of an action and the best so far.
func (c *choice) better(action, best int, score, least float64) (int, float64, float64) {
	a := c.policy.grid[action]
	v := c.value(a)
	if v < score-tiny {
		return best, score, least
	}
	cost, excess := c.weigh(action)
	if math.IsInf(cost, 1) || v < score+tiny && excess >= least || len(guard.Limit(c.o, a).Edits) > 0 {
		return best, score, least
	}
	return action, v, excess
}

// polishRounds bounds the improvements of one decision.
const polishRounds = 8

// polish changes up to two axes at a time for as long as that is worth more: a network
// is right about the region, not about the last level of each knob.
func (c *choice) polish(best int, score, least float64) (int, float64) {
	for range polishRounds {
		from := best
		for i := range c.policy.axes {
			for j := range i + 1 {
				c.each(from, i, func(one int) {
					if j == i {
						best, score, least = c.better(one, best, score, least)
						return
					}
					c.each(one, j, func(two int) { best, score, least = c.better(two, best, score, least) })
				})
			}
		}
		if best == from {
			break
		}
	}
	return best, score
}

// each calls f with every admitted change of one axis.
func (c *choice) each(action, axis int, f func(action int)) {
	stride, n := c.proposals.stride[axis], c.proposals.sizes[axis]
	base := action - action/stride%n*stride
	for category := range n {
		if at := base + category*stride; at != action && c.admit(axis, category) {
			f(at)
		}
	}
}

// protect is for where no proposal keeps the objectives: from the most probable one it
// raises the blocking of whichever service is above its bound, level by level.
func (c *choice) protect() (best int, score, least float64) {
	at := c.proposals.best[0].action
	for {
		if best, score, least = c.better(at, -1, math.Inf(-1), 0); best >= 0 {
			return best, score, least
		}
		c.policy.artefact.Table.Predict(c.latency, c.corners, at)
		raised := at
		c.judge.Above(c.latency, c.policy.grid[at], func(service int) {
			if raised == at {
				raised = c.raise(at, service)
			}
		})
		if raised == at {
			return -1, 0, 0
		}
		at = raised
	}
}

// raise blocks one more level of a service; the action itself where there is none.
func (c *choice) raise(action, service int) int {
	knob := c.policy.blocking[service]
	for i, axis := range c.policy.axes {
		if axis.First == knob && c.policy.grid[action][knob].Value < axis.Values[len(axis.Values)-1][0]-tiny {
			return action + c.proposals.stride[i]
		}
	}
	return action
}

// decision says what is expected of the chosen and of the live action, by their
// nearest actions of the grid.
func (c *choice) decision(a policy.Action, chosen int, reason string) policy.Decision {
	if !c.inside {
		reason = "the offered load is outside the data behind the model, so nothing is promised and no blocking is lowered; at the nearest known load: " + reason
	}
	n := len(c.offered)
	both := make([]policy.Prediction, 0, 2*n)
	c.policy.artefact.Table.Predict(c.latency, c.corners, chosen)
	both = c.predictions(c.predictions(both, c.latency), c.live)
	return policy.Decision{Action: a, Reason: reason, Expected: both[:n:n], ExpectedLive: both[n:]}
}

func (c *choice) predictions(to []policy.Prediction, latency []float64) []policy.Prediction {
	t := c.policy.artefact.Table
	for s, v := range latency {
		to = append(to, policy.Prediction{Service: t.Services[s], Signal: t.Signals[s], Value: v, Supported: c.inside})
	}
	return to
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
	d := c.decision(a, c.policy.nearest(a), "no admissible proposal meets every objective under its margin: shed the services predicted above their bound")
	d.Infeasible = true
	return d
}
