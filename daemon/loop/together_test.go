package loop

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
)

// restarted is a loop in a new process, which knows what is on disk: the newest intent, and
// whether it has its outcome.
func restarted(t *testing.T, f *fake, change func(*Options)) *Loop {
	t.Helper()
	raw, err := json.Marshal(f.intents[len(f.intents)-1])
	if err != nil {
		t.Fatal(err)
	}
	var newest journal.Intent
	if err := json.Unmarshal(raw, &newest); err != nil {
		t.Fatal(err)
	}
	open := &newest
	if slices.ContainsFunc(f.outcomes, func(o journal.Outcome) bool { return o.Cycle == newest.Cycle }) {
		open = nil
	}
	resume, err := ResumeFrom(newest, open)
	if err != nil {
		t.Fatal(err)
	}
	return newLoop(t, f, "act", func(o *Options) {
		if o.Resume = resume; change != nil {
			change(o)
		}
	})
}

// A restart right behind a change does not forget that it is to be followed.
func TestAChangeIsWatchedOverARestart(t *testing.T) {
	f := newStuck(action(0, .5))
	l := newLoop(t, f, "act", nil)
	cycles(l, 1, 3)
	f.want = action(0, .7)
	if r := cycles(l, 4, 1); !r.Intent.Act {
		t.Fatalf("%+v", r.Intent)
	}
	l = restarted(t, f, nil)
	f.want = nil
	for n := range 8 {
		if r := cycles(l, 5+n, 1); r.Intent.Revert != nil {
			return
		}
	}
	t.Errorf("not noticed: %+v", l.evidence.Follow)
}

// A revert that could not be tried or recorded is made as soon as it can be.
func TestARevertOutlastsARefusal(t *testing.T) {
	for name, broken := range map[string]func(f *fake, err error){
		"refused":   func(f *fake, err error) { f.prepareErr = err },
		"disk full": func(f *fake, err error) { f.appendErr = err },
	} {
		f := newStuck(action(0, .5))
		f.want = action(0, .7)
		l := newLoop(t, f, "act", nil)
		cycles(l, 1, 4)
		f.want = nil
		broken(f, errors.New("broken"))
		if r := cycles(l, 5, 2); r.Intent.Act || value(t, f.live, v1) != .7 {
			t.Fatalf("%s: %+v", name, r.Intent)
		}
		broken(f, nil)
		cycles(l, 7, 3)
		if got := value(t, f.live, v1); got != .5 {
			t.Errorf("%s: %v is in force, want it put back to 0.5: %+v", name, got, l.evidence.Follow)
		}
		if n := l.evidence.Follow.Services["a"].Failures; n != 1 {
			t.Errorf("%s: %d failures, want 1", name, n)
		}
	}
}

// A cooldown does not hide that a mesh is left alone: what goes wrong then is no debt.
func TestBackOffInACooldownIsNoDebt(t *testing.T) {
	f := newStuck(action(0, .5))
	f.want = action(0, .7)
	l := paced(t, f, "cooldown = '12s'", Resume{})
	n := 1
	for r := cycles(l, n, 1); !r.Intent.Reverts(); r = cycles(l, n, 1) {
		if n++; n > 12 {
			t.Fatal("no revert")
		}
	}
	f.want = nil
	for range 2 {
		n++
		r := cycles(l, n, 1)
		if l.evidence.Follow.Retry() > r.Intent.Cycle && r.Intent.Limits.Frozen != string(guard.BackOff) {
			t.Errorf("cycle %d: frozen for %q, want it said that it is left alone", r.Intent.Cycle, r.Intent.Limits.Frozen)
		}
	}
}

// The interval that a reload with another active policy cuts was not that one's choice.
func TestAnIntervalOfThePolicyBeforeIsNotCounted(t *testing.T) {
	f := broken()
	l := newLoop(t, f, "act", nil)
	before := cycles(l, 1, 3).Control[0]
	l = newLoop(t, f, "act", func(o *Options) { o.Resume, o.Active = l.Resume(), &Decider{Name: "other", Policy: f} })
	r := cycles(l, 4, 1)
	if is := r.Control[0]; is.Counted != before.Counted || is.Debt != before.Debt || len(l.evidence.Harm) > 0 {
		t.Errorf("counted %d, debt %v, evidence %+v; want %d, %v and none", is.Counted, is.Debt, l.evidence.Harm, before.Counted, before.Debt)
	}
	if is := cycles(l, 5, 1).Control[0]; is.Counted != before.Counted+1 {
		t.Errorf("its own interval: counted %d, want %d", is.Counted, before.Counted+1)
	}
}

// A demotion that could not be written is made again after a restart: only a person lifts it.
func TestADemotionThatCouldNotBeWrittenOutlastsARestart(t *testing.T) {
	f := broken()
	m := authority.Open("/proc/self/nowhere").Mesh("shop")
	with := func(m *authority.Mesh) func(*Options) {
		return func(o *Options) { o.Authority, o.Demoter = m, m }
	}
	l := newLoop(t, f, "act", with(m))
	n := 1
	for r := cycles(l, n, 1); r.Demoted == ""; r = cycles(l, n, 1) {
		if n++; n > 150 {
			t.Fatal("not demoted")
		}
	}
	store := authority.Open(t.TempDir())
	l = restarted(t, f, with(store.Mesh("shop")))
	if r := cycles(l, n+1, 1); r.Intent.Authority != "observe" || r.Demoted == "" {
		t.Errorf("after a restart: %s, %q", r.Intent.Authority, r.Demoted)
	}
	if err := store.Set("shop", rules.AuthorityAct, "alice", start); err != nil {
		t.Fatal(err)
	}
	if r := cycles(l, n+2, 2); r.Intent.Authority != "act" {
		t.Errorf("after a person lifted it: %s", r.Intent.Authority)
	}
	l = restarted(t, f, with(store.Mesh("shop")))
	if r := cycles(l, n+4, 2); r.Intent.Authority != "act" {
		t.Errorf("and one restart more: %s, %q", r.Intent.Authority, r.Demoted)
	}
}

// Where the clock was put back, what was changed lies ahead of it: it settles from now on,
// and not until the time comes again.
func TestSettlingEndsThoughTheClockWasPutBack(t *testing.T) {
	f := newFake()
	l := newLoop(t, f, "act", nil)
	f.want = action(.4, .5)
	cycles(l, 1000, 1)
	f.want = nil
	l.control[0].At = time.Time{}
	l.seen = Resume{}.seen
	if r := cycles(l, 1, 3); r.Outcome.Partial {
		t.Error("still settling")
	}
}

// What is in force was handed over; a restart before it could be read again does not make it
// somebody else's change.
func TestHandedOverAndRestartedWhileNothingCanBeRead(t *testing.T) {
	f := newFake()
	f.want = action(.3, .6)
	command := &levels{"act"}
	l := newLoop(t, f, "act", under(command))
	cycles(l, 1, 1)
	*command = levels{"observe"}
	cycles(l, 2, 1)
	f.live, f.want = action(.1, .5), nil // by hand
	cycles(l, 3, 1)
	*command = levels{"act"}
	f.liveErr = errors.New("down")
	cycles(l, 4, 1)
	l = restarted(t, f, under(command))
	f.liveErr = nil
	if r := cycles(l, 5, 1); r.Intent.Hold == HoldDrift {
		t.Errorf("drift %v", r.Intent.Drift)
	}
}

// What settles goes on settling after a restart.
func TestSettlingOverARestart(t *testing.T) {
	f := newFake()
	m, err := rules.Parse("shop.toml", []byte(strings.NewReplacer("AUTHORITY", "act", `"1s"`, `"30s"`).Replace(meshText)+"cooldown = '0s'\n"))
	if err != nil {
		t.Fatal(err)
	}
	l := newLoop(t, f, "act", func(o *Options) { o.Mesh = m })
	f.want = action(.4, .7)
	cycles(l, 1, 1)
	f.want = nil
	l = restarted(t, f, func(o *Options) { o.Mesh = m })
	for n := 2; n < 9; n++ {
		if r := cycles(l, n, 1); r.Outcome.Partial != (n < 7) {
			t.Errorf("cycle %d: partial %v", n, r.Outcome.Partial)
		}
	}
}

// What settles does so from the time of the write on, which a slow cycle makes late, and not
// from the time that the cycle was due.
func TestSettlingBeginsWithTheWrite(t *testing.T) {
	f := newFake()
	f.scrape = 2 * time.Second // the sample that a cycle sees is of 3 s before
	clock := time.Duration(0)
	l := newLoop(t, f, "act", func(o *Options) { o.Clock = func() time.Duration { return clock } })
	cycles(l, 1, 2)
	f.during = func(event string) {
		if event == "apply" {
			clock += 2 * time.Second
		}
	}
	f.want = action(.4, .5)
	cycles(l, 3, 1)
	f.want = nil
	if r := cycles(l, 4, 1); !r.Outcome.Partial || r.Outcome.Errors[0].Counted {
		t.Errorf("a sample of when it was written counts: %+v", r.Outcome)
	}
	if r := cycles(l, 5, 1); r.Outcome.Partial {
		t.Errorf("the next: %+v", r.Outcome)
	}
}
