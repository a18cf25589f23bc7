package eval

import (
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// A run keeps to a cooldown that the rules give, and has none of its own; raising blocking
// does not wait.
func TestLoopKeepsToTheCooldownThatIsGiven(t *testing.T) {
	for more, apart := range map[string]int{"": 1, "cooldown = '5s'\n": 1, "cooldown = '15s'\n": 3} {
		m, err := rules.Parse("shop.toml", []byte(loopRules+more))
		if err != nil {
			t.Fatal(err)
		}
		// Lowered wherever it can be, and raised in between.
		l := newLoop(t, func(o policy.Observation) (policy.Decision, error) {
			a := o.Live.Clone()
			b, _ := a.Get(busyBlocking)
			if a.Set(busyBlocking, b-.1); b < .15 || o.Limits.Frozen != "" {
				a.Set(busyBlocking, min(.8, b+.3))
			}
			return policy.Decision{Action: a}, nil
		}, 60)
		l.Mesh = m
		l.Mesh.Services = l.Mesh.Services[:1] // the guard holds where a service is not measured
		last, lowered, raised := -100, 0, 0
		for i, in := range run(t, l).Intervals {
			for _, c := range in.Changes {
				if c.To > c.From {
					raised++
					continue
				}
				lowered++
				if i-last < apart {
					t.Errorf("%q: lowered in interval %d, and in %d before", more, i, last)
				}
				last = i
			}
		}
		if lowered < 60/(2*apart)-1 || raised < 5 {
			t.Errorf("%q: lowered %d times, raised %d times", more, lowered, raised)
		}
	}
}
