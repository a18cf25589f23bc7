package margin

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Violations never exceed budget*T plus what the debt can hold plus what the
// upper clip dropped, for any sequence of errors and residuals
// (control-algorithm: position form).
func TestViolationsAreBounded(t *testing.T) {
	p := Defaults()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		eps := .01 + .1*rng.Float64()
		s := New(p, rng.Float64()*.3, rng.Float64()*.2)
		d0 := s.Debt
		violations, dropped, maxDebt := 0.0, 0.0, 0.0
		const intervals = 1000
		for range intervals {
			in := Interval{Budget: eps, Count: true}
			if rng.Float64() < .5*rng.Float64() {
				in.Error = 1
			}
			before := s.Debt
			s = s.Step(p, in)
			after := s.Debt
			s = s.Compare(p, math.Exp(rng.NormFloat64()*rng.Float64()), 1)
			violations += in.Error
			dropped += math.Max(0, before+in.Error-eps-after) + math.Max(0, after-s.Debt)
			maxDebt = math.Max(maxDebt, math.Max(after, s.Debt))
		}
		if bound := eps*intervals + maxDebt - d0 + dropped + 1; violations > bound+1e-6 {
			t.Fatalf("seed %d: %v violations, bound %v", seed, violations, bound)
		}
		if limit := p.Max / (p.Gain * p.MinSpread); maxDebt > limit+1e-6 {
			t.Fatalf("seed %d: debt %v exceeds %v", seed, maxDebt, limit)
		}
	}
}

func TestUncountedIntervalsMoveNoDebt(t *testing.T) {
	p := Defaults()
	s := New(p, .1, .05)
	for range 50 {
		s = s.Step(p, Interval{Error: 1, Budget: .05})
	}
	if want := New(p, .1, .05); math.Abs(s.Debt-want.Debt) > 1e-12 || s.Margin != want.Margin {
		t.Errorf("debt %v, margin %v after uncounted intervals; want %v, %v", s.Debt, s.Margin, want.Debt, want.Margin)
	}
	if s.Spent != 50 || s.Intervals != 50 || s.Counted != 0 {
		t.Errorf("spent %v of %d intervals, %d counted; want 50 of 50, none", s.Spent, s.Intervals, s.Counted)
	}
}

func TestStepKeepsOldStatesIntact(t *testing.T) {
	p := Defaults()
	s := New(p, .1, .05).Compare(p, 1.5, 1)
	s.Compare(p, 3, 1)
	if len(s.Recent) != 1 || s.Recent[0] != .5 {
		t.Errorf("recent = %v after a step from it, want [0.5]", s.Recent)
	}
}

func TestSpreadIsAQuantileWithAFloor(t *testing.T) {
	p := Defaults()
	s := New(p, 0, .5)
	for i := range 120 {
		s = s.Compare(p, 1+float64(i)/100, 1)
	}
	if math.Abs(s.Spread-1.07) > 1e-9 {
		t.Errorf("spread = %v, want 1.07", s.Spread)
	}
	s = New(p, 0, .5)
	for range 100 {
		s = s.Compare(p, 1, 1)
	}
	if s.Spread != p.MinSpread {
		t.Errorf("spread of a perfect model = %v, want the floor %v", s.Spread, p.MinSpread)
	}
}

func TestRebaseIsBumpless(t *testing.T) {
	p := Defaults()
	s := New(p, .1, .05)
	for range 40 {
		s = s.Step(p, Interval{Error: 1, Budget: .05, Count: true}).Compare(p, 1.2, 1)
	}
	r := s.Rebase(p, s.Margin)
	if math.Abs(r.Margin-s.Margin) > 1e-12 || math.Abs(r.Debt-s.Debt) > 1e-9 {
		t.Errorf("rebase to the same margin moved it: %v, %v -> %v, %v", s.Margin, s.Debt, r.Margin, r.Debt)
	}
}
