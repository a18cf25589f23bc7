package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/windvane/windvane/sim/load"
)

// scene is what the clients of the shop do for a while.
type scene struct {
	seed      uint64         // of the arrivals
	loads     []load.Process // requests/s, as stack.Services
	warm      int            // intervals before those that count
	intervals int
}

func (s scene) duration() time.Duration { return time.Duration(s.warm+s.intervals) * interval }

// offered is the mean rate of each service while it counts, requests/s.
func (s scene) offered() []float64 {
	out := make([]float64, len(s.loads))
	for k, l := range s.loads {
		for i := range s.intervals {
			out[k] += l.Rate((float64(s.warm+i)+.5)*interval.Seconds()) / float64(s.intervals)
		}
	}
	return out
}

// The kinds of load. The first is what is learned from, the others are judged on.
const (
	exploring = "exploring" // steps of any height
	periodic  = "periodic"  // a sine for each service, with periods that are no multiples of each other
	crowd     = "crowd"     // little, with flash crowds at both services at once
)

// means of the services' loads, requests/s: nearly what the shop can answer at equal splits.
var means = []float64{165, 150}

// newScene draws a scene of a kind. The same arguments give the same requests. No scene is
// so heavy for so long that without control requests would wait for the mesh's 10 s.
func newScene(kind string, seed uint64, warm, intervals int) (scene, error) {
	s := scene{seed: seed, warm: warm, intervals: intervals}
	seconds := s.duration().Seconds()
	random := rand.New(rand.NewPCG(seed, uint64(len(kind))))
	together, periods := crowds(random, seconds), []float64{97, 71}
	for k, mean := range means {
		var l load.Process
		var err error
		switch kind {
		case exploring:
			l, err = staircase(random, mean, seconds)
		case periodic:
			l, err = load.NewSine(load.Sine{Mean: mean, Amplitude: .35 * mean, PeriodSeconds: periods[k], Phase: 2 * math.Pi * random.Float64()})
		case crowd:
			l, err = load.NewBurst(load.Constant(mean/2), together...)
		}
		if err != nil {
			return s, err
		}
		s.loads = append(s.loads, l)
	}
	return s, nil
}

// staircase takes steps of 8 s, evenly from .3 to 1.5 of the mean.
func staircase(random *rand.Rand, mean, seconds float64) (load.Process, error) {
	var at, rates []float64
	for t := 0.0; t < seconds; t += 8 {
		at, rates = append(at, t), append(rates, mean*(.3+1.2*random.Float64()))
	}
	return load.NewSteps(at, rates)
}

// crowds come after a quiet time of 15 to 45 s, stay for 10 to 25 s, and are 2.2 to 2.8
// times as many as there are without them.
func crowds(random *rand.Rand, seconds float64) []load.Window {
	var out []load.Window
	for t := 0.0; t < seconds; {
		from := t + 15 + 30*random.Float64()
		t = from + 10 + 15*random.Float64()
		out = append(out, load.Window{From: from, To: t, Factor: 2.2 + .6*random.Float64()})
	}
	return out
}
