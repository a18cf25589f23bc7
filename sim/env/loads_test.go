package env_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/load"
)

func TestCrossIsEveryCombination(t *testing.T) {
	got := env.Cross([][]float64{{1, 2}, {3}, {4, 5}})
	want := [][]float64{{1, 3, 4}, {1, 3, 5}, {2, 3, 4}, {2, 3, 5}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		for s := range want[i] {
			if got[i][s] != want[i][s] {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	}
	if env.Cross([][]float64{{1}, {}}) != nil {
		t.Error("combinations with nothing")
	}
}

// What is drawn has the probabilities that the chain says, from every point.
func TestChainsDrawWhatTheySay(t *testing.T) {
	points := [][]float64{{1}, {2}, {3}}
	general := [][]env.Jump{{{0, .5}, {2, .5}}, {{0, .2}, {1, .3}, {2, .5}}, {{1, 1}, {0, 0}}}
	for name, c := range map[string]*env.Chain{
		"anew each time": must(env.Uniform(points, 1)),
		"held":           must(env.Uniform(points, 4)),
		"in a cycle":     must(env.Cycle(points)),
		"in general":     must(env.NewChain(points, general)),
	} {
		const n = 60_000
		rng, at := rand.NewPCG(1, 1), env.Lane{}
		var count [3][3]float64
		var from [3]float64
		c.Start(&at, rng)
		for range n {
			was := at.Point
			c.Next(&at, rng)
			count[was][at.Point]++
			from[was]++
		}
		for i := range points {
			want, sum := [3]float64{}, 0.
			for _, j := range c.Row(i) {
				want[j.To] += j.P
				sum += j.P
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Errorf("%s: row %d sums to %v", name, i, sum)
			}
			for to, p := range want {
				if got := count[i][to] / from[i]; math.Abs(got-p) > 5*math.Sqrt(p*(1-p)/from[i])+1e-9 {
					t.Errorf("%s: from %d to %d in %v of the cases, want %v", name, i, to, got, p)
				}
			}
		}
	}
}

func TestEpisodesStartAnywhere(t *testing.T) {
	c := must(env.Cycle([][]float64{{1}, {2}, {3}, {4}}))
	rng, at := rand.NewPCG(2, 2), env.Lane{}
	var count [4]int
	for range 4000 {
		c.Start(&at, rng)
		count[at.Point]++
	}
	for i, n := range count {
		if n < 850 || n > 1150 {
			t.Errorf("%d of 4000 start at point %d", n, i)
		}
	}
}

func TestChainsRefuse(t *testing.T) {
	one := [][]float64{{1}}
	for name, err := range map[string]error{
		"no points":     second(env.Cycle(nil)),
		"uneven":        second(env.Cycle([][]float64{{1}, {1, 2}})),
		"negative":      second(env.Uniform([][]float64{{-1}}, 1)),
		"not finite":    second(env.Uniform([][]float64{{math.NaN()}}, 1)),
		"no hold":       second(env.Uniform(one, 0)),
		"rows":          second(env.NewChain(one, nil)),
		"empty row":     second(env.NewChain(one, [][]env.Jump{{}})),
		"half":          second(env.NewChain(one, [][]env.Jump{{{0, .5}}})),
		"nowhere":       second(env.NewChain(one, [][]env.Jump{{{1, 1}}})),
		"less than 0":   second(env.NewChain([][]float64{{1}, {2}}, [][]env.Jump{{{0, 2}, {1, -1}}, {{0, 1}}})),
		"hold, no load": second(env.Uniform(nil, 2)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Loads over time are those of the processes, from a start that is drawn.
func TestTimedFollowsTheProcesses(t *testing.T) {
	replay := must(load.NewReplay(5, []float64{1, 3, 2, 5, 4}))
	steps := must(load.NewSteps([]float64{0, 10}, []float64{2, 7}))
	timed := env.Timed{Processes: []load.Process{replay, steps}, IntervalSeconds: 5}
	at, out := env.Lane{}, make([]float64, 2)
	timed.Start(&at, rand.NewPCG(1, 1))
	for i, want := range [][]float64{{1, 2}, {3, 2}, {2, 7}, {5, 7}, {4, 7}, {4, 7}} {
		if timed.Offered(&at, out); out[0] != want[0] || out[1] != want[1] {
			t.Errorf("interval %d: %v, want %v", i, out, want)
		}
		timed.Next(&at, nil)
	}
	sine, rng := testSine(), rand.NewPCG(3, 3)
	low, high := math.Inf(1), 0.
	for range 1000 {
		sine.Start(&at, rng)
		low, high = math.Min(low, at.Time), math.Max(high, at.Time)
	}
	if low < 0 || low > 20 || high < 1980 || high >= 2000 {
		t.Errorf("episodes start between %v and %v s, want 0 to 2000", low, high)
	}
}
