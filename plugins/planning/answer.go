package planning

import (
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// Met says how the objectives were met, for a reason.
func (c *Case) Met() string {
	if c.Judge.Prices() {
		return "after the price of violations"
	}
	return "with every objective met under its margin"
}

// Stays reports whether the live action is on the grid and admissible, and no less than
// score but for the hysteresis.
func (c *Case) Stays(score float64) bool {
	if a := c.Grid[c.Nearest]; !a.Equal(c.O.Live, 1e-6) || len(guard.Limit(c.O, a).Edits) > 0 {
		return false
	}
	cost, _ := c.Weigh(c.Nearest)
	return score-(c.Value(c.O.Live)-cost) <= c.Settings.Hysteresis*c.All
}

// Decision is the answer to take an action, which is expected to do what the given
// action of the grid does.
func (c *Case) Decision(a policy.Action, chosen int, reason string) policy.Decision {
	if !c.Inside {
		reason = "the offered load is outside the data behind the model, so nothing is promised and no blocking is lowered; at the nearest known load: " + reason
	}
	n := len(c.Offered)
	both := make([]policy.Prediction, 0, 2*n)
	both = c.predictions(both, c.Predict(chosen), chosen, c.speaks(chosen, a))
	n = len(both)
	both = c.predictions(both, c.Live, c.Nearest, c.knowsLive)
	return policy.Decision{Action: a, Reason: reason, Expected: both[:n:n], ExpectedLive: both[n:]}
}

// predictions appends those for an action of the grid, or near it. A service that has lost its
// objective since the table was made gets none.
func (c *Case) predictions(to []policy.Prediction, latency []float64, chosen int, supported bool) []policy.Prediction {
	for s, v := range latency {
		promised := func(o policy.Objective) bool { return o.Signal == c.Table.Signals[s] }
		if !slices.ContainsFunc(c.O.Services[s].Objectives, promised) {
			continue
		}
		to = append(to, policy.Prediction{
			Service: c.Table.Services[s], Signal: c.Table.Signals[s], Value: v, Supported: supported,
			Risk: c.Judge.Risk(s, v, c.Grid[chosen]), Scale: c.Judge.Scale(s, v, c.Grid[chosen]),
		})
	}
	return to
}

// Infeasible is the answer where no action will do. It does not trust the model: it
// sheds the services that are predicted above their bound to their maximum, as far as the
// guard lets it, and leaves the rest as it is. What names the actions that were looked at.
func (c *Case) Infeasible(what string) policy.Decision {
	var above []int
	c.Judge.Above(c.Live, c.O.Live, func(service int) { above = append(above, service) })
	a := guard.Shed(c.O, above)
	d := c.Decision(a, c.nearest(a), what+" meets every objective under its margin: shed the services predicted above their bound")
	d.Infeasible = true
	return d
}
