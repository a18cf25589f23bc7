package budget

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// event is one interval.
type event struct {
	at time.Time
	e  float64
}

// naive is the rate over a window by going through all events: those since the start of
// the part in which the window begins.
func naive(events []event, window time.Duration, parts int, at time.Time) Rate {
	width := (window + time.Duration(parts) - 1) / time.Duration(parts)
	end := at.UnixNano() / int64(width)
	var r Rate
	for _, v := range events {
		if n := v.at.UnixNano() / int64(width); n <= end && n >= end-int64(parts) {
			r.Bad += v.e
			r.Intervals++
		}
	}
	return r
}

// history makes intervals of 5 s to 5 min with gaps, some bad in part.
func history(r *rand.Rand, n int) []event {
	at, step := start, time.Duration(5+r.IntN(60)*r.IntN(6))*time.Second
	var out []event
	for range n {
		at = at.Add(step)
		if r.IntN(200) == 0 {
			at = at.Add(time.Duration(r.IntN(200)) * time.Hour)
		}
		e := 0.0
		switch r.IntN(8) {
		case 0:
			e = 1
		case 1:
			e = float64(r.IntN(9)) / 8 // sums of eighths are exact
		}
		out = append(out, event{at, e})
	}
	return out
}

func TestRatesAreThoseOfTheEvents(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1000))
		window := time.Duration(1+r.IntN(40*24*60)) * time.Minute
		a := NewAccount(window)
		events := history(r, 2000)
		for i, v := range events {
			if err := a.Add(v.at, v.e); err != nil {
				t.Fatal(err)
			}
			if i%97 != 0 {
				continue
			}
			at := v.at.Add(time.Duration(r.IntN(4000)) * time.Second)
			if got, want := a.Window(at), naive(events[:i+1], window, windowParts, at); got != want {
				t.Fatalf("seed %d, window %v, %v: %+v, want %+v", seed, window, at, got, want)
			}
			for _, w := range Windows() {
				if got, want := a.Over(w, at), naive(events[:i+1], w, burnParts, at); got != want {
					t.Fatalf("seed %d, burn window %v, %v: %+v, want %+v", seed, w, at, got, want)
				}
			}
		}
	}
}

// What was written and read back goes on as if nothing had happened.
func TestAnAccountSurvivesARestart(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 2000))
		window := time.Duration(1+r.IntN(3000)) * time.Minute
		straight, restarted := NewAccount(window), NewAccount(window)
		for i, v := range history(r, 600) {
			_ = straight.Add(v.at, v.e) // the error is in [0,1]
			_ = restarted.Add(v.at, v.e)
			if i%50 == 0 {
				b, err := json.Marshal(restarted)
				if err != nil {
					t.Fatal(err)
				}
				restarted = new(Account)
				if err := json.Unmarshal(b, restarted); err != nil {
					t.Fatal(err)
				}
			}
			if straight.Window(v.at) != restarted.Window(v.at) || straight.Over(6*time.Hour, v.at) != restarted.Over(6*time.Hour, v.at) {
				t.Fatalf("seed %d: interval %d: %+v, want %+v", seed, i, restarted.Window(v.at), straight.Window(v.at))
			}
		}
		a, _ := json.Marshal(straight)
		b, _ := json.Marshal(restarted)
		if d := cmp.Diff(string(a), string(b)); d != "" {
			t.Fatalf("seed %d (-straight +restarted):\n%s", seed, d)
		}
	}
}

func TestNothingMeasuredIsUnknown(t *testing.T) {
	a := NewAccount(time.Hour)
	check := func(at time.Time, want bool) {
		t.Helper()
		_, left := a.Window(at).Left(.05)
		_, burn := a.Over(5*time.Minute, at).Burn(.05)
		if left != want || burn != want {
			t.Errorf("at %v: left known: %v, burn known: %v; want %v", at, left, burn, want)
		}
		if _, burning := a.Burning(.05, at); burning {
			t.Errorf("at %v: it burns", at)
		}
	}
	check(start, false)
	_ = a.Add(start, 0)
	check(start, true)
	check(start.Add(2*time.Hour), false)
	check(start.Add(-2*time.Hour), false)
	for _, e := range []float64{-.1, 1.1, math.NaN(), math.Inf(1)} {
		if err := a.Add(start, e); err == nil {
			t.Errorf("an error of %v is counted", e)
		}
	}
	if r := a.Over(7*time.Minute, start); r != (Rate{}) {
		t.Errorf("a window that is not kept has %+v", r)
	}
}

func TestSpentAndLeft(t *testing.T) {
	for _, tc := range []struct{ bad, budget, burn, left float64 }{
		{0, .05, 0, 1},
		{2, .05, .4, .6},
		{5, .05, 1, 0},
		{20, .05, 4, -3},
		{.5, .01, .5, .5},
	} {
		r := Rate{Bad: tc.bad, Intervals: 100}
		burn, _ := r.Burn(tc.budget)
		left, ok := r.Left(tc.budget)
		if !ok || math.Abs(burn-tc.burn) > 1e-12 || math.Abs(left-tc.left) > 1e-12 {
			t.Errorf("%v bad of 100 at %v: burn %v, left %v (%v), want %v, %v", tc.bad, tc.budget, burn, left, ok, tc.burn, tc.left)
		}
	}
}

func TestFactorsOfTheWorkbook(t *testing.T) {
	var month, hour []float64
	for _, p := range Pairs() {
		month = append(month, math.Round(p.Factor(30*day)*1e9)/1e9)
		hour = append(hour, p.Factor(time.Hour))
	}
	if d := cmp.Diff([]float64{14.4, 6, 3, 1}, month); d != "" {
		t.Errorf("30 days (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]float64{1, 1, 1, 1}, hour); d != "" {
		t.Errorf("an hour (-want +got):\n%s", d)
	}
	want := []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, day, 3 * day}
	if d := cmp.Diff(want, Windows()); d != "" {
		t.Errorf("windows (-want +got):\n%s", d)
	}
}

// A budget of 1 % over 30 days: it takes both windows, and the longer pairs tell of what
// is slower.
func TestBurning(t *testing.T) {
	const budget = .01
	for _, tc := range []struct {
		name  string
		bad   float64       // error of every interval …
		since time.Duration // … of so long
		quiet time.Duration // and then none
		long  time.Duration // of the pair; 0: none
	}{
		{"nothing bad", 0, time.Hour, 0, 0},
		{"all bad for an hour", 1, time.Hour, 0, time.Hour},
		{"all bad for an hour, and over", 1, time.Hour, 10 * time.Minute, 6 * time.Hour},
		{"a minute is too short", 1, time.Minute, 0, 0},
		{"seven per cent for a day", .07, day, 0, 6 * time.Hour},
		{"four per cent for a day", .04, day, 0, day},
		{"two per cent for three days", .02, 3 * day, 0, 3 * day},
		{"just kept", .01, 3 * day, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, at, step := NewAccount(30*day), start, 15*time.Second
			for _, phase := range []struct {
				length time.Duration
				e      float64
			}{{3 * day, 0}, {tc.since, tc.bad}, {tc.quiet, 0}} {
				for range int(phase.length / step) {
					at = at.Add(step)
					_ = a.Add(at, phase.e)
				}
			}
			p, ok := a.Burning(budget, at)
			if ok != (tc.long > 0) || p.Long != tc.long {
				t.Errorf("%v over %v and %v, want %v", ok, p.Short, p.Long, tc.long)
			}
		})
	}
}

// Pairs longer than the window of the objective tell nothing of it.
func TestBurningOverAShortWindow(t *testing.T) {
	a, at := NewAccount(time.Hour), start
	for range 6 * 60 * 12 {
		at = at.Add(5 * time.Second)
		e := 0.0
		if at.Sub(start) < 5*time.Hour {
			e = 1
		}
		_ = a.Add(at, e)
	}
	if p, ok := a.Burning(.05, at); ok {
		t.Errorf("it burns over %v, an hour after the last bad interval", p.Long)
	}
}

// A clock that was wrong and is put right does not stop the account.
func TestTimeMayGoBack(t *testing.T) {
	a := NewAccount(time.Hour)
	_ = a.Add(start.Add(100*day), 1)
	_ = a.Add(start, 0)
	if r := a.Window(start); r != (Rate{0, 1}) {
		t.Errorf("after a clock that was 100 days ahead: %+v, want one good interval", r)
	}
	_ = a.Add(start.Add(-time.Minute), 1)
	if r := a.Window(start); r != (Rate{1, 2}) {
		t.Errorf("an interval a minute late: %+v, want 1 bad of 2", r)
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	a, at := NewAccount(30*day), start
	if n := testing.AllocsPerRun(100, func() {
		at = at.Add(time.Minute)
		_ = a.Add(at, 1)
		_, _ = a.Over(time.Hour, at).Burn(.05)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
