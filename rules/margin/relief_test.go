package margin

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

func TestRelieveTakesOffWhatNoMarginCanActUpon(t *testing.T) {
	p := Defaults()
	s := New(p, Calibration{Margin: .3, Spread: .2}).Rebase(p, 1.8)
	for name, c := range map[string]struct{ feasible, want float64 }{
		"some of it":                {.6, 1.6*1.1 - 1},
		"nothing where it can act":  {2, 1.8},
		"not the calibrated margin": {-.5, .3},
	} {
		got := s.Relieve(p, c.feasible)
		if math.Abs(got.Margin-c.want) > 1e-9 || math.Abs(got.Debt+got.Dropped-s.Debt) > 1e-9 || math.Abs(got.Debt*p.Gain*got.Spread-got.Margin) > 1e-9 {
			t.Errorf("%s: margin %v, want %v; debt %v of %v, %v dropped", name, got.Margin, c.want, got.Debt, s.Debt, got.Dropped)
		}
		if again := got.Relieve(p, c.feasible); again.Dropped != got.Dropped {
			t.Errorf("%s: relieved twice: %v, %v dropped", name, got.Dropped, again.Dropped)
		}
	}
}

// A fallback stays in force no longer than its own violations ask for: the debt of those
// before it, which pushed the margin to where nothing is feasible, is not paid off by
// shedding for hundreds of intervals.
func TestAFallbackEndsWithItsCause(t *testing.T) {
	p := Defaults()
	o := policy.Observation{Services: services()}
	flagged := Choice{Counted: true, Flagged: true}
	shed := []policy.Prediction{{Service: "a", Signal: "latency", Value: .08, Supported: true}} // under a bound of .1: feasible up to .25
	c := Control(nil).Adopt(p, services(), initial)
	for i := range 40 { // a fault: all is broken, whatever is shed
		o.State = measured(i+1, .3, 0)
		c, _ = c.Measure(p, services(), o.State, flagged)
		c = c.Compare(p, &o, shed)
	}
	spread := c[0].Spread
	if most := 1.25*(1+relief*spread) - 1; c[0].Margin > most+1e-9 || c[0].Dropped < 20 {
		t.Errorf("margin %v with a spread of %v; want at most %v; %v dropped", c[0].Margin, spread, most, c[0].Dropped)
	}
	if c[0].FlaggedSpent != 40 || c[0].Spent != 40 {
		t.Errorf("%v of 40 violations are counted, %v of them as flagged", c[0].Spent, c[0].FlaggedSpent)
	}
	o.State = measured(50, .3, 0)
	other, _ := c.Measure(p, services(), o.State, counted)
	if after := other.Compare(p, &o, shed); after[0].Dropped != other[0].Dropped {
		t.Errorf("debt was taken off after an interval under the policy's own choice: %v, %v before", after[0].Dropped, c[0].Dropped)
	}
}

// What is taken off is counted, so that the bound on violations holds with it.
func TestTheBoundHoldsWithRelief(t *testing.T) {
	const intervals, budget = 600, .05
	p := Defaults()
	p.Step = .02
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := New(p, Calibration{Margin: .2, Spread: .1})
		bound, violations := s.Bound(p, budget, 0, intervals), 0.0
		for range intervals {
			e := 0.0
			if rng.Float64() < .3 {
				e = 1
			}
			violations += e
			s = s.Step(p, Interval{Error: e, Budget: budget, Count: true, Flagged: rng.IntN(2) == 0})
			if s.Saturated {
				s = s.Relieve(p, 3*rng.Float64()-1)
			}
		}
		if violations > bound+s.Dropped+1e-6 {
			t.Fatalf("seed %d: %v violations, bound %v and %v dropped", seed, violations, bound, s.Dropped)
		}
	}
}
