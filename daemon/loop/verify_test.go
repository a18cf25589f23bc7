package loop

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

func TestResultsFollowWhatIsInForce(t *testing.T) {
	for _, c := range []struct {
		name, result string
		counted      int
		during       func(*fake) // before the write
		after        func(*fake) // after it
	}{
		{"converged", journal.ResultConverged, 1, nil, nil},
		{"refused", journal.ResultFailed, 0, func(f *fake) { f.applyErr = errors.New("403") }, nil},
		{"answer lost", journal.ResultConverged, 1, func(f *fake) { f.applyErr, f.writes = errors.New("timeout"), true }, nil},
		{"somebody else", journal.ResultDrifted, 0, nil, func(f *fake) { f.live = action(.1, .9) }},
		{"not readable", journal.ResultUnknown, 0, nil, func(f *fake) { f.liveErr = errors.New("down") }},
	} {
		f := newFake()
		f.want = action(.3, .6)
		if c.during != nil {
			c.during(f)
		}
		l := newLoop(t, f, "act", nil)
		cycles(l, 1, 1)
		f.applyErr = nil
		if c.after != nil {
			c.after(f)
		}
		r := cycles(l, 2, 1)
		if r.Outcome == nil || r.Outcome.Result != c.result {
			t.Errorf("%s: outcome %+v, want %s", c.name, r.Outcome, c.result)
		}
		if r.Control[0].Counted != c.counted {
			t.Errorf("%s: %d intervals counted, want %d", c.name, r.Control[0].Counted, c.counted)
		}
	}
}

// The risks that a decision expects are held against what comes of it, where the policy
// had its way.
func TestExpectedRisksAreJudged(t *testing.T) {
	f := newFake()
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 6)
	if e := r.Control[0]; e.Forecasts != 5 || math.Abs(e.Bias+.25) > 1e-12 {
		t.Errorf("five good intervals with a risk of 0.25: %d forecasts with a bias of %v", e.Forecasts, e.Bias)
	}
	f = newFake()
	if e := cycles(newLoop(t, f, "observe", nil), 1, 6).Control[0]; e.Forecasts != 0 {
		t.Errorf("%d forecasts of actions that were never taken", e.Forecasts)
	}
}

func TestEditedDecisionsRunUpNoDebt(t *testing.T) {
	f := newFake()
	f.live = action(.7, .5)
	f.want = action(0, .5) // the guard allows one step of 0.2
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 2)
	if len(f.intents[0].Edits) != 1 || r.Control[0].Counted != 0 {
		t.Errorf("edits %v, %d intervals counted; want one edit and none counted", f.intents[0].Edits, r.Control[0].Counted)
	}
	if b, _ := f.intents[0].Guarded.Get(block); b < .5-1e-9 {
		t.Errorf("blocking fell to %v in one cycle", b)
	}
}

func TestOpenIntentOfAnEarlierRun(t *testing.T) {
	before := action(0, .5)
	for _, c := range []struct {
		name, result string
		live         policy.Action
	}{
		{"completed", journal.ResultConverged, action(.3, .6)},
		{"never written", journal.ResultNotApplied, before},
		{"the blocking was written, the weights were not", journal.ResultFailed, action(.3, .5)},
		{"something else", journal.ResultDrifted, action(.1, .9)},
	} {
		f := newFake()
		f.live = c.live
		f.want = c.live
		intent := journal.Intent{
			Cycle: 41, Authority: "act", PolicyRole: journal.RoleActive, Live: before, Guarded: action(.3, .6), Act: true,
			Decision: &policy.Decision{Expected: []policy.Prediction{{Service: "a", Signal: "latency", Value: .1}}},
		}
		resume, err := ResumeFrom(intent, &intent)
		if err != nil {
			t.Fatal(err)
		}
		r := cycles(newLoop(t, f, "act", func(o *Options) { o.Resume = resume }), 1, 1)
		if r.Intent.Cycle != 42 || r.Outcome == nil || r.Outcome.Cycle != 41 || r.Outcome.Result != c.result {
			t.Errorf("%s: cycle %d, outcome %+v; want %s", c.name, r.Intent.Cycle, r.Outcome, c.result)
		}
		if r.Control[0].Counted != 0 {
			t.Errorf("%s: the interval over a restart moved the debt", c.name)
		}
	}
}

// While nothing can be read after a start, the open intent stays open, over another restart
// too, and is closed once by what is then in force.
func TestOpenIntentWaitsUntilSomethingCanBeRead(t *testing.T) {
	f := newFake()
	f.live, f.liveErr = action(.3, .6), errors.New("down")
	f.want = action(.3, .6)
	acted := journal.Intent{Cycle: 41, Authority: "act", Live: action(0, .5), Guarded: action(.3, .6), Act: true, Commanded: action(0, .5)}
	open := acted
	resume, err := ResumeFrom(acted, &open)
	if err != nil {
		t.Fatal(err)
	}
	r := cycles(newLoop(t, f, "act", func(o *Options) { o.Resume = resume }), 1, 3)
	if len(f.outcomes) != 2 || f.outcomes[0].Cycle != 42 || f.intents[2].Unresolved != 41 {
		t.Fatalf("outcomes %+v, unresolved %d; want those of the cycles since, and 41 open", f.outcomes, r.Intent.Unresolved)
	}
	if resume, err = ResumeFrom(f.intents[2], &open); err != nil {
		t.Fatal(err)
	}
	f.liveErr = nil
	l := newLoop(t, f, "act", func(o *Options) { o.Resume = resume })
	r = cycles(l, 4, 1)
	if r.Outcome == nil || r.Outcome.Cycle != 41 || r.Outcome.Result != journal.ResultConverged || len(r.Intent.Drift) > 0 || r.Intent.Unresolved != 0 {
		t.Errorf("outcome %+v, drift %v", r.Outcome, r.Intent.Drift)
	}
	cycles(l, 5, 2)
	n := 0
	for _, o := range f.outcomes {
		if o.Cycle == 41 {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d outcomes of cycle 41, want 1", n)
	}
}

// An outcome that could not be recorded is recorded when the disk is back.
func TestAnOutcomeIsNotLostWithTheDisk(t *testing.T) {
	f := newFake()
	f.want = action(.3, .6)
	l := newLoop(t, f, "act", nil)
	cycles(l, 1, 1)
	f.appendErr = errors.New("disk full")
	cycles(l, 2, 3)
	f.appendErr = nil
	cycles(l, 5, 2)
	if len(f.outcomes) != 2 || f.outcomes[0].Cycle != 1 || f.outcomes[0].Result != journal.ResultConverged || f.outcomes[1].Cycle != 5 {
		t.Errorf("outcomes %+v; want those of the cycles 1 and 5", f.outcomes)
	}
}

// Outcomes that fail where intents do not are all kept, in order.
func TestLateOutcomesStayInOrder(t *testing.T) {
	f := newFake()
	l := newLoop(t, f, "act", nil)
	f.outcomeErr = errors.New("disk full")
	cycles(l, 1, 4)
	f.outcomeErr = nil
	cycles(l, 5, 1)
	var got []uint64
	for _, o := range f.outcomes {
		got = append(got, o.Cycle)
	}
	if !slices.Equal(got, []uint64{1, 2, 3, 4}) {
		t.Errorf("outcomes of the cycles %v, want 1 to 4", got)
	}
}

func TestResumeRefusesABrokenControlState(t *testing.T) {
	if _, err := ResumeFrom(journal.Intent{Cycle: 3, Control: []byte("{")}, nil); err == nil || !strings.Contains(err.Error(), "cycle 3") {
		t.Errorf("error %v, want one that names cycle 3", err)
	}
}

// Intervals under the fallback of a decision with nothing feasible are counted, and
// counted as such.
func TestFlaggedIntervalsAreCounted(t *testing.T) {
	f := newFake()
	f.infeasible, f.latency = true, .2
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 5)
	if e := r.Control[0]; e.Flagged != 4 || e.FlaggedSpent != 4 || e.Counted != 4 {
		t.Errorf("%d flagged with %v violations, %d counted; want 4 each", e.Flagged, e.FlaggedSpent, e.Counted)
	}
	if !r.Flagged {
		t.Error("the report does not say so")
	}
	f.frozen = true
	if r = cycles(l, 6, 1); r.Flagged {
		t.Error("a cycle without a newer sample is reported as an interval")
	}
	f.frozen, f.infeasible = false, false
	if r = cycles(l, 7, 2); r.Flagged || r.Control[0].Flagged != 4 {
		t.Errorf("flagged %v, %d in all, once something is feasible", r.Flagged, r.Control[0].Flagged)
	}
}
