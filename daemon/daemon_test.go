package daemon_test

import (
	"testing"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/sim/testbed"
)

// violated is the share of measured intervals in which a service broke its bound.
func violated(t *testing.T, reports []loop.Report, service string) float64 {
	t.Helper()
	bad, n := 0.0, 0
	for _, r := range reports {
		if r.Outcome == nil {
			continue
		}
		for _, e := range r.Outcome.Errors {
			if e.Service == service && e.Known {
				bad += e.Error
				n++
			}
		}
	}
	if n == 0 {
		t.Fatalf("no interval of %s was measured", service)
	}
	return bad / float64(n)
}

func TestActHoldsABudgetThatObserveBreaks(t *testing.T) {
	r := newRig(t, "observe", thresholdActive)
	r.start()
	observed := r.run(40)
	if v := violated(t, observed, "compute"); v < .5 {
		t.Fatalf("the mesh breaks the bound in %.0f %% of the intervals without control: the test shows nothing", 100*v)
	}
	for _, report := range observed {
		if report.Intent.Act || report.Outcome != nil && report.Outcome.Result != journal.ResultNotApplied {
			t.Fatalf("authority observe, but cycle %d acted", report.Intent.Cycle)
		}
		for _, e := range report.Control {
			if e.Counted != 0 {
				t.Fatalf("cycle %d: observed intervals moved the debt", report.Intent.Cycle)
			}
		}
	}
	if in := r.testbed.Settings(); in.Blocking[0] != 0 || in.Blocking[1] != 0 {
		t.Fatalf("observe changed the mesh: %v", in)
	}

	r.rules("act", thresholdActive)
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	acted := r.run(100)
	if v := violated(t, acted[40:], "compute"); v > .3 {
		t.Errorf("the threshold policy leaves %.0f %% of the intervals broken", 100*v)
	}
	last := acted[len(acted)-1]
	if last.Intent.Cycle != 140 {
		t.Errorf("cycle %d after a reload, want 140: the state was lost", last.Intent.Cycle)
	}
	for _, e := range last.Control {
		if e.Counted != 0 {
			t.Errorf("%s: a policy without margins ran up a debt over %d intervals", e.Service, e.Counted)
		}
	}
	if got := r.testbed.Settings().Blocking; got[0]+got[1] == 0 {
		t.Error("nothing is blocked in the mesh after 100 cycles")
	}
}

func TestEveryCycleIsInTheJournal(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.start()
	reports := r.run(30)
	r.stop()
	intents, outcomes := map[uint64]journal.Intent{}, map[uint64]journal.Outcome{}
	for record, err := range journal.Read(r.dir + "/state/journal") {
		if err != nil {
			t.Fatal(err)
		}
		switch record.Kind {
		case journal.KindIntent:
			var i journal.Intent
			if err := record.Decode(&i); err != nil {
				t.Fatal(err)
			}
			intents[i.Cycle] = i
		case journal.KindOutcome:
			var o journal.Outcome
			if err := record.Decode(&o); err != nil {
				t.Fatal(err)
			}
			if _, ok := intents[o.Cycle]; !ok {
				t.Errorf("outcome of cycle %d comes before its intent", o.Cycle)
			}
			outcomes[o.Cycle] = o
		}
	}
	if len(intents) != len(reports) || len(outcomes) != len(reports)-1 {
		t.Errorf("%d intents and %d outcomes of %d cycles", len(intents), len(outcomes), len(reports))
	}
	for c, o := range outcomes {
		if i := intents[c]; i.Act && o.Result != journal.ResultConverged {
			t.Errorf("cycle %d: %s (%s), want converged", c, o.Result, o.Error)
		}
	}
}

func TestRestartGoesOn(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.start()
	before := r.run(30)
	r.stop()
	r.start()
	after := r.run(1)[0]
	last := before[len(before)-1]
	if after.Intent.Cycle != last.Intent.Cycle+1 {
		t.Errorf("cycle %d follows %d", after.Intent.Cycle, last.Intent.Cycle)
	}
	if after.Outcome == nil || after.Outcome.Cycle != last.Intent.Cycle {
		t.Errorf("the open intent was not resolved: %+v", after.Outcome)
	}
	for i, e := range after.Control {
		was := last.Control[i]
		if e.Debt != was.Debt || e.Counted != was.Counted {
			t.Errorf("%s: debt %v of %d intervals after the restart, %v of %d before; the interval over a restart counts for nothing",
				e.Service, e.Debt, e.Counted, was.Debt, was.Counted)
		}
		if e.Intervals != was.Intervals+1 {
			t.Errorf("%s: %d intervals, want %d", e.Service, e.Intervals, was.Intervals+1)
		}
	}
}

func TestServicesWithoutSignalsAreHeld(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.start()
	r.run(20)
	blocked := r.testbed.Settings().Blocking
	r.testbed.Fail(testbed.Faults{Prometheus: true})
	reports := r.run(5)
	for _, report := range reports {
		if report.Intent.Hold != "no_data" {
			t.Errorf("cycle %d: hold %q while Prometheus is down, want no_data", report.Intent.Cycle, report.Intent.Hold)
		}
		for _, e := range report.Outcome.Errors {
			if e.Known {
				t.Errorf("cycle %d: an interval of %s was known without Prometheus", report.Intent.Cycle, e.Service)
			}
		}
	}
	if got := r.testbed.Settings().Blocking; got[0] < blocked[0] || got[1] < blocked[1] {
		t.Errorf("protection was loosened without data: %v, then %v", blocked, got)
	}
	r.testbed.Fail(testbed.Faults{})
	if h := holds(r.run(5)[2:]); len(h) > 0 {
		t.Errorf("still held after Prometheus came back: %v", join(h))
	}
}

func TestAPIServerDownIsAHold(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.testbed.Fail(testbed.Faults{Kubernetes: true})
	r.start() // it starts without an API server
	for _, report := range r.run(3) {
		if report.Intent.Hold != loop.HoldNoLive || report.Err == nil {
			t.Errorf("cycle %d: hold %q, error %v; want no_live and an error", report.Intent.Cycle, report.Intent.Hold, report.Err)
		}
	}
	r.testbed.Fail(testbed.Faults{})
	if h := holds(r.run(6)[2:]); len(h) > 0 {
		t.Errorf("still held after the API server came back: %v", join(h))
	}
}
