// Package examples_test holds the examples to what their pages say.
package examples_test

import (
	"bytes"
	"math"
	"os"
	"sync"
	"testing"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// trees are fewer and coarser than training takes, which is enough for what is tested.
var trees = model.TreeParams{Trees: 50, Leaves: 31, Rate: .25, MinLeafRows: 20}

// table is the model of the shipped sample, which the three scenarios on it share.
var table = sync.OnceValue(func() *model.Table {
	mapping := must(dataset.ReadMapping("mapping.toml", must(os.ReadFile("mo1/mapping.toml"))))
	d, _, err := mapping.Import("trace", bytes.NewReader(must(os.ReadFile("mo1/trace-sample.csv"))))
	if err != nil {
		panic(err)
	}
	system := must(model.FitMean(d, must(rules.Load("mo1/rules.toml")).Knobs(), trees))
	return must(system.Tabulate(train.LoadGrid(d), []string{"latency", "latency"}))
})

// The services' positions.
const compute, information = 0, 1

// optimum is the best action of one scenario at one load.
type optimum struct {
	offered  []float64
	admitted []float64
	latency  []float64
	reward   float64
}

func (o optimum) blocked() float64 {
	return o.offered[compute]*(1-o.admitted[compute]) + o.offered[information]*(1-o.admitted[information])
}

// optima enumerates a scenario at each load of the table.
func optima(t *testing.T, scenario string) (*train.Goal, []optimum) {
	t.Helper()
	m, tab := must(rules.Load(scenario+"/rules.toml")), table()
	goal, choices := must(train.NewGoal(m, tab.Services)), must(train.NewChoices(tab))
	var out []optimum
	var corners []model.Corner
	for _, offered := range env.Cross(tab.Loads) {
		corners, _ = tab.Corners(corners, offered, len(choices.Grid))
		action, reward := choices.Best(corners, func(a int, latency []float64) float64 {
			return goal.Reward(latency, offered, choices.Admitted[a], choices.Cost[a])
		})
		o := optimum{offered: offered, admitted: choices.Admitted[action], latency: make([]float64, 2), reward: reward}
		tab.Predict(o.latency, corners, action)
		out = append(out, o)
	}
	return goal, out
}

// credit is what MO1 gives for one service.
func credit(o optimum, service int) float64 {
	bound, theta := []float64{.110, .035}[service], []float64{.113, .050}[service]
	r := o.offered[service] * o.admitted[service]
	if o.latency[service] > bound {
		r /= 1 + math.Exp(200*(o.latency[service]-theta))
	}
	return r
}

// Each reward is what its page says, at its own optimum.
func TestRewardsAreAsDocumented(t *testing.T) {
	for scenario, want := range map[string]func(o optimum) float64{
		"mo1": func(o optimum) float64 { return credit(o, compute) + credit(o, information) },
		"mo2": func(o optimum) float64 { return 5*credit(o, compute) + credit(o, information) },
		"mo3": func(o optimum) float64 { return 5*credit(o, compute) + credit(o, information) - .5*o.blocked() },
	} {
		_, all := optima(t, scenario)
		for _, o := range all {
			if w := want(o); math.Abs(o.reward-w) > 1e-9 {
				t.Errorf("%s at %v: reward %v, want %v", scenario, o.offered, o.reward, w)
			}
		}
	}
}

// Differentiation: compute, which MO1 gives up where the mesh is full, never has less
// under MO2, has more in all, and information pays for it.
func TestMO2ProtectsCompute(t *testing.T) {
	_, plain := optima(t, "mo1")
	_, protected := optima(t, "mo2")
	var before, after [2]float64
	for i, o := range protected {
		if was, is := credit(plain[i], compute), credit(o, compute); is < was-1e-6 {
			t.Errorf("load %v: compute is credited %v, without differentiation %v", o.offered, is, was)
		}
		for s := range before {
			before[s] += credit(plain[i], s)
			after[s] += credit(o, s)
		}
	}
	if after[compute] < 1.02*before[compute] || after[information] > before[information] {
		t.Errorf("credits of compute %v, %v before; of information %v, %v before",
			after[compute], before[compute], after[information], before[information])
	}
}

// A cost of blocking never makes more of it, and somewhere less.
func TestMO3BlocksLess(t *testing.T) {
	_, free := optima(t, "mo2")
	_, dear := optima(t, "mo3")
	less := 0
	for i, o := range dear {
		switch was, is := free[i].blocked(), o.blocked(); {
		case is > was+1e-9:
			t.Errorf("load %v: %v requests/s are blocked, without a cost %v", o.offered, is, was)
		case is < was-1e-9:
			less++
		}
	}
	if less == 0 {
		t.Error("nowhere is less blocked")
	}
}

// The simulator pays what enumeration promises: a policy that plays the optimum of each
// load earns the optimum.
func TestTheOptimumIsPaidInTheSimulator(t *testing.T) {
	for _, scenario := range []string{"mo1", "mo2", "mo3"} {
		goal, all := optima(t, scenario)
		grid := must(env.NewGrid(table(), goal))
		points := env.Cross(table().Loads)
		rewards := must(grid.Rewards(points))
		e := must(env.New(env.Config{Backend: grid, Loads: must(env.Uniform(points, 1)), Lanes: 4}))
		obs, paid := make([]float32, 4*e.ObservationSize()), make([]float32, 4)
		actions := make([]int32, 4*len(e.Axes()))
		terminated, truncated := make([]bool, 4), make([]bool, 4)
		if err := e.Reset(1, obs); err != nil {
			t.Fatal(err)
		}
		n := grid.Space().Len()
		for range 50 {
			want := make([]float64, 4)
			for lane := range 4 {
				point := int(e.Point(lane))
				best := 0
				for a, r := range rewards[point*n : (point+1)*n] {
					if r > rewards[point*n+best] {
						best = a
					}
				}
				want[lane] = all[point].reward
				grid.Space().Choice(best, actions[lane*len(e.Axes()):][:len(e.Axes())])
			}
			if err := e.Step(actions, obs, paid, terminated, truncated); err != nil {
				t.Fatal(err)
			}
			for lane, w := range want {
				if math.Abs(float64(paid[lane])-w) > 1e-4 {
					t.Fatalf("%s: paid %v, the optimum is %v", scenario, paid[lane], w)
				}
			}
		}
	}
}
