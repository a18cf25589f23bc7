package loop

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

func onDrift(d rules.OnDrift) func(*Options) {
	return func(o *Options) {
		m := *o.Mesh
		m.Guard.OnDrift = d
		o.Mesh = &m
	}
}

// applies counts the writes so far.
func (f *fake) applies() int {
	return len(slices.DeleteFunc(slices.Clone(f.events), func(e string) bool { return e != "apply" }))
}

// Somebody else's change is left alone until it is put back, over a restart too.
func TestDriftIsHeldUntilItIsPutBack(t *testing.T) {
	f := newFake()
	f.want = action(.3, .6)
	l := newLoop(t, f, "act", nil)
	cycles(l, 1, 3)
	f.live, f.want = action(.3, .9), action(.4, .6)
	r := cycles(l, 4, 5)
	want := []policy.Change{{KnobID: v1, From: .6, To: .9}, {KnobID: v2, From: .4, To: .1}}
	if r.Intent.Hold != HoldDrift || r.Intent.Act || len(r.Intent.Drift) != 2 || !slices.EqualFunc(r.Intent.Drift, want, sameChange) || f.applies() != 1 {
		t.Fatalf("hold %q, drift %v, %d writes; want a hold, %v and 1", r.Intent.Hold, r.Intent.Drift, f.applies(), want)
	}
	resume, err := ResumeFrom(r.Intent, &r.Intent)
	if err != nil {
		t.Fatal(err)
	}
	l = newLoop(t, f, "act", func(o *Options) { o.Resume = resume })
	if r = cycles(l, 9, 2); r.Intent.Hold != HoldDrift || f.applies() != 1 {
		t.Errorf("after a restart: hold %q, %d writes", r.Intent.Hold, f.applies())
	}
	f.live = action(.3, .6)
	if r = cycles(l, 11, 1); r.Intent.Hold != "" || len(r.Intent.Drift) > 0 || f.applies() != 2 {
		t.Errorf("put back: hold %q, drift %v, %d writes", r.Intent.Hold, r.Intent.Drift, f.applies())
	}
}

func sameChange(a, b policy.Change) bool {
	return a.KnobID == b.KnobID && near(a.From, b.From) && near(a.To, b.To)
}

// A controller that undoes what windvane wrote is not fought either.
func TestAWriteThatIsUndoneIsDrift(t *testing.T) {
	f := newFake()
	f.want = action(.3, .5)
	l := newLoop(t, f, "act", nil)
	cycles(l, 1, 1)
	f.live = action(0, .5)
	if r := cycles(l, 2, 4); r.Intent.Hold != HoldDrift || f.applies() != 1 {
		t.Errorf("hold %q, %d writes; want one", r.Intent.Hold, f.applies())
	}
}

func TestDriftIsAdopted(t *testing.T) {
	f := newFake()
	f.want = action(.3, .6)
	l := newLoop(t, f, "act", onDrift(rules.OnDriftAdopt))
	cycles(l, 1, 2)
	f.live, f.want = action(.3, .9), action(.3, .9)
	r := cycles(l, 3, 1)
	if r.Intent.Hold != "" || len(r.Intent.Drift) != 2 {
		t.Errorf("hold %q, drift %v", r.Intent.Hold, r.Intent.Drift)
	}
	if r = cycles(l, 4, 2); len(r.Intent.Drift) > 0 || !r.Intent.Commanded.Equal(f.live, 1e-9) {
		t.Errorf("adopted, but drift %v from %v", r.Intent.Drift, r.Intent.Commanded)
	}
}

// What is not drift: rounding, a write that failed or was only partly made, whatever
// happens below authority act, and settings that could not be read for a while.
func TestWhatIsNoDrift(t *testing.T) {
	for _, c := range []struct {
		name, authority string
		run             func(f *fake, l *Loop)
	}{
		{"rounding", "act", func(f *fake, l *Loop) {
			f.want = action(.3, .6049)
			cycles(l, 1, 1)
			f.live = action(.3, .6)
		}},
		{"a failed write", "act", func(f *fake, l *Loop) {
			f.want, f.applyErr = action(.3, .6), errors.New("403")
			cycles(l, 1, 1)
		}},
		{"a write made by half", "act", func(f *fake, l *Loop) {
			f.want, f.applyErr = action(.3, .6), errors.New("timeout")
			cycles(l, 1, 1)
			f.live = action(.3, .5)
		}},
		{"below act", "observe", func(f *fake, l *Loop) {
			cycles(l, 1, 1)
			f.live = action(.8, .1)
		}},
		{"not readable after the write", "act", func(f *fake, l *Loop) {
			f.want = action(.3, .6)
			cycles(l, 1, 1)
			f.liveErr = errors.New("down")
			cycles(l, 2, 3)
			f.liveErr = nil
		}},
	} {
		f := newFake()
		l := newLoop(t, f, c.authority, nil)
		c.run(f, l)
		f.applyErr, f.want = nil, nil
		if r := cycles(l, 10, 1); r.Intent.Hold != "" || len(r.Intent.Drift) > 0 {
			t.Errorf("%s: hold %q, drift %v", c.name, r.Intent.Hold, r.Intent.Drift)
		}
	}
}

// The process may have ended after the outcome of a write and before the next intent.
func TestAWriteWhoseOutcomeIsKnownIsNoDrift(t *testing.T) {
	f := newFake()
	f.live = action(.3, .6)
	acted := journal.Intent{Cycle: 4, Authority: "act", Live: action(0, .5), Commanded: action(0, .5), Guarded: action(.3, .6), Act: true}
	resume, err := ResumeFrom(acted, nil)
	if err != nil || len(resume.Left()) != 2 {
		t.Fatalf("left %v, %v", resume.Left(), err)
	}
	if r := cycles(newLoop(t, f, "act", func(o *Options) { o.Resume = resume }), 1, 1); len(r.Intent.Drift) > 0 || r.Intent.Hold != "" {
		t.Errorf("drift %v, hold %q", r.Intent.Drift, r.Intent.Hold)
	}
}

// What would be refused never becomes an intent that acts.
func TestWhatIsRefusedIsHeld(t *testing.T) {
	f := newFake()
	f.want, f.prepareErr = action(.3, .6), errors.New("Deployment ns/a is set by HorizontalPodAutoscaler b")
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 3)
	if r.Intent.Hold != HoldRefused || r.Intent.Act || f.applies() != 0 || !strings.Contains(r.Err.Error(), "HorizontalPodAutoscaler b") || len(r.Intent.Plan) == 0 {
		t.Errorf("hold %q, act %v, %d writes, error %v", r.Intent.Hold, r.Intent.Act, f.applies(), r.Err)
	}
	if o := r.Outcome; o == nil || o.Result != journal.ResultNotApplied {
		t.Errorf("outcome %+v", o)
	}
	f.prepareErr = nil
	if r = cycles(l, 4, 1); r.Intent.Hold != "" || f.applies() != 1 {
		t.Errorf("once it is admitted: hold %q, %d writes", r.Intent.Hold, f.applies())
	}
}

// What was there before windvane is on disk before the first write, and is handed on.
func TestBaselineIsRecordedBeforeTheWrite(t *testing.T) {
	f := newFake()
	l := newLoop(t, f, "act", nil)
	cycles(l, 1, 1)
	f.want = action(.3, .6)
	cycles(l, 2, 1)
	f.want = action(.4, .6)
	cycles(l, 3, 1)
	const object = "VirtualService ns/vs"
	if len(f.intents[0].Baseline) != 0 || string(f.intents[1].Baseline[object]) != `"as it was"` || string(f.baseline[object]) != `"as it was"` {
		t.Errorf("baselines %v, %v, applied %v", f.intents[0].Baseline, f.intents[1].Baseline, f.baseline)
	}
	if len(f.known) != 2 || len(f.known[0]) != 0 || string(f.known[1][object]) != `"as it was"` {
		t.Errorf("known %v", f.known)
	}
	resume, err := ResumeFrom(f.intents[2], nil)
	if err != nil || string(resume.Baseline[object]) != `"as it was"` || !resume.Commanded.Equal(action(.3, .6), 1e-9) {
		t.Errorf("resume %+v, %v", resume, err)
	}
}
