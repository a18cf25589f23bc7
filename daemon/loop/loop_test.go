package loop

import (
	"errors"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/journal"
)

func TestIntentIsRecordedBeforeItIsApplied(t *testing.T) {
	f := newFake()
	f.want = action(.3, .6)
	l := newLoop(t, f, "act", nil)
	cycles(l, 1, 2)
	want := "intent apply outcome intent"
	if got := strings.Join(f.events, " "); got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	if !f.durable[0] {
		t.Error("the intent that acts was not made durable")
	}
	if o := f.outcomes[0]; o.Result != journal.ResultConverged || o.Cycle != 1 || !o.Errors[0].Known || !o.Errors[0].Counted || o.Errors[0].Expected != .09 {
		t.Errorf("outcome %+v", o)
	}
}

func TestWithoutTheIntentOnDiskNothingIsDone(t *testing.T) {
	f := newFake()
	f.want, f.appendErr = action(.3, .6), errors.New("disk full")
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 1)
	if len(f.events) != 0 || r.Intent.Hold != HoldJournal || r.Intent.Act || !strings.Contains(r.Err.Error(), "disk full") {
		t.Errorf("events %v, hold %q, error %v", f.events, r.Intent.Hold, r.Err)
	}
	f.appendErr = nil
	if r = cycles(l, 2, 1); r.Outcome != nil || !r.Intent.Act {
		t.Errorf("after the disk came back: outcome %v, act %v; want none, true", r.Outcome, r.Intent.Act)
	}
}

func TestObserveAndApproveNeverApply(t *testing.T) {
	for _, authority := range []string{"observe", "approve"} {
		f := newFake()
		f.want = action(.3, .6)
		l := newLoop(t, f, authority, nil)
		r := cycles(l, 1, 20)
		if strings.Contains(strings.Join(f.events, " "), "apply") {
			t.Errorf("%s: it was applied", authority)
		}
		if len(r.Intent.Plan) != 3 || r.Intent.Act || r.Outcome.Result != journal.ResultNotApplied {
			t.Errorf("%s: plan %v, act %v, outcome %s", authority, r.Intent.Plan, r.Intent.Act, r.Outcome.Result)
		}
		if r.Control[0].Counted != 0 || r.Control[0].Intervals != 20 {
			t.Errorf("%s: %d of %d intervals counted, want 0 of 20", authority, r.Control[0].Counted, r.Control[0].Intervals)
		}
	}
}

func TestFallbackDecidesInTheSameCycle(t *testing.T) {
	f := newFake()
	f.decideErr = errors.New("plugin died")
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 1)
	i := r.Intent
	if i.Policy != "rules" || i.PolicyRole != journal.RoleFallback || !strings.Contains(i.FallbackReason, "plugin died") || !i.Act {
		t.Errorf("intent %+v", i)
	}
	if b, _ := f.live.Get(block); b != .5 {
		t.Errorf("blocking %v, want the fallback's 0.5", b)
	}
	r = cycles(l, 2, 1)
	if r.Control[0].Counted != 0 {
		t.Error("the fallback's interval moved the debt")
	}
	f.decideErr = nil
	if r = cycles(l, 3, 1); r.Intent.Policy != "planner" || r.Intent.FallbackReason != "" {
		t.Errorf("the active policy did not come back: %+v", r.Intent)
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("options without anything were taken")
	}
}
