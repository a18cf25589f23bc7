package emulator_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
)

// erlangC returns the probability of waiting in M/M/c at offered traffic a.
func erlangC(c int, a float64) float64 {
	b := 1.0 // Erlang B by its recursion
	for k := 1; k <= c; k++ {
		b = a * b / (float64(k) + a*b)
	}
	return b / (1 - a/float64(c)*(1-b))
}

func TestWaitMatchesErlangC(t *testing.T) {
	const servers, work = 4, .1
	for _, rho := range []float64{.5, .8, .9} {
		t.Run(fmt.Sprint(rho), func(t *testing.T) {
			rate := rho * servers / work
			e := start(t, emulator.Options{Graph: single(servers, rate, exponential(work)), Seed: 1})
			mean, se := latency(e, 40, 12000/rate)
			wait := erlangC(servers, rate*work) * work / servers / (1 - rho)
			near(t, "sojourn", mean, work+wait, se, .03)
		})
	}
}

func TestWaitMatchesPollaczekKhinchine(t *testing.T) {
	const rate, work = 7., .1
	for _, d := range []emulator.Dist{
		exponential(work),
		{Shape: emulator.Deterministic, MeanSeconds: work},
		{Shape: emulator.Lognormal, MeanSeconds: work, CV: 1.5},
	} {
		t.Run(string(d.Shape), func(t *testing.T) {
			cv := map[emulator.Shape]float64{emulator.Exponential: 1, emulator.Lognormal: d.CV}[d.Shape]
			e := start(t, emulator.Options{Graph: single(1, rate, d), Seed: 2})
			mean, se := latency(e, 40, 2000)
			wait := rate * work * work * (1 + cv*cv) / 2 / (1 - rate*work)
			near(t, "sojourn", mean, work+wait, se, .03)
		})
	}
}

// Burke's theorem: what leaves M/M/1 is Poisson again, so the sojourns of a tandem add up.
func TestTandemIsTheSum(t *testing.T) {
	const rate = 6.
	g := single(1, rate, exponential(.1))
	g.Nodes = append(g.Nodes, emulator.Node{Name: "m", Concurrency: 1, Replicas: 1, Work: exponential(.05)})
	g.Services[0].Destinations[0].Path = append(g.Services[0].Destinations[0].Path, emulator.Visit{Node: "m", Work: 2.4})
	e := start(t, emulator.Options{Graph: g, Seed: 3})
	mean, se := latency(e, 40, 2000)
	near(t, "sojourn", mean, 1/(1/.1-rate)+1/(1/.12-rate), se, .03)
}

func TestArrivalsFollowTheLoad(t *testing.T) {
	sine := load.Sine{Mean: 50, Amplitude: 40, PeriodSeconds: 40}
	g := single(4, 0, exponential(.01))
	g.Services[0].Load = sine
	e := start(t, emulator.Options{Graph: g, Seed: 4})
	const periods, bins = 50, 20
	var counts [bins]float64
	for i := range periods * bins {
		e.Advance(float64(i+1) * sine.PeriodSeconds / bins)
		counts[i%bins] += float64(e.Take()[0].Offered)
	}
	chi := 0.0
	for i, n := range counts {
		w := 2 * math.Pi / bins
		mean := sine.Mean*sine.PeriodSeconds/bins +
			sine.Amplitude*sine.PeriodSeconds/(2*math.Pi)*(math.Cos(float64(i)*w)-math.Cos(float64(i+1)*w))
		mean *= periods
		chi += (n - mean) * (n - mean) / mean
	}
	// chi squared with 20 degrees of freedom: .1 % of the draws are above 45.3, .1 % below 5.9.
	if chi > 45.3 || chi < 5.9 {
		t.Errorf("chi squared of the counts is %.1f over %d bins", chi, bins)
	}
}

func TestALoadOfZeroReturns(t *testing.T) {
	steps, err := load.NewSteps([]float64{0, 5, 1000}, []float64{100, 0, 100})
	if err != nil {
		t.Fatal(err)
	}
	g := single(4, 0, exponential(.01))
	g.Services[0].Load = steps
	e := start(t, emulator.Options{Graph: g, Seed: 5})
	e.Advance(10)
	if got := e.Take()[0]; got.Offered < 400 || got.InFlight != 0 {
		t.Errorf("after the load: %+v", got)
	}
	e.Advance(1000)
	if got := e.Take()[0]; got.Offered != 0 {
		t.Errorf("%d requests offered at a load of zero", got.Offered)
	}
	e.Advance(1005)
	if got := e.Take()[0]; got.Offered < 400 {
		t.Errorf("%d requests offered after the pause", got.Offered)
	}
}
