package env_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/model"
)

// Categories, the flat index, settings and actions are the same thing.
func TestSpaceAgreesWithTheGrid(t *testing.T) {
	knobs := testKnobs()
	s, grid := must(env.NewSpace(knobs)), must(policy.Grid(knobs))
	if got, want := s.Axes(), []int{3, 2, 3, 4, 10}; !slices.Equal(got, want) || s.Len() != len(grid) {
		t.Fatalf("axes %v, want %v; %d actions, want %d", got, want, s.Len(), len(grid))
	}
	choice, back := make([]int32, 5), make([]int32, 5)
	for flat, want := range grid {
		s.Choice(flat, choice)
		if err := s.Check(choice); err != nil {
			t.Fatal(err)
		}
		if s.Flat(choice) != flat {
			t.Fatalf("action %d has the categories %v, which are action %d", flat, choice, s.Flat(choice))
		}
		got := s.Action(choice)
		if !got.Equal(want, 0) {
			t.Fatalf("action %d is %v, want %v", flat, got, want)
		}
		for i := range got {
			got[i].Value += .04 // nearer to it than to any other
		}
		if s.Nearest(got, back); !slices.Equal(back, choice) {
			t.Fatalf("nearest to action %v: %v", choice, back)
		}
	}
	if err := s.Check([]int32{0, 0, 3, 0, 0}); err == nil || !strings.Contains(err.Error(), "category 3 of axis 2 is outside [0, 3)") {
		t.Errorf("error %v", err)
	}
}

// Fifty services have no flat index, and need none.
func TestManyServicesNeedNoFlatIndex(t *testing.T) {
	var knobs []policy.Knob
	for i := range 50 {
		name := fmt.Sprintf("s%02d", i)
		knobs = append(knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}, Service: name, Max: 1, Levels: 6})
	}
	s := must(env.NewSpace(knobs))
	if s.Len() != 0 || len(s.Axes()) != 50 {
		t.Errorf("%d actions over %d axes", s.Len(), len(s.Axes()))
	}
	m := &model.System{Knobs: knobs}
	for i := range 50 {
		m.Services = append(m.Services, fmt.Sprintf("s%02d", i))
	}
	if _, err := env.NewSystem(m, testGoal{}); err != nil {
		t.Errorf("the model's back end: %v", err)
	}
}

// Whatever it starts from, an axis gets where it should, by the least number of steps.
func TestLimiterArrives(t *testing.T) {
	s := must(env.NewSpace(testKnobs()))
	for levels := 1; levels <= 3; levels++ {
		l := env.NewLimiter(s, levels, false)
		for axis, n := range s.Axes() {
			for from := range int32(n) {
				for to := range int32(n) {
					steps := 0
					for at := from; at != to; steps++ {
						if at = l.Move(axis, at, to); steps > 3 {
							t.Fatalf("axis %d does not get from %d to %d", axis, from, to)
						}
					}
					if want := (distance(s, axis, from, to) + levels - 1) / levels; steps != want {
						t.Errorf("%d levels: axis %d took %d steps from %d to %d, want %d", levels, axis, steps, from, to, want)
					}
				}
			}
		}
	}
	if got := env.NewLimiter(s, 0, false).Move(4, 0, 9); got != 9 {
		t.Errorf("without a limit it gets to %d", got)
	}
}

// distance is the number of levels between two categories.
func distance(s *env.Space, axis int, from, to int32) int {
	a, b := make([]int32, 5), make([]int32, 5)
	a[axis], b[axis] = from, to
	x, y := s.Action(a), s.Action(b)
	up := 0.
	for i, k := range s.Knobs() {
		if d := y[i].Value - x[i].Value; d > 0 || k.Kind != policy.Weight && d < 0 {
			up += max(d, -d) * float64(k.Levels-1) / (k.Max - k.Min)
		}
	}
	return int(up + .5)
}

// The table of rewards is in the order of the grid.
func TestRewardsAreByPointAndAction(t *testing.T) {
	g := must(env.NewGrid(testTable(), testGoal{}))
	points := [][]float64{{2, 1}, {7, 3.3}}
	rewards := must(g.Rewards(points))
	rng, choice := rand.New(rand.NewPCG(1, 1)), make([]int32, 5)
	for range 200 {
		p, flat := rng.IntN(2), rng.IntN(g.Space().Len())
		g.Space().Choice(flat, choice)
		if got, want := float64(rewards[p*g.Space().Len()+flat]), worth(g.Space(), choice, points[p]); !near(got, want) {
			t.Fatalf("reward of %v at %v is %v, want %v", choice, points[p], got, want)
		}
	}
	if _, err := g.Rewards([][]float64{{1}}); err == nil {
		t.Error("a point of another number of services is no error")
	}
}

// The model's back end is its predictor under the goal.
func TestSystemIsThePredictor(t *testing.T) {
	m := testSystem()
	s := start(t, env.Config{Backend: must(env.NewSystem(m, testGoal{})), Loads: still(), Lanes: 2}, 1)
	s.step(1, 0, 2, 3, 4, 0, 1, 0, 0, 9)
	latency, settings := make([]float64, 2), make([]float64, 8)
	for lane, choice := range [][]int32{{1, 0, 2, 3, 4}, {0, 1, 0, 0, 9}} {
		s.Space().Settings(choice, settings)
		offered := []float64{6, 5}
		m.Predictor().Latency(latency, settings, offered)
		want := testGoal{}.Reward(latency, offered, []float64{1 - settings[0], 1 - settings[1]}, .25*settings[2])
		if got := float64(s.rewards[lane]); !near(got, want) {
			t.Errorf("reward of %v is %v, want %v", choice, got, want)
		}
	}
}

func TestBackendsRefuse(t *testing.T) {
	damaged := testTable()
	damaged.Values = damaged.Values[1:]
	if _, err := env.NewGrid(damaged, testGoal{}); err == nil {
		t.Error("a damaged table is no error")
	}
	if _, err := env.NewGrid(testTable(), nil); err == nil {
		t.Error("a table without a goal is no error")
	}
	if _, err := env.NewSystem(testSystem(), nil); err == nil {
		t.Error("a model without a goal is no error")
	}
}
