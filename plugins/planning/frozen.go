package planning

import (
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// Frozen is the answer in a cycle in which only raising blocking is admitted; false in
// any other. It raises what is in force to the levels of the grid that are worth most, and
// nothing where that is as good; the rest stays, on the grid or off it.
func (c *Case) Frozen() (policy.Decision, bool) {
	if c.O.Limits.Frozen == "" {
		return policy.Decision{}, false
	}
	live := guard.Limit(c.O, c.O.Live).Action // bounds, floors and the cap hold all the same
	stay := c.nearest(live)
	best, score, least, staying := -1, math.Inf(-1), 0.0, math.Inf(-1)
	action := live.Clone()
	for i := range c.Grid {
		if !c.raise(action, live, i, stay) {
			continue
		}
		cost, excess := c.Weigh(i)
		v := c.Value(action) - cost
		if i == stay {
			staying = v
		}
		if v > score+Tiny || v > score-Tiny && excess < least { // not where it costs all
			if len(guard.Limit(c.O, action).Edits) == 0 {
				best, score, least = i, v, excess
			}
		}
	}
	if best < 0 {
		return c.Infeasible("nothing that may be raised"), true
	}
	if score-staying <= c.Settings.Hysteresis*c.All {
		best, score = stay, staying
	}
	c.raise(action, live, best, stay)
	return c.Decision(action, best, fmt.Sprintf("only blocking may be raised now (%s): worth %.4g of %.4g (value/s) %s",
		c.O.Limits.Frozen, score, c.All, c.Met())), true
}

// raise makes action the settings in force with their blocking raised to that of an
// action of the grid. It reports whether that is all in which this one differs from stay,
// the one nearest to them.
func (c *Case) raise(action, live policy.Action, to, stay int) bool {
	for k, at := range c.Grid[stay] {
		v := c.Grid[to][k].Value
		action[k].Value = live[k].Value
		switch {
		case v == at.Value: // what is in force is on that level, or rounded to it
		case c.O.Knobs[k].Kind != policy.Blocking || v < live[k].Value:
			return false
		default:
			action[k].Value = v
		}
	}
	return true
}
