package planning

import (
	"fmt"
	"math"
	"strings"

	"github.com/windvane/windvane/plugins/policy"
)

// named bounds the services that the reason of an alternative names.
const named = 3

// InRange reports whether an action is one that the rules have a place for: they may have
// narrowed since the table was made, and a host refuses an answer that names another.
func (c *Case) InRange(a policy.Action) bool {
	for i := range a {
		if k := &c.O.Knobs[i]; a[i].Value < k.Min-Tiny || a[i].Value > k.Max+Tiny {
			return false
		}
	}
	return true
}

// Beside adds an action of the grid to the alternatives of a decision for another one, if
// the rules have a place for it; what says which one it is.
func (c *Case) Beside(d *policy.Decision, chosen, action int, what string) {
	if action != chosen && c.InRange(c.Grid[action]) {
		d.Alternatives = append(d.Alternatives, c.alternative(action, what))
	}
}

// BesideLive adds the live action, if it is on the grid.
func (c *Case) BesideLive(d *policy.Decision, chosen int) {
	if c.Grid[c.Nearest].Equal(c.O.Live, policy.Rounding) {
		c.Beside(d, chosen, c.Nearest, "the live action")
	}
}

// alternative is an action of the grid that was considered and not chosen. The score is its worth after the price of violations; where there is none the reason
// names the services that it is predicted to bring above their bound, under the margin.
func (c *Case) alternative(action int, what string) policy.Alternative {
	a := c.Grid[action]
	score := c.Value(a)
	latency := c.Predict(action)
	if cost, _ := c.Judge.Weigh(latency, a); !math.IsInf(cost, 1) {
		score -= cost
		return policy.Alternative{Action: a.Clone(), Score: score, Reason: what + ", " + c.Met()}
	}
	var above []string
	n := 0
	c.Judge.Above(latency, a, func(s int) {
		if n++; n > named {
			return
		}
		text := fmt.Sprintf("%s at %.4g ms", c.Table.Services[s], 1000*latency[s])
		if risk := c.Judge.Risk(s, latency[s], a); risk > 0 {
			text += fmt.Sprintf(" with a chance of %.3g %% to break it", 100*risk)
		}
		above = append(above, text)
	})
	reason := what + "; under the margin above the bound: " + strings.Join(above, ", ")
	if n > named {
		reason += fmt.Sprintf(" and %d more", n-named)
	}
	return policy.Alternative{Action: a.Clone(), Score: score, Reason: reason}
}
