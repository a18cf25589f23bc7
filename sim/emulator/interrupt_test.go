package emulator_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/sim/emulator"
)

// A fork of n exponential works on servers without limit is over after the n-th harmonic
// number of their mean; the visit after it comes on top.
func TestForkWaitsForTheLast(t *testing.T) {
	for _, branches := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(branches), func(t *testing.T) {
			g := single(1000, 50, exponential(.1))
			g.Nodes = append(g.Nodes, emulator.Node{Name: "m", Concurrency: 1000, Replicas: 1, Work: exponential(.05)})
			fork := emulator.Visit{}
			want := .2
			for i := range branches {
				fork.Fork = append(fork.Fork, emulator.Visit{Node: []string{"n", "m"}[i%2], Work: []float64{1, 2}[i%2]})
				want += .1 / float64(i+1)
			}
			g.Services[0].Destinations[0].Path = []emulator.Visit{fork, {Node: "n", Work: 2}}
			e := start(t, emulator.Options{Graph: g, Seed: 21})
			mean, se := latency(e, 40, 25)
			near(t, "sojourn", mean, want, se, .03)
		})
	}
}

// Nelson and Tantawi (1988): two exponential branches on queues of their own that are
// fed together take (12 - rho)/8 times the sojourn of M/M/1.
func TestForkOnQueuesMatchesNelsonTantawi(t *testing.T) {
	const work, rho = .1, .7
	g := single(1, rho/work, exponential(work))
	g.Nodes = append(g.Nodes, emulator.Node{Name: "m", Concurrency: 1, Replicas: 1, Work: exponential(work)})
	g.Services[0].Destinations[0].Path = []emulator.Visit{{Fork: []emulator.Visit{{Node: "n", Work: 1}, {Node: "m", Work: 1}}}}
	e := start(t, emulator.Options{Graph: g, Seed: 22})
	mean, se := latency(e, 40, 2000)
	near(t, "sojourn", mean, (12-rho)/8*work/(1-rho), se, .03)
}

// Under a timeout, branches in the queue are given up and branches in service finish:
// the server that they hold is free again.
func TestForkTimesOut(t *testing.T) {
	g := single(1, 5.5, emulator.Dist{Shape: emulator.Deterministic, MeanSeconds: .1})
	g.Services[0].TimeoutSeconds = .35
	g.Services[0].Destinations[0].Path = []emulator.Visit{{Fork: []emulator.Visit{{Node: "n", Work: 1}, {Node: "n", Work: 1}}}}
	e := start(t, emulator.Options{Graph: g, Seed: 23})
	e.Advance(1000)
	got := e.Take()[0]
	if got.InFlight > 20 || got.TimedOut == 0 || got.Offered != got.Answered+got.InFlight {
		t.Errorf("totals %+v: requests stay", got)
	}
	// A server of 10 works a second carries at most 5 requests of 2; halves of those that
	// are late take some. A server that were not freed would carry nothing.
	if rate := float64(got.Carried) / 1000; rate > 5 || rate < .5 {
		t.Errorf("carried %v/s", rate)
	}
}

// M/M/1 whose server fails at rate a, busy or not, and is repaired at rate b, work in
// hand being resumed (White and Christie 1958; Avi-Itzhak and Naor 1963).
func TestPausesMatchABreakingServer(t *testing.T) {
	const rate, mu, a, b = 4., 10., .2, .5
	g := single(1, rate, exponential(1/mu))
	g.Nodes[0].Pauses = emulator.Pauses{EverySeconds: 1 / a, MeanSeconds: 1 / b}
	e := start(t, emulator.Options{Graph: g, Seed: 24})
	mean, se := latency(e, 60, 2000)
	number := rate * ((a+b)*(a+b) + a*mu) / ((a + b) * (b*(mu-rate) - a*rate))
	near(t, "sojourn", mean, number/rate, se, .05)
}

// A node that always has work to do serves as many as its servers can. Those that a
// burst takes away first finish what they have: half a work each.
func TestBurstsTakeTheirShareOfCapacity(t *testing.T) {
	const servers, every, lasts, factor, batch = 4, 60., 20., .25, 400.
	g := single(servers, 1.5*servers, emulator.Dist{Shape: emulator.Deterministic, MeanSeconds: 1})
	g.Nodes[0].Bursts = emulator.Bursts{EverySeconds: every, MeanSeconds: lasts, Factor: factor}
	e := start(t, emulator.Options{Graph: g, Seed: 25})
	e.Advance(100)
	e.Take()
	served, squares, n := 0., 0., 60.
	for range int(n) {
		e.Advance(e.Now() + batch)
		rate := float64(e.Take()[0].Answered) / batch
		served += rate / n
		squares += rate * rate / n
	}
	want := servers * (every + factor*lasts + (1-factor)*.5) / (every + lasts)
	near(t, "served", served, want, math.Sqrt((squares-served*served)/(n-1)), .02)
}

// What a caller sends again after refusals alone makes a geometric series, which no
// request survives more often than the blocking to the power of its attempts.
func TestRetriesOfRefusals(t *testing.T) {
	const rate, blocking, attempts = 100., .4, 3
	g := single(50, rate, exponential(.01))
	g.Services[0].Retries = emulator.Retries{Attempts: attempts, BackoffSeconds: .1, Refused: true}
	e := start(t, emulator.Options{Graph: g, Seed: 26, Initial: emulator.Settings{Blocking: []float64{blocking}}})
	e.Advance(100)
	e.Take()
	e.Advance(400)
	x := e.Take()[0]
	first := float64(x.Offered - x.Retries)
	within := func(what string, got, p float64) {
		if se := math.Sqrt(p * (1 - p) / first); math.Abs(got/first-p) > 4*se+1e-3 {
			t.Errorf("%s: %v of the first requests, want %v", what, got/first, p)
		}
	}
	within("given up", float64(x.GivenUp), math.Pow(blocking, attempts+1))
	within("carried", float64(x.Carried), 1-math.Pow(blocking, attempts+1))
	if want := blocking + blocking*blocking + blocking*blocking*blocking; math.Abs(float64(x.Retries)/first-want) > .01 {
		t.Errorf("%v retries for each request, want %v", float64(x.Retries)/first, want)
	}
	// Waits of .1, .2 and .4 s, by Little's law.
	want := first / 300 * (blocking*.1 + blocking*blocking*.2 + blocking*blocking*blocking*.4)
	sum := 0.
	for range 600 {
		e.Advance(e.Now() + .5)
		sum += float64(e.Take()[0].Waiting) / 600
	}
	if math.Abs(sum-want) > .05*want {
		t.Errorf("%v wait on average, want %v", sum, want)
	}
}

func TestRetriesOfTimeoutsFeedOverload(t *testing.T) {
	g := single(1, 12, exponential(.1)) // 10/s at most
	g.Services[0].TimeoutSeconds = 1
	plain := start(t, emulator.Options{Graph: g, Seed: 27})
	g.Services[0].Retries = emulator.Retries{Attempts: 2, BackoffSeconds: .2, TimedOut: true}
	e := start(t, emulator.Options{Graph: g, Seed: 27})
	plain.Advance(1000)
	e.Advance(1000)
	a, b := plain.Take()[0], e.Take()[0]
	if a.Retries != 0 || a.GivenUp != a.TimedOut || b.Retries == 0 || b.Offered-b.Retries != a.Offered {
		t.Errorf("without %+v, with %+v", a, b)
	}
	if float64(b.Offered) < 1.3*float64(a.Offered) {
		t.Errorf("%d offered with retries, %d without: overload feeds itself", b.Offered, a.Offered)
	}
}

// Pauses and bursts come at the same times whatever a controller does.
func TestInterruptionsAreTheSameUnderAnySettings(t *testing.T) {
	g := shop()
	g.Nodes[2].Pauses = emulator.Pauses{EverySeconds: 5, MeanSeconds: .5}
	g.Nodes[0].Bursts = emulator.Bursts{EverySeconds: 5, MeanSeconds: 5, Factor: .5}
	var all [2][]emulator.Totals
	for i := range all {
		e := start(t, emulator.Options{Graph: g, Seed: 28})
		if i == 1 {
			apply(t, e, emulator.Settings{Blocking: []float64{.9, .9}})
		}
		e.Advance(200)
		e.Take()
		apply(t, e, emulator.Settings{Blocking: []float64{0, 0}})
		e.Advance(210) // long enough to forget the past
		e.Take()
		e.Advance(300)
		all[i] = e.Take()
	}
	for i := range all[0] {
		all[0][i].InFlight, all[1][i].InFlight = 0, 0
		all[0][i].LatencySeconds = math.Round(all[0][i].LatencySeconds*1e6) / 1e6
		all[1][i].LatencySeconds = math.Round(all[1][i].LatencySeconds*1e6) / 1e6
	}
	if d := cmp.Diff(all[0], all[1]); d != "" {
		t.Errorf("the same requests under the same settings were answered differently:\n%s", d)
	}
}
