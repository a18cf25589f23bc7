package loop

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// woken runs a cycle half an interval after the n-th.
func woken(l *Loop, n int) Report {
	return l.Woken(context.Background(), start.Add(time.Duration(n)*5*time.Second+2500*time.Millisecond), WokenByAlert)
}

// Whatever happens in an interval, cycles that are woken in it and change nothing leave no
// trace in what is learned and counted: with them the control state is the same to the bit,
// and so are the outcomes of the intervals.
func TestWokenCyclesCountNothing(t *testing.T) {
	for seed := range uint64(20) {
		run := func(wakes bool) (Report, []journal.ObjectiveError) {
			rng, wake := rand.New(rand.NewPCG(1000, seed)), rand.New(rand.NewPCG(1001, seed))
			f := newFake()
			f.scrape = time.Duration(seed%3) * 2 * time.Second // with 2 s, what a cycle that is woken sees is all that the next one sees
			l := newLoop(t, f, "act", nil)
			var last Report
			var measured []journal.ObjectiveError
			for n := range 60 {
				f.latency, f.status, f.infeasible, f.abstain = .05+.07*rng.Float64(), policy.Valid, rng.IntN(6) == 0, rng.IntN(8) == 0
				f.frozen = rng.IntN(8) == 0
				if rng.IntN(4) == 0 {
					f.want = action(.2*float64(rng.IntN(3)), .5)
				}
				if rng.IntN(10) == 0 {
					f.live = action(.1*float64(rng.IntN(3)), .5) // somebody else's
				}
				last = l.Cycle(context.Background(), start.Add(time.Duration(n)*5*time.Second))
				measured = appendErrors(measured, last.Outcome)
				want := f.want
				for range wake.IntN(3) {
					if !wakes {
						break
					}
					f.want, f.frozen, f.abstain, f.latency = nil, wake.IntN(2) == 0, wake.IntN(2) == 0, .2*wake.Float64()
					r := woken(l, n)
					if r.Intent.Act || r.Flagged || r.Outcome != nil && len(r.Outcome.Errors) > 0 {
						t.Fatalf("seed %d, cycle %d: a cycle that was woken acted or measured: %+v", seed, n, r)
					}
				}
				f.want = want
				if wakes && n == 30 { // a reload
					o := l.o
					o.Resume = l.Resume()
					var err error
					if l, err = New(o); err != nil {
						t.Fatal(err)
					}
				}
			}
			return last, measured
		}
		with, measuredWith := run(true)
		without, measuredWithout := run(false)
		if diff := cmp.Diff(without.Control, with.Control); diff != "" {
			t.Fatalf("seed %d: the control state differs (-without +with):\n%s", seed, diff)
		}
		if diff := cmp.Diff(measuredWithout, measuredWith, cmpopts.IgnoreFields(journal.ObjectiveError{}, "Expected")); diff != "" {
			t.Fatalf("seed %d: what was measured differs (-without +with):\n%s", seed, diff)
		}
	}
}

func appendErrors(to []journal.ObjectiveError, o *journal.Outcome) []journal.ObjectiveError {
	if o == nil {
		return to
	}
	for _, e := range o.Errors {
		if e.Known {
			to = append(to, e)
		}
	}
	return to
}

// What a cycle that was woken changes is in force over a part of the interval: its errors
// are budget spent, and neither debt nor model moves. The next interval counts again.
func TestIntervalInWhichAWokenCycleActed(t *testing.T) {
	f := newFake()
	l := newLoop(t, f, "act", nil)
	before := cycles(l, 0, 3)
	f.want, f.latency = action(.4, .5), .2
	r := woken(l, 2)
	if !r.Intent.Act || r.Intent.Woken != WokenByAlert || !f.live.Equal(f.want, policy.Rounding) {
		t.Fatalf("the cycle that was woken did not act on what is new: %+v", r.Intent)
	}
	mixed := cycles(l, 3, 1)
	if e := mixed.Outcome.Errors[0]; !e.Known || e.Counted || e.Error != 1 || !mixed.Outcome.Partial || mixed.Outcome.Result != journal.ResultConverged {
		t.Errorf("the interval that was cut: %+v", mixed.Outcome)
	}
	was, is := before.Control[0], mixed.Control[0]
	if is.Debt != was.Debt || is.Counted != was.Counted || is.Residual != was.Residual || !cmp.Equal(is.Correction, was.Correction) || is.Intervals != was.Intervals+1 {
		t.Errorf("control state before %+v, after %+v", was, is)
	}
	if next := cycles(l, 4, 1); !next.Outcome.Errors[0].Counted || next.Outcome.Partial {
		t.Errorf("the interval after: %+v", next.Outcome)
	}
}

// So it is when somebody has put back what was changed: the interval was not under it alone.
func TestIntervalInWhichAWokenCycleWasUndone(t *testing.T) {
	f := newFake()
	l := newLoop(t, f, "act", nil)
	cycles(l, 0, 3)
	f.want = action(.4, .5)
	woken(l, 2)
	f.live = action(0, .5)
	if e := cycles(l, 3, 1).Outcome.Errors[0]; !e.Known || e.Counted {
		t.Errorf("the interval that was cut: %+v", e)
	}
}

// Without new samples there is nothing to decide on, and the next cycle has its interval.
func TestWokenWithoutNewSamples(t *testing.T) {
	f := newFake()
	l := newLoop(t, f, "act", nil)
	f.frozen = true
	cycles(l, 0, 1)
	r := woken(l, 0)
	for _, s := range r.Intent.State {
		if s.Status != policy.Stale {
			t.Errorf("%s is %v, want stale: it is what the cycle before saw", s.Name, s.Status)
		}
	}
	if r.Intent.Hold != HoldNothingNew || r.Intent.Decision != nil {
		t.Errorf("hold %q, decision %v; want that nobody is asked", r.Intent.Hold, r.Intent.Decision)
	}
	f.status = policy.Absent
	if r := woken(l, 0); r.Intent.Hold == HoldNothingNew {
		t.Error("what is missing is not what has been seen already")
	}
	f.frozen, f.status = false, policy.Valid
	if next := cycles(l, 1, 1); len(next.Outcome.Errors) != 1 || !next.Outcome.Errors[0].Counted {
		t.Errorf("the interval was lost: %+v", next.Outcome)
	}
}

// After a crash nothing is known of an interval that was cut.
func TestRestartAfterAWokenCycle(t *testing.T) {
	f := newFake()
	l := newLoop(t, f, "act", nil)
	cycles(l, 0, 2)
	f.want = action(.4, .5)
	woken(l, 1)
	newest := f.intents[len(f.intents)-1]
	resumed, err := ResumeFrom(newest, &newest)
	if err != nil {
		t.Fatal(err)
	}
	l = newLoop(t, f, "act", func(o *Options) { o.Resume = resumed })
	was := resumed.Control[0]
	r := cycles(l, 2, 1)
	if is := r.Control[0]; is.Residual != was.Residual || is.Counted != was.Counted || !r.Outcome.Partial {
		t.Errorf("before %+v, after %+v, outcome %+v", was, is, r.Outcome)
	}
}

// Alerts are in the intent, and nothing of the decision depends on them.
func TestAlertsAreContext(t *testing.T) {
	alert := journal.Alert{Name: "Slow", Fingerprint: "f", StartsAt: start, Labels: map[string]string{"severity": "page"}}
	f, g := newFake(), newFake()
	plain := cycles(newLoop(t, f, "act", nil), 0, 2)
	told := cycles(newLoop(t, g, "act", func(o *Options) {
		o.Alerts = func() ([]journal.Alert, int) { return []journal.Alert{alert}, 4 }
	}), 0, 2)
	if diff := cmp.Diff([]journal.Alert{alert}, told.Intent.Alerts); diff != "" || told.Intent.AlertsOmitted != 4 {
		t.Errorf("alerts %+v and %d more", told.Intent.Alerts, told.Intent.AlertsOmitted)
	}
	if diff := cmp.Diff(plain.Intent, told.Intent, cmpopts.IgnoreFields(journal.Intent{}, "Alerts", "AlertsOmitted", "Control")); diff != "" {
		t.Errorf("alerts changed a cycle:\n%s", diff)
	}
	if diff := cmp.Diff(plain.Control, told.Control); diff != "" {
		t.Error(diff)
	}
}

// Whatever happens in between, reloads included: a cycle that was woken moves nothing of the
// control state, to the last bit, and no debt is run up over an interval in which it changed
// something.
func TestWokenCyclesNeverWindUp(t *testing.T) {
	acted := 0
	for seed := range uint64(30) {
		x := newRandom(t, seed)
		before := x.step()
		for range 40 {
			cut := false
			if x.r.IntN(2) == 0 {
				x.happen()
				r := woken(x.l, x.cycle)
				if d := cmp.Diff(before.Control, r.Control, cmpopts.EquateEmpty()); d != "" {
					t.Fatalf("seed %d, after cycle %d (-before +after):\n%s", seed, x.cycle, d)
				}
				cut = r.Intent.Act
			}
			x.happen()
			r := x.step()
			if was, is := before.Control[0], r.Control[0]; cut && (is.Counted != was.Counted || is.Debt != was.Debt || is.Residual != was.Residual) {
				t.Fatalf("seed %d, cycle %d: counted in spite of a cycle that was woken and acted: %+v, before %+v", seed, x.cycle, is, was)
			}
			if cut {
				acted++
			}
			before = r
		}
	}
	if acted < 20 {
		t.Errorf("%d intervals were cut: the test shows little", acted)
	}
}
