package examples_test

import (
	"testing"

	"github.com/windvane/windvane/plugins/rollout"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/train"
)

// MO1 where an action is in force an interval later and a knob moves one level at a
// time: value iteration is the yardstick, and it beats who looks at the present load
// only, and who never moves. Rollout, which looks at that load only, comes near it.
func TestPlanningAheadPays(t *testing.T) {
	m, tab := must(rules.Load("mo1/rules.toml")), table()
	grid := must(env.NewGrid(tab, must(train.NewGoal(m, tab.Services))))
	loads := must(env.Uniform(env.Cross(tab.Loads), 4)) // drawn anew every fourth interval, in the mean
	s := must(train.NewSequential(grid, loads, env.NewLimiter(grid.Space(), 1, false), 1, .95))
	mean := func(p *train.Plan) float64 { return must(s.Mean(p, 0, 100, 200)) }
	best, myopic, static := mean(must(train.ValueIteration(s, 1e-3))), mean(must(train.Myopic(s))), mean(must(train.Hold(s)))
	ahead := mean(must(train.Rollout(s, rollout.Horizon)))
	t.Logf("value iteration %.2f; of it rollout %.3f, myopic %.3f, static %.3f", best, ahead/best, myopic/best, static/best)
	if myopic > .995*best || static > .995*best || ahead > best {
		t.Errorf("value iteration earns %v, rollout %v, the myopic plan %v, the best static setting %v", best, ahead, myopic, static)
	}
	if ahead < .97*best {
		t.Errorf("rollout earns %v, value iteration %v", ahead, best)
	}
}
