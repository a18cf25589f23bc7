package planning

import (
	"fmt"
	"math"
	"strings"

	"github.com/windvane/windvane/plugins/policy"
)

// named bounds the services that the reason of an alternative names.
const named = 3

// Alternative is an action of the grid that was considered and not chosen; what says which
// one it is. The score is its worth after the price of violations; where there is none the reason
// names the services that it is predicted to bring above their bound, under the margin.
func (c *Case) Alternative(action int, what string) policy.Alternative {
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
			text += fmt.Sprintf(" with a chance of %.2g %% to break it", 100*risk)
		}
		above = append(above, text)
	})
	reason := what + "; under the margin above the bound: " + strings.Join(above, ", ")
	if n > named {
		reason += fmt.Sprintf(" and %d more", n-named)
	}
	return policy.Alternative{Action: a.Clone(), Score: score, Reason: reason}
}
