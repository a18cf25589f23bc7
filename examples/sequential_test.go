package examples_test

import (
	"sync"
	"testing"

	"github.com/windvane/windvane/plugins/rollout"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/train"
)

// ahead is MO1 where an action is in force an interval later and a knob moves one level at
// a time, the load drawn anew every fourth interval in the mean.
type ahead struct {
	grid  *env.Grid
	loads *env.Chain
	*train.Sequential
	best float64 // what value iteration earns in an interval
}

func (a ahead) mean(p *train.Plan) float64 { return must(a.Mean(p, 0, 100, 200)) }

// planAhead is solved once for all tests.
var planAhead = sync.OnceValue(func() ahead {
	tab := table()
	a := ahead{
		grid:  must(env.NewGrid(tab, must(train.NewGoal(must(rules.Load("mo1/rules.toml")), tab.Services)))),
		loads: must(env.Uniform(env.Cross(tab.Loads), 4)),
	}
	a.Sequential = must(train.NewSequential(a.grid, a.loads, env.NewLimiter(a.grid.Space(), 1, false), 1, .95))
	a.best = a.mean(must(train.ValueIteration(a.Sequential, 1e-3)))
	return a
})

// Where one has to plan ahead, value iteration is the yardstick, and it beats who looks at the present load
// only, and who never moves. Rollout, which looks at that load only, comes near it.
func TestPlanningAheadPays(t *testing.T) {
	s := planAhead()
	best, myopic, static := s.best, s.mean(must(train.Myopic(s.Sequential))), s.mean(must(train.Hold(s.Sequential)))
	ahead := s.mean(must(train.Rollout(s.Sequential, rollout.Horizon)))
	t.Logf("value iteration %.2f; of it rollout %.3f, myopic %.3f, static %.3f", best, ahead/best, myopic/best, static/best)
	if myopic > .995*best || static > .995*best || ahead > best {
		t.Errorf("value iteration earns %v, rollout %v, the myopic plan %v, the best static setting %v", best, ahead, myopic, static)
	}
	if ahead < .97*best {
		t.Errorf("rollout earns %v, value iteration %v", ahead, best)
	}
}
