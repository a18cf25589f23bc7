package emulator_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
)

// never is a timeout that no request of these tests reaches.
const never = 1e7

// single is one service on one node.
func single(concurrency int, rate float64, work emulator.Dist) emulator.Graph {
	return emulator.Graph{
		Nodes: []emulator.Node{{Name: "n", Concurrency: concurrency, Replicas: 1, Work: work}},
		Services: []emulator.Service{{
			Name: "s", Load: load.Constant(rate), TimeoutSeconds: never,
			Destinations: []emulator.Destination{{Name: "v1", Path: []emulator.Visit{{Node: "n", Work: 1}}}},
		}},
	}
}

func exponential(mean float64) emulator.Dist {
	return emulator.Dist{Shape: emulator.Exponential, MeanSeconds: mean}
}

func start(t testing.TB, o emulator.Options) *emulator.Emulator {
	t.Helper()
	e, err := emulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func apply(t testing.TB, e *emulator.Emulator, s emulator.Settings) {
	t.Helper()
	if err := e.Apply(e.Now(), s); err != nil {
		t.Fatal(err)
	}
}

// latency runs n batches after a warm-up of one and returns the mean latency
// with its standard error, from the means of the batches.
func latency(e *emulator.Emulator, n int, seconds float64) (mean, standardError float64) {
	e.Advance(e.Now() + seconds)
	e.Take()
	sum, squares := 0.0, 0.0
	for range n {
		e.Advance(e.Now() + seconds)
		t := e.Take()[0]
		x := t.LatencySeconds / float64(t.Answered)
		sum += x
		squares += x * x
	}
	mean = sum / float64(n)
	return mean, math.Sqrt((squares/float64(n) - mean*mean) / float64(n-1))
}

// near fails unless got is within 4 standard errors of want, and the standard
// error within share of want, so that a noisy run cannot pass for a correct one.
func near(t *testing.T, what string, got, want, standardError, share float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 4*standardError) {
		t.Errorf("%s: %.5g, want %.5g within 4 x %.2g", what, got, want, standardError)
	}
	if !(standardError <= share*math.Abs(want)) {
		t.Errorf("%s: standard error %.2g is above %v of %.5g: the run is too short to say anything", what, standardError, share, want)
	}
}

// shop is two services over three nodes, the third of them shared.
func shop() emulator.Graph {
	path := func(front string) []emulator.Visit {
		return []emulator.Visit{{Node: front, Work: 1}, {Node: "store", Work: .5}}
	}
	service := func(name string, rate float64) emulator.Service {
		return emulator.Service{
			Name: name, Load: load.Sine{Mean: rate, Amplitude: rate / 2, PeriodSeconds: 120}, TimeoutSeconds: 1, BoundSeconds: .2,
			Destinations: []emulator.Destination{{Name: "v1", Path: path("front-1")}, {Name: "v2", Path: path("front-2")}},
		}
	}
	node := func(name string, servers int) emulator.Node {
		return emulator.Node{Name: name, Concurrency: servers, Replicas: 1, Work: exponential(.05)}
	}
	return emulator.Graph{
		Nodes:    []emulator.Node{node("front-1", 4), node("front-2", 4), node("store", 8)},
		Services: []emulator.Service{service("information", 40), service("checkout", 40)},
		Faults:   []emulator.Fault{{Node: "store", From: 60, To: 90, Factor: .25}},
	}
}

// randomGraph draws a small mesh with everything in it: shared and repeated nodes,
// forks, all shapes, overload, timeouts, faults, pauses, bursts, retries.
func randomGraph(r *rand.Rand) emulator.Graph {
	shapes := []emulator.Dist{
		exponential(.02), {Shape: emulator.Deterministic, MeanSeconds: .02}, {Shape: emulator.Lognormal, MeanSeconds: .02, CV: 2},
	}
	var g emulator.Graph
	for i := range 1 + r.IntN(4) {
		g.Nodes = append(g.Nodes, emulator.Node{
			Name: string(rune('a' + i)), Concurrency: 1 + r.IntN(3), Replicas: r.IntN(3), Work: shapes[r.IntN(len(shapes))],
		})
		if n := &g.Nodes[i]; r.IntN(2) == 0 {
			n.Pauses = emulator.Pauses{EverySeconds: .1 + 5*r.Float64(), MeanSeconds: r.Float64() + .01}
			n.Bursts = emulator.Bursts{EverySeconds: .1 + 5*r.Float64(), MeanSeconds: r.Float64() + .01, Factor: 2 * r.Float64()}
		}
		g.Faults = append(g.Faults, emulator.Fault{Node: string(rune('a' + i)), From: 10 * r.Float64(), To: 10 + 10*r.Float64(), Factor: 2 * r.Float64()})
	}
	for i := range 1 + r.IntN(4) {
		s := emulator.Service{
			Name: string(rune('p' + i)), Load: load.Constant(200 * r.Float64()), TimeoutSeconds: .05 + r.Float64(), BoundSeconds: .1,
		}
		if r.IntN(2) == 0 {
			s.Retries = emulator.Retries{Attempts: 1 + r.IntN(3), BackoffSeconds: .01 + r.Float64(), Refused: r.IntN(2) == 0, TimedOut: true}
		}
		visit := func() emulator.Visit {
			return emulator.Visit{Node: g.Nodes[r.IntN(len(g.Nodes))].Name, Work: .1 + r.Float64()}
		}
		for j := range 1 + r.IntN(3) {
			d := emulator.Destination{Name: string(rune('1' + j))}
			for range 1 + r.IntN(4) {
				if r.IntN(3) > 0 {
					d.Path = append(d.Path, visit())
					continue
				}
				var fork emulator.Visit
				for range 1 + r.IntN(4) {
					fork.Fork = append(fork.Fork, visit())
				}
				d.Path = append(d.Path, fork)
			}
			s.Destinations = append(s.Destinations, d)
		}
		g.Services = append(g.Services, s)
	}
	return g
}

func randomSettings(r *rand.Rand, g emulator.Graph) emulator.Settings {
	var s emulator.Settings
	for _, service := range g.Services {
		w := make([]float64, len(service.Destinations))
		for i := range w {
			w[i] = r.Float64()
		}
		s.Weights = append(s.Weights, w)
		s.Blocking = append(s.Blocking, r.Float64())
	}
	for range g.Nodes {
		s.Replicas = append(s.Replicas, r.IntN(4))
	}
	return s
}
