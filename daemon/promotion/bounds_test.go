package promotion

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Blocks that resemble each other, looked at after each: the mean is outside the bounds at any time
// in few more lives than the confidence says, and they close in on it.
func TestBoundsHoldAtAllTimes(t *testing.T) {
	const lives, blocks, confidence = 120, 200, .95
	for _, alike := range []float64{0, .5, .8} {
		missed, width := 0, 0.
		for seed := range uint64(lives) {
			rng := rand.New(rand.NewPCG(1000+seed, 1))
			x, values := rng.NormFloat64()/math.Sqrt(1-alike*alike), make([]float64, 0, blocks)
			for len(values) < blocks {
				x = alike*x + rng.NormFloat64()
				if values = append(values, .3+.05*x); len(values)%10 != 0 {
					continue
				}
				if b := bounds(values, confidence, 100); .3 < b.Low || .3 > b.High {
					missed++
					break
				}
			}
			b := bounds(values, confidence, 100)
			width += (b.High - b.Low) / lives
		}
		t.Logf("lag-1 autocorrelation %v: missed in %d of %d lives, %.3f wide at the end", alike, missed, lives, width)
		if share := float64(missed) / lives; share > 1.6*(1-confidence) {
			t.Errorf("lag-1 autocorrelation %v: missed in %v of the lives", alike, share)
		}
		if math.IsInf(width, 0) && alike < .8 {
			t.Errorf("lag-1 autocorrelation %v: no bounds after %d blocks", alike, blocks)
		}
	}
}

func TestBoundsOfFew(t *testing.T) {
	if b := bounds(nil, .95, 10); !math.IsNaN(b.Mean) || !math.IsInf(b.Low, -1) {
		t.Errorf("of none: %+v", b)
	}
	if b := bounds([]float64{1, 2, 1, 2, 1}, .95, 10); b.Mean != 1.4 || !math.IsInf(b.High, 1) {
		t.Errorf("of five: %+v", b)
	}
	values := make([]float64, 20)
	for i := range values {
		values[i] = .02 - .0001*float64(i)
	}
	if b := bounds(values, .95, 10); b.Low != values[19] || b.High != .02 {
		t.Errorf("of what does not move: %+v", b)
	}
}

// A histogram of ratios knows their quantiles and chances to within half a bin.
func TestRatios(t *testing.T) {
	var r Ratios
	if !math.IsNaN(r.Quantile(.5)) || r.Above(1) != .5 {
		t.Errorf("of none: %v, %v", r.Quantile(.5), r.Above(1))
	}
	rng := rand.New(rand.NewPCG(1000, 2))
	for range 20_000 {
		r.Add(.1 + .2*rng.NormFloat64())
	}
	r.Add(math.NaN())
	for q, z := range map[float64]float64{.5: 0, .05: -1.645, .95: 1.645} {
		if got, want := math.Log1p(r.Quantile(q)), .1+.2*z; math.Abs(got-want) > ratioWidth {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
		if got := r.Above(math.Exp(.1 + .2*z)); math.Abs(got-(1-q)) > .01 {
			t.Errorf("above the %v quantile: %v", q, got)
		}
	}
	if r.N() != 20_000 || r.Above(0) != 1 || r.Above(math.NaN()) != 1 || math.Abs(r.MeanSquare()-.05) > .003 {
		t.Errorf("%d, %v, %v", r.N(), r.Above(0), r.MeanSquare())
	}
	if !math.IsNaN(logRatio(1, 0)) || !math.IsNaN(logRatio(math.NaN(), 1)) || logRatio(1e9, 1) != farthest {
		t.Error("ratios of no positive numbers")
	}
}
