package learned

import (
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/planning"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/nn"
)

// choice is one decision in the making.
type choice struct {
	*planning.Case
	artefact  *Artefact
	limit     []float64 // by service: that a prediction may reach, seconds
	x         []float32
	buffers   *nn.Buffers
	proposals proposals
}

// admit reports whether a category of an axis is one cycle away from the live settings.
func (c *choice) admit(axis, category int) bool {
	a := &c.Axes[axis]
	for i, v := range a.Values[category] {
		if !c.Moves(a.First+i, c.O.Live[a.First+i].Value, v) {
			return false
		}
	}
	return true
}

// best asks the network, and takes the proposal that is worth most among those that
// keep every objective and that the guard would not edit. Of equal ones it takes the one
// furthest from the bounds.
func (c *choice) best() (policy.Decision, error) {
	if d, ok := c.Frozen(); ok {
		return d, nil
	}
	logits := c.artefact.Net.Forward(c.buffers, c.x)
	if axis := c.proposals.find(logits, c.admit); axis >= 0 {
		k := c.O.Knobs[c.Axes[axis].First]
		return policy.Decision{}, fmt.Errorf("learned: no level of %s is within one step of %.3g of its live value; raise max_step or its levels",
			k.KnobID, c.O.Limits.MaxStep)
	}
	best, score, least := -1, math.Inf(-1), 0.0
	for _, p := range c.proposals.best {
		best, score, least = c.better(p.action, best, score, least)
	}
	if best < 0 {
		best, score, least = c.protect()
	}
	if best < 0 {
		return c.Infeasible("no admissible proposal"), nil
	}
	best, score = c.polish(best, score, least)
	reason := fmt.Sprintf("worth %.4g of %.4g (value/s) %s, of %d proposals of the network", score, c.All, c.Met(), len(c.proposals.best))
	if c.Stays(score) {
		best = c.Nearest
		reason = fmt.Sprintf("the live action is as good %s: no proposal of the network is worth %.4g %% more", c.Met(), 100*c.Settings.Hysteresis)
	}
	d := c.Decision(c.Grid[best].Clone(), best, reason)
	if first := c.proposals.best[0].action; first != c.Nearest {
		c.Beside(&d, best, first, "what the network proposes first")
	}
	c.BesideLive(&d, best)
	return d, nil
}

// better returns the better one of an action and the best so far.
func (c *choice) better(action, best int, score, least float64) (int, float64, float64) {
	a := c.Grid[action]
	v := c.Value(a)
	if v < score-planning.Tiny {
		return best, score, least
	}
	cost, excess := c.Weigh(action)
	if math.IsInf(cost, 1) || v < score+planning.Tiny && excess >= least || len(guard.Limit(c.O, a).Edits) > 0 {
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
		for i := range c.Axes {
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
	stride, n := c.Stride[axis], c.proposals.sizes[axis]
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
		raised := at
		c.Judge.Above(c.Predict(at), c.Grid[at], func(service int) {
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
	knob := c.Blocking[service]
	for i, axis := range c.Axes {
		if axis.First == knob && c.Grid[action][knob].Value < axis.Values[len(axis.Values)-1][0]-planning.Tiny {
			return action + c.Stride[i]
		}
	}
	return action
}
