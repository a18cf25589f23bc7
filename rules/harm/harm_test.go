package harm

import (
	"math"
	"math/rand/v2"
	"testing"
)

const objectives = 2

// found returns after how many intervals harm is found; 0: never.
func found(limit float64, intervals int, err func(t int) float64) int {
	var e Evidence
	for t := range intervals {
		if e = e.Add(limit, err(t)); e.Harm(objectives) {
			return t + 1
		}
	}
	return 0
}

// A life of 5,000 intervals at the very limit, in every shape that the claim admits: harm
// is found in at most a share Alpha of lives, for each objective half of it.
func TestLivesAtTheLimitAreNotHarm(t *testing.T) {
	const lives, intervals = 600, 5000
	for _, c := range []struct {
		name string
		err  func(r *rand.Rand, limit float64) func(int) float64
	}{
		{"independent errors", func(r *rand.Rand, limit float64) func(int) float64 {
			return func(int) float64 { return one(r.Float64() < limit) }
		}},
		{"whole blocks are bad", func(r *rand.Rand, limit float64) func(int) float64 {
			bad := false
			return func(t int) float64 {
				if t%BlockSize == 0 {
					bad = r.Float64() < limit
				}
				return one(bad)
			}
		}},
		{"good for long, then at the limit", func(r *rand.Rand, limit float64) func(int) float64 {
			return func(t int) float64 { return one(t > intervals/2 && r.Float64() < limit) }
		}},
	} {
		harmed := 0
		for seed := range uint64(lives) {
			limit := Limit([]float64{.02, .05, .1, .3}[seed%4])
			if found(limit, intervals, c.err(rand.New(rand.NewPCG(1000+seed, 7)), limit)) > 0 {
				harmed++
			}
		}
		t.Logf("%s: %d of %d", c.name, harmed, lives)
		if share := float64(harmed) / lives; share > Alpha/objectives {
			t.Errorf("%s: harm in %v of the lives, want at most %v", c.name, share, Alpha/objectives)
		}
	}
}

func one(bad bool) float64 {
	if bad {
		return 1
	}
	return 0
}

// How long harm goes on before it is found, at once or after a long good time at the budget.
func TestHarmIsFoundInTime(t *testing.T) {
	const budget, good = .05, 5000
	limit := Limit(budget)
	for _, c := range []struct {
		times        float64 // the budget
		before       int
		within, most int // of the lives half, and all; 0: not asked
	}{
		{2, 0, 0, 0},
		{5, good, 0, 0},
		{10, 0, 170, 400},
		{10, good, 170, 400},
		{20, 0, 70, 80}, // an inverted policy: every interval is broken
		{20, good, 70, 80},
	} {
		const lives = 60
		var delays []int
		for seed := range uint64(lives) {
			r := rand.New(rand.NewPCG(2000+seed, 9))
			at := found(limit, c.before+17_280, func(t int) float64 {
				if t < c.before {
					return one(r.Float64() < budget)
				}
				return one(r.Float64() < c.times*budget)
			})
			delays = append(delays, at-c.before)
		}
		early, worst, never := 0, 0, 0
		for _, d := range delays {
			early += int(one(d > 0 && d <= c.within))
			never += int(one(d <= 0))
			worst = max(worst, d)
		}
		t.Logf("%v budgets after %d good intervals: worst %d, never %d of %d, %d within %d", c.times, c.before, worst, never, lives, early, c.within)
		if c.times <= budgets && never < lives {
			t.Errorf("%v budgets, which is no harm: found in %d of %d lives", c.times, lives-never, lives)
		}
		if c.most > 0 && (early < lives/2 || worst > c.most || never > 0) {
			t.Errorf("%v budgets after %d good intervals: %d of %d within %d, worst %d, never %d", c.times, c.before, early, lives, c.within, worst, never)
		}
	}
}

func TestMissingDataIsNoEvidence(t *testing.T) {
	r := rand.New(rand.NewPCG(1000, 3))
	for range 200 {
		var e Evidence
		for range 50 {
			if r.IntN(2) == 0 {
				e = e.Add(Limit(.05), r.Float64())
				continue
			}
			if now := e.Add(Limit(.05), math.NaN()); now != e {
				t.Fatalf("%+v became %+v without a measurement", e, now)
			}
		}
	}
}

// Whoever does nothing about harm still has evidence that can be written down.
func TestTheCapitalIsBounded(t *testing.T) {
	var e Evidence
	for range 100_000 {
		e = e.Add(Limit(.02), 1)
	}
	if e.Capital != most || !e.Harm(100_000) {
		t.Errorf("capital %v", e.Capital)
	}
}

func TestNearGoesFromNothingToHarm(t *testing.T) {
	for capital, want := range map[float64]float64{0: 0, 1: 0, 10: .5, 100: 1} {
		e := Evidence{Capital: capital}
		if got := e.Near(1); math.Abs(got-want) > 1e-12 || e.Harm(1) != (want >= 1) {
			t.Errorf("capital %v: near %v, harm %v, want %v", capital, got, e.Harm(1), want)
		}
	}
	if Limit(.02) != .08 || Limit(.3) != .5 {
		t.Error("limits")
	}
}
