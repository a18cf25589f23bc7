package margin

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// forecast is an interval whose risk was expected to be so much.
func forecast(risk float64) Choice {
	return Choice{Counted: true, Expected: []policy.Prediction{{Service: "a", Signal: "latency", Supported: true, Risk: risk}}}
}

// after runs intervals whose risks are said, and come true `wrong` more often than said.
func after(rng *rand.Rand, c Control, p Params, intervals int, wrong float64, each func(i int, calibrated bool)) Control {
	for i := range intervals {
		risk := .1 * rng.Float64()
		latency := .05
		if rng.Float64() < risk+wrong {
			latency = .2
		}
		c, _ = c.Measure(p, services(), measured(c[0].Intervals+1, latency, 0), forecast(risk))
		each(i, c.Hand(p, services(), Unsteady)[0].Objectives[0].Calibrated)
	}
	return c
}

func TestRisksThatComeTrueAreCalibrated(t *testing.T) {
	p := Defaults()
	for wrong, want := range map[float64][2]float64{0: {.99, 1}, .1: {0, .01}} { // the budget is .05
		yes, n := 0, 0
		for seed := range uint64(3) {
			rng := rand.New(rand.NewPCG(seed, 1))
			after(rng, Control(nil).Adopt(p, services(), initial), p, 1200, wrong, func(i int, calibrated bool) {
				switch {
				case i < p.Window-1 && calibrated:
					t.Fatalf("calibrated after %d intervals", i+1)
				case i >= p.Window-1:
					n++
					if calibrated {
						yes++
					}
				}
			})
		}
		if share := float64(yes) / float64(n); share < want[0] || share > want[1] {
			t.Errorf("risks that are wrong by %v are calibrated in %.3f of the intervals, want %v", wrong, share, want)
		}
	}
}

// A fault is noticed within a few intervals, and it takes a while of right risks to
// trust them again.
func TestAFaultEndsTheCalibration(t *testing.T) {
	p := Defaults()
	rng := rand.New(rand.NewPCG(1, 2))
	c := after(rng, Control(nil).Adopt(p, services(), initial), p, 600, 0, func(int, bool) {})
	noticed := -1
	c = after(rng, c, p, 40, 1, func(i int, calibrated bool) {
		if !calibrated && noticed < 0 {
			noticed = i + 1
		}
	})
	if noticed < 5 || noticed > 25 {
		t.Errorf("a fault that breaks each interval was noticed after %d", noticed)
	}
	back := -1
	after(rng, c, p, 1000, 0, func(i int, calibrated bool) {
		if calibrated && back < 0 {
			back = i + 1
		}
	})
	if back < 100 || back > 800 {
		t.Errorf("risks that came true again were trusted after %d intervals", back)
	}
}

// What was not the policy's own doing, not expected, or beyond the data says nothing of
// the risks; and those of another model are others.
func TestOnlyExpectedRisksAreJudged(t *testing.T) {
	p := Defaults()
	c := Control(nil).Adopt(p, services(), initial)
	unsupported, own, other := forecast(.1), forecast(.1), forecast(.1)
	unsupported.Expected[0].Supported, own.Counted, other.Expected[0].Service = false, false, "b"
	for name, choice := range map[string]Choice{"no risk": forecast(0), "beyond the data": unsupported, "not counted": own, "another service": other, "nothing expected": counted} {
		if next, _ := c.Measure(p, services(), measured(1, .2, 0), choice); next[0].Forecasts != 0 || next[0].Bias != 0 {
			t.Errorf("%s: %d forecasts with a bias of %v", name, next[0].Forecasts, next[0].Bias)
		}
	}
	next, _ := c.Measure(p, services(), measured(1, .2, 0), forecast(.1))
	if next[0].Forecasts != 1 || math.Abs(next[0].Bias-.9) > 1e-12 || next[1].Forecasts != 0 {
		t.Errorf("%d forecasts with a bias of %v, %d of another objective", next[0].Forecasts, next[0].Bias, next[1].Forecasts)
	}
	if same := next.Adopt(p, services(), initial); same[0].Forecasts != 1 {
		t.Error("the same model's calibration was dropped")
	}
	another := func(string, string) Calibration { return Calibration{Margin: .2, Spread: .1, Price: 3, Flow: 20} }
	if e := next.Adopt(p, services(), another)[0]; e.Forecasts != 0 || e.Bias != 0 {
		t.Errorf("another model got %d forecasts with a bias of %v", e.Forecasts, e.Bias)
	}
}

func TestRiskIsTheChanceOfAViolation(t *testing.T) {
	j, _, a := judged(policy.Objective{Bound: .1, Margin: 1, Residual: .1}, PriceNone)
	if got, want := j.Risk(0, .09, a), j.Tails[0].Above(.1/(.09*1.1)-1); math.Abs(got-want) > 1e-12 {
		t.Errorf("a risk of %v, want %v", got, want)
	}
	j.Tails = nil
	if got := j.Risk(0, .09, a); got != 0 {
		t.Errorf("a risk of %v without residuals", got)
	}
}
