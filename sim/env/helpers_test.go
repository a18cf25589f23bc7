package env_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/model"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// testKnobs are of every kind: blocking of a and b, replicas, weights of two and of
// three destinations. Their axes have 3, 2, 3, 4 and 10 categories.
func testKnobs() []policy.Knob {
	knobs := []policy.Knob{
		{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Service: "a", Max: 1, Levels: 3},
		{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "b"}, Service: "b", Max: .5, Levels: 2},
		{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "d/n"}, Min: 1, Max: 3, Levels: 3, Cost: .25},
	}
	for _, part := range []string{"v1", "v2"} {
		knobs = append(knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Weight, Target: "d/v/a", Part: part}, Service: "a", Max: 1, Levels: 4})
	}
	for _, part := range []string{"v1", "v2", "v3"} {
		knobs = append(knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Weight, Target: "d/v/b", Part: part}, Service: "b", Max: 1, Levels: 4})
	}
	policy.SortKnobs(knobs)
	return knobs
}

// latencies are the truth of the tests, in seconds: smooth, and different everywhere.
func latencies(out, settings, offered []float64) {
	a, b := offered[0]*(1-settings[0]), offered[1]*(1-settings[1])
	n := settings[2]
	out[0] = .01 + .002*a*settings[3]/n + .004*a*settings[4]
	out[1] = .02 + .001*b*settings[5]/n + .003*b*settings[6] + .002*b*settings[7]
}

var testLoads = [][]float64{{2, 6, 10}, {1, 5}}

func testTable() *model.Table {
	knobs := testKnobs()
	t := &model.Table{Knobs: knobs, Services: []string{"a", "b"}, Signals: []string{"latency", "latency"}, Loads: testLoads}
	grid := must(policy.Grid(knobs))
	out, settings := make([]float64, 2), make([]float64, len(knobs))
	model.EachLoad(testLoads, func(offered []float64) {
		for _, a := range grid {
			for i, s := range a {
				settings[i] = s.Value
			}
			latencies(out, settings, offered)
			t.Values = append(t.Values, float32(out[0]), float32(out[1]))
		}
	})
	return t
}

// testGoal is linear in everything, so that no mistake cancels.
type testGoal struct{}

func (testGoal) Reward(latency, offered, admitted []float64, cost float64) float64 {
	return offered[0]*admitted[0] + 2*offered[1]*admitted[1] - 10*latency[0] - 20*latency[1] - cost
}

// The bounds of testGoal's reward over testLoads.
const minReward, maxReward = -3, 20

func testSystem() *model.System {
	knobs := testKnobs()
	var ids []policy.KnobID
	for _, k := range knobs {
		ids = append(ids, k.KnobID)
	}
	d := dataset.New("m", 5, ids, []string{"a", "b"})
	rng, grid := rand.New(rand.NewPCG(1, 1)), must(policy.Grid(knobs))
	for range 600 {
		r := dataset.Row{
			Settings: make([]float64, len(knobs)), Offered: []float64{2 + 8*rng.Float64(), 1 + 4*rng.Float64()},
			Carried: []float64{1, 1}, Latency: make([]float64, 2),
		}
		for i, s := range grid[rng.IntN(len(grid))] {
			r.Settings[i] = s.Value
		}
		latencies(r.Latency, r.Settings, r.Offered)
		if err := d.Append(r); err != nil {
			panic(err)
		}
	}
	return must(model.FitMean(d, knobs, model.TreeParams{Trees: 20, Leaves: 8, Rate: .2, MinLeafRows: 10}))
}

func testSine() env.Timed {
	return env.Timed{
		Processes: []load.Process{
			must(load.NewSine(load.Sine{Mean: 6, Amplitude: 4, PeriodSeconds: 500})),
			must(load.NewSine(load.Sine{Mean: 3, Amplitude: 2, PeriodSeconds: 400})),
		},
		IntervalSeconds: 5, StartWithinSeconds: 2000,
	}
}

// sim is an environment with its buffers.
type sim struct {
	*env.Env
	t                     *testing.T
	obs, rewards          []float32
	terminated, truncated []bool
}

func start(t *testing.T, c env.Config, seed uint64) *sim {
	t.Helper()
	e, err := env.New(c)
	if err != nil {
		t.Fatal(err)
	}
	n := e.NumLanes()
	s := &sim{e, t, make([]float32, n*e.ObservationSize()), make([]float32, n), make([]bool, n), make([]bool, n)}
	if err := e.Reset(seed, s.obs); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sim) step(actions ...int32) {
	s.t.Helper()
	if err := s.Step(actions, s.obs, s.rewards, s.terminated, s.truncated); err != nil {
		s.t.Fatal(err)
	}
}

// worth is the reward of the test's mesh, by hand.
func worth(space *env.Space, choice []int32, offered []float64) float64 {
	settings, latency := make([]float64, len(space.Knobs())), make([]float64, 2)
	space.Settings(choice, settings)
	latencies(latency, settings, offered)
	return testGoal{}.Reward(latency, offered, []float64{1 - settings[0], 1 - settings[1]}, .25*settings[2])
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-4 }
