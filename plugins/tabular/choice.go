package tabular

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/planning"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// choice is one decision in the making.
type choice struct {
	*planning.Case
	classes []class
	order   []ranked // the classes, the most valuable first
}

// ranked is a class with what its actions are worth.
type ranked struct {
	class *class
	value float64 // of the nominal carried load, less the costs
}

// rank fills order.
func (c *choice) rank() {
	for i := range c.classes {
		cl := &c.classes[i]
		c.order[i] = ranked{cl, c.Value(c.Grid[cl.actions[0]])}
	}
	slices.SortStableFunc(c.order, func(a, b ranked) int { return cmp.Compare(b.value, a.value) })
}

// search returns the action with the greatest score: its value less what the
// objectives cost. What they cost is never negative, so the first class that is worth
// less than the best score ends it. Of equal scores the one with the least strain
// is taken; that is least. Nothing feasible: -1. refused is the most valuable action, of these the one
// nearest to the bounds, that the objectives alone keep from being taken; none: -1.
func (c *choice) search() (best, refused int, score, least float64) {
	c.rank()
	c.Grow()
	best, refused, score = -1, -1, math.Inf(-1)
	refusedClass, nearest := (*class)(nil), 0.0
	for _, r := range c.order {
		if r.value < score-planning.Tiny {
			break
		}
		if !c.Allowed(c.Grid[r.class.actions[0]]) {
			continue
		}
		for _, i := range r.class.actions {
			a := c.Grid[i]
			if !c.Within(a) {
				continue
			}
			cost, excess := c.Weigh(i)
			v := r.value - cost
			if math.IsInf(cost, 1) {
				if (refused < 0 || refusedClass == r.class && excess < nearest) && c.InRange(a) {
					refused, refusedClass, nearest = i, r.class, excess
				}
				continue
			}
			if v < score-planning.Tiny {
				continue
			}
			strain := c.Strain(i, excess)
			if v < score+planning.Tiny && strain >= least || len(guard.Limit(c.O, a).Edits) > 0 {
				continue
			}
			best, score, least = i, v, strain
		}
	}
	return best, refused, score, least
}

// readier is how much less strain there has to be under another action that is worth as much
// as the live one.
const readier = .05

// strained is the strain under the live action.
func (c *choice) strained() float64 {
	_, excess := c.Weigh(c.Nearest)
	return c.Strain(c.Nearest, excess)
}

func (c *choice) best() policy.Decision {
	if d, ok := c.Frozen(); ok {
		return d
	}
	best, refused, score, strain := c.search()
	if best < 0 {
		return c.Infeasible("no admissible action")
	}
	reason := fmt.Sprintf("worth %.4g of %.4g (value/s) %s", score, c.All, c.Met())
	if c.Stays(score) && c.strained() < strain+readier {
		best = c.Nearest
		reason = fmt.Sprintf("the live action is as good %s: no other is worth %.4g %% more", c.Met(), 100*c.Settings.Hysteresis)
	}
	d := c.Decision(c.Grid[best].Clone(), best, reason)
	if refused >= 0 && c.Value(c.Grid[refused]) > c.Value(c.Grid[best])+planning.Tiny {
		c.Beside(&d, best, refused, "worth the most of what the limits admit")
	}
	c.BesideLive(&d, best)
	return d
}
