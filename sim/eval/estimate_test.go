package eval

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestStudentT(t *testing.T) {
	// Of any table of the distribution.
	for freedom, want := range map[int]float64{1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 7: 2.3646, 15: 2.1314, 19: 2.0930, 30: 2.0423, 999: 1.9623} {
		if got := studentT(freedom); math.Abs(got-want) > .005 {
			t.Errorf("%d degrees of freedom: %.4f, want %.4f", freedom, got, want)
		}
	}
}

func TestEstimateOfFewRuns(t *testing.T) {
	if e := estimate([]float64{.3}); e.Mean != .3 || e.Half != nil {
		t.Errorf("one run: %+v; want no interval", e)
	}
	e := estimate([]float64{1, 3}) // the deviation of their mean is 1
	if e.Mean != 2 || math.Abs(*e.Half-12.7062) > 1e-3 {
		t.Errorf("two runs: %v ±%v, want 2 ±12.706", e.Mean, *e.Half)
	}
	if e := estimate([]float64{.2, .2, .2}); math.Abs(e.Mean-.2) > 1e-12 || *e.Half > 1e-12 {
		t.Errorf("equal runs: %v ±%v", e.Mean, *e.Half)
	}
}

// Intervals that depend on each other make a run, and runs make the interval: it holds
// the true share 95 times of 100 where one over single intervals would not.
func TestEstimateCoversAutocorrelatedRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const share, stay, trials = .2, .9, 1500
	covered, naive := 0, 0
	for range trials {
		runs := make([]float64, 6)
		for i := range runs {
			bad, n := rng.Float64() < share, 0
			for range 400 {
				if rng.Float64() > stay {
					bad = rng.Float64() < share
				}
				if bad {
					n++
				}
			}
			runs[i] = float64(n) / 400
		}
		e := estimate(runs)
		if math.Abs(e.Mean-share) <= *e.Half {
			covered++
		}
		if math.Abs(e.Mean-share) <= 1.96*math.Sqrt(share*(1-share)/(400*6)) {
			naive++
		}
	}
	if c := float64(covered) / trials; c < .93 || c > .97 {
		t.Errorf("%.3f of the intervals hold the share, want .95", c)
	}
	if n := float64(naive) / trials; n > .7 {
		t.Errorf("%.3f of the intervals over single intervals hold it: the case shows nothing", n)
	}
}
