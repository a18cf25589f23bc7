package margin

import (
	"math"
	"math/rand/v2"
	"testing"
)

// adversary chooses the error of an interval, knowing all that there is to know.
type adversary func(rng *rand.Rand, s State, t int) float64

var adversaries = map[string]adversary{
	"always":  func(*rand.Rand, State, int) float64 { return 1 },
	"never":   func(*rand.Rand, State, int) float64 { return 0 },
	"blocks":  func(_ *rand.Rand, _ State, t int) float64 { return float64(t / 97 % 2) },
	"random":  func(rng *rand.Rand, _ State, _ int) float64 { return math.Floor(rng.Float64() + .2) },
	"ratios":  func(rng *rand.Rand, _ State, _ int) float64 { return rng.Float64() * rng.Float64() },
	"bursts":  func(rng *rand.Rand, _ State, t int) float64 { return math.Floor(rng.Float64() + .9*float64(t/50%3/2)) },
	"waiting": func(_ *rand.Rand, s State, _ int) float64 { return indicator(s.Margin < .3) }, // the moment that the margin is low
	"late":    func(_ *rand.Rand, _ State, t int) float64 { return indicator(t > 700) },
	"spiteful": func(_ *rand.Rand, s State, _ int) float64 { // whenever the margin says that it cannot be
		return indicator(s.Margin > .15)
	},
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// attack runs an adversary; residuals move the spread at random in between.
func attack(p Params, s State, rng *rand.Rand, a adversary, budget float64, intervals int) (end State, violations, atMost, leastSpread float64) {
	leastSpread = s.Spread
	for t := range intervals {
		e := a(rng, s, t)
		s = s.Step(p, Interval{Error: e, Budget: budget, Count: true, Flagged: t%7 == 0})
		violations += e
		if s.Margin >= p.Max-1e-12 {
			atMost += e
		}
		s = s.Compare(p, math.Exp(rng.NormFloat64()*rng.Float64()), 1, 1, nil)
		leastSpread = math.Min(leastSpread, s.Spread)
	}
	return s, violations, atMost, leastSpread
}

// With a constant step the sum of errors is at most the budget's, plus what the margin
// can still rise in steps, plus what was broken at the largest margin: an identity,
// for any sequence of errors, whatever the model.
func TestViolationsAreBoundedExactlyWithAConstantStep(t *testing.T) {
	p := Defaults()
	for name, a := range adversaries {
		for seed := range uint64(40) {
			rng := rand.New(rand.NewPCG(seed, 1))
			p.Step, p.Max = .002+.1*rng.Float64(), .2+2*rng.Float64()
			budget, intervals := .01+.1*rng.Float64(), 1+rng.IntN(1500)
			s := New(p, Calibration{Margin: rng.Float64() * .3, Spread: .1})
			_, violations, atMost, _ := attack(p, s, rng, a, budget, intervals)
			if bound := budget*float64(intervals) + (p.Max-s.Margin)/p.Step + atMost; violations > bound+1e-6 {
				t.Fatalf("%s, seed %d: %v violations, bound %v", name, seed, violations, bound)
			}
			if b := s.Bound(p, budget, 0, intervals); math.Abs(b-(budget*float64(intervals)+(p.Max-s.Margin)/p.Step)) > 1e-6 {
				t.Fatalf("%s, seed %d: Bound says %v", name, seed, b)
			}
		}
	}
}

// In position form the bound holds however the step moves, with the smallest one that
// there was.
func TestViolationsAreBoundedWithAMovingStep(t *testing.T) {
	p := Defaults()
	for name, a := range adversaries {
		for seed := range uint64(40) {
			rng := rand.New(rand.NewPCG(seed, 2))
			budget, intervals := .01+.1*rng.Float64(), 1+rng.IntN(1500)
			s := New(p, Calibration{Margin: rng.Float64() * .3, Spread: .2 * rng.Float64()})
			end, violations, _, least := attack(p, s, rng, a, budget, intervals)
			if bound := s.Bound(p, budget, least, intervals) + end.Dropped; violations > bound+1e-6 {
				t.Fatalf("%s, seed %d: %v violations, bound %v", name, seed, violations, bound)
			}
			if end.Debt*end.unit(p) > p.Max+1e-9 || end.Margin < p.Min-1e-9 || end.Margin > p.Max+1e-9 {
				t.Fatalf("%s, seed %d: margin %v of debt %v", name, seed, end.Margin, end.Debt)
			}
		}
	}
}

func TestThePriceRisesWithViolationsWithinItsRange(t *testing.T) {
	p := Defaults()
	s := New(p, Calibration{Spread: .1, Price: 10})
	up := s.Step(p, Interval{Error: 1, Budget: .05, Count: true})
	if want := 10 * math.Exp(.3*.95); math.Abs(up.Price-want) > 1e-9 {
		t.Errorf("price %v after a violation, want %v", up.Price, want)
	}
	if still := s.Step(p, Interval{Error: 1, Budget: .05}); still.Price != s.Price {
		t.Error("an interval that does not count moved the price")
	}
	for range 1000 {
		s = s.Step(p, Interval{Error: 1, Budget: .05, Count: true})
	}
	if s.Price != 10*priceRange {
		t.Errorf("price %v where nothing helps, want the end of its range, %v", s.Price, 10*priceRange)
	}
	if none := New(p, Calibration{Spread: .1}).Step(p, Interval{Error: 1, Count: true}); none.Price != 0 {
		t.Errorf("a price %v from nowhere", none.Price)
	}
}

func TestUncountedIntervalsMoveNoDebt(t *testing.T) {
	p := Defaults()
	s := New(p, Calibration{Margin: .1, Spread: .05})
	for range 50 {
		s = s.Step(p, Interval{Error: 1, Budget: .05})
	}
	if want := New(p, Calibration{Margin: .1, Spread: .05}); math.Abs(s.Debt-want.Debt) > 1e-12 || s.Margin != want.Margin {
		t.Errorf("debt %v, margin %v after uncounted intervals; want %v, %v", s.Debt, s.Margin, want.Debt, want.Margin)
	}
	if s.Spent != 50 || s.Intervals != 50 || s.Counted != 0 {
		t.Errorf("spent %v of %d intervals, %d counted; want 50 of 50, none", s.Spent, s.Intervals, s.Counted)
	}
}

func TestStepKeepsOldStatesIntact(t *testing.T) {
	p := Defaults()
	s := New(p, Calibration{Margin: .1, Spread: .05}).Compare(p, 1.5, 1, 1, nil)
	s.Compare(p, 3, 1, 1, nil)
	if len(s.Recent) != 1 || s.Recent[0] != .5 {
		t.Errorf("recent = %v after a step from it, want [0.5]", s.Recent)
	}
}

func TestSpreadIsAQuantileWithAFloor(t *testing.T) {
	p := Defaults()
	s := New(p, Calibration{Spread: .5})
	for i := range 120 {
		s = s.Compare(p, 1+2*float64(i)/100, 1, 2, nil) // 0 to 1.19 in units of a scale of 2
	}
	if want := .6*1.07 + .4*.5; math.Abs(s.Spread-want) > 1e-9 {
		t.Errorf("spread = %v after 120 of %d residuals, want %v", s.Spread, p.Window, want)
	}
	s = New(p, Calibration{Spread: .5})
	for range p.Window {
		s = s.Compare(p, 1, 1, 1, nil)
	}
	if s.Spread != p.MinSpread {
		t.Errorf("spread of a perfect model = %v, want the floor %v", s.Spread, p.MinSpread)
	}
}

func TestRebaseIsBumpless(t *testing.T) {
	p := Defaults()
	s := New(p, Calibration{Margin: .1, Spread: .05})
	for range 40 {
		s = s.Step(p, Interval{Error: 1, Budget: .05, Count: true}).Compare(p, 1.2, 1, 1, nil)
	}
	r := s.Rebase(p, s.Margin)
	if math.Abs(r.Margin-s.Margin) > 1e-12 || math.Abs(r.Debt-s.Debt) > 1e-9 {
		t.Errorf("rebase to the same margin moved it: %v, %v -> %v, %v", s.Margin, s.Debt, r.Margin, r.Debt)
	}
}
