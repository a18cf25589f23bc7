package loop

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/verify"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
)

// newStuck is a mesh whose requests stay as they are, whatever it is set to.
func newStuck(follows policy.Action) *fake {
	f := newFake()
	f.split, f.offered, f.follows, f.live = true, 100, follows, follows
	return f
}

// demoted gives a loop an authority of its own, which can be lowered.
func demoted(t *testing.T) (*authority.Mesh, func(*Options)) {
	t.Helper()
	m := authority.Open(t.TempDir()).Mesh("shop")
	return m, func(o *Options) { o.Authority, o.Demoter = m, m }
}

func value(t *testing.T, a policy.Action, id policy.KnobID) float64 {
	t.Helper()
	v, ok := a.Get(id)
	if !ok {
		t.Fatalf("no %s in %v", id, a)
	}
	return v
}

func TestAChangeThatIsNotFollowedIsRevertedAndTriedLessAndLessOften(t *testing.T) {
	f := newStuck(action(0, .5))
	f.want = action(0, .7)
	_, withAuthority := demoted(t)
	l := newLoop(t, f, "act", withAuthority)
	var applied, reverted []uint64
	demotedAt := uint64(0)
	for n := range 80 {
		r := cycles(l, 1+n, 1)
		switch {
		case r.Intent.Reverts():
			reverted = append(reverted, r.Intent.Cycle)
			if got := value(t, f.live, v1); got != .5 {
				t.Fatalf("cycle %d: reverted to %v, want 0.5", r.Intent.Cycle, got)
			}
		case r.Intent.Act:
			applied = append(applied, r.Intent.Cycle)
		}
		if r.Demoted != "" {
			demotedAt = r.Intent.Cycle
			if !strings.Contains(r.Demoted, "service a did not follow 5 changes in a row") || r.Intent.Authority != "observe" {
				t.Errorf("authority %s: %s", r.Intent.Authority, r.Demoted)
			}
		}
	}
	// A change in cycle n is in force alone from n+2 on, and away for the third time in n+4;
	// then 1, 2, 4, … cycles pass without a change.
	if !slices.Equal(applied, []uint64{1, 7, 14, 23, 36}) || !slices.Equal(reverted, []uint64{5, 11, 18, 27, 40}) || demotedAt != 41 {
		t.Errorf("applied in %v, reverted in %v, demoted in %d", applied, reverted, demotedAt)
	}
	if got := value(t, f.live, v1); got != .5 || len(f.intents) != 80 {
		t.Errorf("%v is in force after %d cycles", got, len(f.intents))
	}
}

// While a mesh is left alone, and whatever did not follow, what protects is raised at once.
func TestRaisingBlockingIsNeverBackedOff(t *testing.T) {
	f := newStuck(action(0, .5))
	f.want = action(0, .7)
	l := newLoop(t, f, "act", nil)
	if r := cycles(l, 1, 5); !r.Intent.Reverts() {
		t.Fatalf("not reverted: %+v", r.Verified)
	}
	f.want = action(.3, .7)
	r := cycles(l, 6, 1)
	if b, w := value(t, f.live, block), value(t, f.live, v1); b != .3 || w != .5 {
		t.Errorf("blocking %v, weight %v; want 0.3 and 0.5", b, w)
	}
	if len(r.Intent.Edits) == 0 || r.Intent.Edits[0].Reason != string(guard.BackOff) || r.Intent.Limits.Frozen != string(guard.BackOff) {
		t.Errorf("edits %+v, limits %+v; want the policy and the journal to know of the back-off", r.Intent.Edits, r.Intent.Limits)
	}
}

// Blocking that takes no effect is not lowered, whatever a revert would be.
func TestARevertNeverLowersWhatProtects(t *testing.T) {
	f := newStuck(action(0, .5))
	f.want = action(.4, .7)
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 5)
	if b, w := value(t, f.live, block), value(t, f.live, v1); !r.Intent.Reverts() || b != .4 || w != .5 {
		t.Errorf("blocking %v, weight %v; want 0.4 to stay and 0.5 as before", b, w)
	}

	f = newStuck(action(0, .5))
	f.want = action(.4, .5)
	l = newLoop(t, f, "act", nil)
	r = cycles(l, 1, 5)
	if i := r.Intent; i.Act || i.Revert == nil || !strings.Contains(i.Revert.Held, "nothing to put back") || value(t, f.live, block) != .4 {
		t.Errorf("revert %+v, blocking %v; want it held", i.Revert, value(t, f.live, block))
	}

	f = newStuck(action(.4, .5))
	f.follows, f.want = action(.4, .5), action(.2, .7) // lower blocking does not show as too little refused
	l = newLoop(t, f, "act", nil)
	cycles(l, 1, 5)
	if b := value(t, f.live, block); b != .4 {
		t.Errorf("blocking %v, want it raised back to 0.4 with the weights", b)
	}
}

// A mesh that follows is never reverted, however often it is changed.
func TestWhatFollowsIsLeftAlone(t *testing.T) {
	f := newFake()
	f.split, f.offered = true, 100
	m, withAuthority := demoted(t)
	l := newLoop(t, f, "act", withAuthority)
	for n := range 100 {
		f.want = action(float64(n%4)/5, .5+float64(n%3)/5)
		r := cycles(l, 1+n, 1)
		if r.Intent.Revert != nil || r.Verified != nil && r.Verified.Failed+len(r.Verified.Away) > 0 {
			t.Fatalf("cycle %d: %+v, %+v", n, r.Intent.Revert, r.Verified)
		}
	}
	if got := m.Sources(); len(got) != 0 {
		t.Errorf("sources %+v", got)
	}
}

// What requests did under other settings than those in force moves neither the margin nor
// the evidence.
func TestNothingIsLearnedWhileRequestsDoNotFollow(t *testing.T) {
	f := newStuck(action(0, .5))
	f.want = action(0, .7)
	l := newLoop(t, f, "act", nil)
	cycles(l, 1, 2)
	before := cycles(l, 3, 1).Control[0]
	if r := cycles(l, 4, 1); r.Control[0].Counted != before.Counted || len(l.evidence.Harm) > 0 && l.evidence.Harm[0].Seen > before.Counted {
		t.Errorf("%d intervals counted, want %d", r.Control[0].Counted, before.Counted)
	}
}

// A sample from before the settling time is over is of no setting that is known.
func TestNothingIsLearnedFromSamplesThatAreSettling(t *testing.T) {
	for settle, want := range map[string]int{"1s": 9, "6s": 1} {
		f := newFake()
		m, err := rules.Parse("shop.toml", []byte(strings.NewReplacer("AUTHORITY", "act", `"1s"`, `"`+settle+`"`).Replace(meshText)+"cooldown = '0s'\n"))
		if err != nil {
			t.Fatal(err)
		}
		l := newLoop(t, f, "act", func(o *Options) { o.Mesh = m })
		for n := range 10 {
			f.want = action(0, .5+.1*float64(n%2))
			if r := cycles(l, 1+n, 1); r.Outcome != nil && r.Outcome.Partial != (settle == "6s" && n > 1) {
				t.Errorf("settle %s, cycle %d: partial %v", settle, 1+n, r.Outcome.Partial)
			}
		}
		if e := l.control[0]; e.Counted != want || len(l.evidence.Harm) > 0 && l.evidence.Harm[0].Seen != want { // the first cycle changes nothing
			t.Errorf("settle %s: %d intervals counted, want %d", settle, e.Counted, want)
		}
	}
}

// The evidence goes on after a restart where it was.
func TestFailuresAreRememberedOverARestart(t *testing.T) {
	f := newStuck(action(0, .5))
	f.want = action(0, .7)
	l := newLoop(t, f, "act", nil)
	cycles(l, 1, 12) // reverted twice
	last := f.intents[len(f.intents)-1]
	resume, err := ResumeFrom(last, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := resume.evidence.Follow.Services["a"]
	if want := (verify.Follow{Failures: 2, Retry: 14}); got.Failures != want.Failures || got.Retry != want.Retry {
		t.Errorf("%+v, want %+v", got, want)
	}
	l = newLoop(t, f, "act", func(o *Options) { o.Resume = resume })
	if r := cycles(l, 13, 1); r.Intent.Act || r.Intent.Limits.Frozen != string(guard.BackOff) {
		t.Errorf("changed during the back-off: %+v", r.Intent.Plan)
	}
	if _, err := ResumeFrom(journal.Intent{Cycle: 3, Evidence: json.RawMessage("{")}, nil); err == nil || !strings.Contains(err.Error(), "evidence in the journal's intent of cycle 3") {
		t.Errorf("error %v", err)
	}
}

// What others have changed since, and what was set before windvane was stopped, is not put
// back when it turns out that it is not followed.
func TestWhatIsOthersIsNotPutBack(t *testing.T) {
	for name, during := range map[string]func(f *fake, n int){
		"changed by somebody else": func(f *fake, n int) {
			if n == 3 {
				f.live = action(0, .9)
			}
		},
		"stopped meanwhile": func(f *fake, n int) {
			f.said = nil
			if n == 3 {
				f.said = map[string]string{"VirtualService ns/vs": "observe"}
			}
		},
	} {
		f := newStuck(action(0, .5))
		f.want = action(0, .7)
		m, err := rules.Parse("shop.toml", []byte(strings.Replace(meshText, `"AUTHORITY"`, "\"act\"\non_drift = \"adopt\"", 1)))
		if err != nil {
			t.Fatal(err)
		}
		l := newLoop(t, f, "act", func(o *Options) { o.Mesh = m })
		for n := 1; n < 12; n++ {
			during(f, n)
			if n == 2 {
				f.want = nil
			}
			if r := cycles(l, n, 1); r.Intent.Revert != nil {
				t.Errorf("%s: in cycle %d, %+v", name, n, r.Intent.Revert)
			}
		}
	}
}

// Another controller that puts back what windvane sets is left to it more and more, and then
// for good.
func TestAControllerThatUndoesEveryChangeIsNotFought(t *testing.T) {
	f := newFake()
	f.want = action(0, .7)
	_, withAuthority := demoted(t)
	m, err := rules.Parse("shop.toml", []byte(strings.Replace(meshText, `"AUTHORITY"`, "\"act\"\non_drift = \"adopt\"", 1)))
	if err != nil {
		t.Fatal(err)
	}
	l := newLoop(t, f, "act", func(o *Options) { withAuthority(o); o.Mesh = m })
	var applied []uint64
	demotedAt := uint64(0)
	for n := 1; n <= 40; n++ {
		r := cycles(l, n, 1)
		if r.Intent.Act {
			applied = append(applied, r.Intent.Cycle)
		}
		if r.Demoted != "" {
			demotedAt = r.Intent.Cycle
		}
		f.live = action(0, .5)
	}
	if !slices.Equal(applied, []uint64{1, 4, 8, 14, 24}) || demotedAt != 25 {
		t.Errorf("applied in %v, demoted in %d", applied, demotedAt)
	}
}
