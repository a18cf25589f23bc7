package loop

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/approve"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// What a person has to know is in the log, once.
func TestAChangedAuthorityIsLogged(t *testing.T) {
	f := newFake()
	var log bytes.Buffer
	l := newLoop(t, f, "act", func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	cycles(l, 1, 2)
	f.said = map[string]string{"VirtualService ns/vs": "stop"}
	cycles(l, 3, 3)
	f.said = nil
	cycles(l, 6, 2)
	if got := log.String(); strings.Count(got, "level=WARN") != 2 || !strings.Contains(got, "was=act is=observe") ||
		!strings.Contains(got, `VirtualService ns/vs`) || !strings.Contains(got, "was=observe is=act") {
		t.Errorf("log:\n%s", got)
	}
}

// levels answers each look at the sources with the next level; the last one stays.
type levels []string

func (l *levels) Sources() []journal.AuthoritySource {
	level := (*l)[0]
	if len(*l) > 1 {
		*l = (*l)[1:]
	}
	return []journal.AuthoritySource{{Source: authority.SourceCommand, Level: level, By: "alice"}}
}

func (*levels) Enter() func() { return func() {} }

func under(l *levels) func(*Options) { return func(o *Options) { o.Authority = l } }

func TestTheLeastAuthorityHolds(t *testing.T) {
	for _, c := range []struct {
		ceiling, command, annotation, want string
		writes                             int
	}{
		{"act", "act", "", "act", 1},
		{"act", "observe", "", "observe", 0},
		{"act", "approve", "", "approve", 0},
		{"act", "act", "observe", "observe", 0},
		{"act", "act", "stop", "observe", 0}, // no authority counts as observe
		{"act", "act", "act", "act", 1},
		{"approve", "act", "act", "approve", 0},
		{"observe", "act", "", "observe", 0},
	} {
		f := newFake()
		f.want = action(.3, .6)
		if c.annotation != "" {
			f.said = map[string]string{"VirtualService ns/vs": c.annotation}
		}
		r := cycles(newLoop(t, f, c.ceiling, under(&levels{c.command})), 1, 1)
		if r.Intent.Authority != c.want || f.applies() != c.writes {
			t.Errorf("%+v: %s, %d writes", c, r.Intent.Authority, f.applies())
		}
		if r.Intent.Sources[0].Source != authority.SourceFile || len(r.Intent.Sources) < 2 {
			t.Errorf("%+v: sources %+v", c, r.Intent.Sources)
		}
	}
}

// What is lowered after the decision keeps the cycle from writing; what is raised is for
// the next one.
func TestTheLastLookIsBeforeTheIntent(t *testing.T) {
	f := newFake()
	f.want = action(.3, .6)
	r := cycles(newLoop(t, f, "act", under(&levels{"act", "observe"})), 1, 1)
	if r.Intent.Act || r.Intent.Authority != "observe" || f.applies() != 0 || len(f.intents) != 1 || f.intents[0].Act {
		t.Errorf("act %v at %s, %d writes, intents %+v", r.Intent.Act, r.Intent.Authority, f.applies(), f.intents)
	}
	if r.Intent.Sources[1].Level != "observe" {
		t.Errorf("sources %+v", r.Intent.Sources)
	}
	f = newFake()
	f.want = action(.3, .6)
	if r := cycles(newLoop(t, f, "act", under(&levels{"observe", "act"})), 1, 1); r.Intent.Authority != "observe" || f.applies() != 0 {
		t.Errorf("raised: %s, %d writes", r.Intent.Authority, f.applies())
	}
}

// A person who is told that the mesh is stopped sees no write begin after that, whatever
// the cycle is at when he says so.
func TestNoWriteBeginsAfterAStopWasAcknowledged(t *testing.T) {
	for _, c := range []struct {
		event  string
		writes int
	}{{journal.KindOutcome, 0}, {"prepare", 0}, {journal.KindIntent, 1}, {"apply", 1}} {
		store := authority.Open(t.TempDir())
		f := newFake()
		l := newLoop(t, f, "act", func(o *Options) { o.Authority = store.Mesh("shop") })
		cycles(l, 1, 1)
		f.want = action(.3, .6)
		acknowledged := make(chan error, 1)
		late := false
		f.during = func(event string) {
			if event == c.event {
				said := make(chan struct{})
				go func() {
					err := store.Set("shop", rules.AuthorityObserve, "alice", start)
					close(said)
					acknowledged <- errors.Join(err, store.Mesh("shop").Wait(t.Context()))
				}()
				<-said
				f.during = func(event string) { late = late || event == "apply" && len(acknowledged) > 0 }
				for n := 0; n < 20 && len(acknowledged) == 0; n++ { // time for an answer that must not come
					time.Sleep(time.Millisecond)
				}
			}
		}
		cycles(l, 2, 1)
		if err := <-acknowledged; err != nil || late || f.applies() != c.writes {
			t.Errorf("stopped during %s: %v; a write began after it: %v; %d writes, want %d", c.event, err, late, f.applies(), c.writes)
		}
		if cycles(l, 3, 5); f.applies() != c.writes {
			t.Errorf("stopped during %s: %d writes after later cycles", c.event, f.applies())
		}
	}
}

// A plan waits for a person while the decisions differ in size, and is applied as it was.
func TestAnApprovedPlanIsAppliedAsItWas(t *testing.T) {
	f := newFake()
	f.want = action(.1, .6)
	desk := approve.NewDesk("shop")
	l := newLoop(t, f, "approve", func(o *Options) { o.Desk = desk })
	r := cycles(l, 1, 1)
	id := r.Intent.Pending
	if id == "" || r.Intent.Act || f.applies() != 0 {
		t.Fatalf("pending %q, act %v", id, r.Intent.Act)
	}
	f.want = action(.15, .62)
	if r = cycles(l, 2, 3); r.Intent.Pending != id || r.Intent.Superseded != "" {
		t.Errorf("pending %q, superseded %q; want it to wait", r.Intent.Pending, r.Intent.Superseded)
	}
	f.status = policy.Stale // a cycle that holds: it waits, and is not applied
	if err := desk.Approve(id, "alice"); err != nil {
		t.Fatal(err)
	}
	if r = cycles(l, 5, 1); r.Intent.Hold == "" || r.Intent.Pending != id || f.applies() != 0 {
		t.Errorf("held: %q, pending %q, %d writes", r.Intent.Hold, r.Intent.Pending, f.applies())
	}
	f.status = policy.Valid
	f.want = action(.2, .55)
	r = cycles(l, 6, 1)
	if a := r.Intent.Approval; a == nil || a.ID != id || a.By != "alice" || !r.Intent.Act || !f.live.Equal(action(.1, .6), 1e-12) {
		t.Errorf("approval %+v, live %v; want the plan as it was", a, f.live)
	}
	if last := len(f.intents) - 1; f.intents[last].Approval == nil || !f.durable[last] || f.events[len(f.events)-1] != "apply" || f.events[len(f.events)-2] != journal.KindIntent {
		t.Errorf("the intent is not on disk before: %v", f.events)
	}
	r = cycles(l, 7, 1)
	if r.Outcome.Result != journal.ResultConverged || r.Intent.Pending == id || r.Intent.Approval != nil {
		t.Errorf("then: %+v, pending %q", r.Outcome, r.Intent.Pending)
	}
	if r.Control[0].Counted != 0 {
		t.Errorf("%d intervals at approve moved the debt", r.Control[0].Counted)
	}
}

func TestAPlanIsNotAppliedOnceItIsNotAdmitted(t *testing.T) {
	for _, c := range []struct {
		name, why string
		change    func(f *fake)
	}{
		{"others changed what is in force", "settings in force", func(f *fake) { f.live = action(.05, .5) }},
		{"the policy wants the other way", "that way any more", func(f *fake) { f.want = action(.1, .4) }},
		{"the policy wants nothing any more", "that way any more", func(f *fake) { f.want = f.live.Clone() }},
		{"the authority was lowered", "the authority is observe", func(f *fake) { f.said = map[string]string{"VirtualService ns/vs": "observe"} }},
		{"it waited too long", "expired", func(*fake) {}},
	} {
		f := newFake()
		f.want = action(.1, .6)
		desk := approve.NewDesk("shop")
		l := newLoop(t, f, "approve", func(o *Options) { o.Desk = desk })
		id := cycles(l, 1, 1).Intent.Pending
		if err := desk.Approve(id, "alice"); err != nil {
			t.Fatal(err)
		}
		c.change(f)
		at := 2
		if c.why == "expired" {
			at = 1 + 15*60/5
		}
		r := cycles(l, at, 1)
		if !strings.Contains(r.Intent.Superseded, id) || !strings.Contains(r.Intent.Superseded, c.why) || r.Intent.Act || f.applies() != 0 {
			t.Errorf("%s: superseded %q, %d writes", c.name, r.Intent.Superseded, f.applies())
		}
	}
}

// A plan that was approved and could not be tried or recorded stays so.
func TestAnApprovedPlanOutlastsARefusal(t *testing.T) {
	f := newFake()
	f.want = action(.1, .6)
	desk := approve.NewDesk("shop")
	l := newLoop(t, f, "approve", func(o *Options) { o.Desk = desk })
	id := cycles(l, 1, 1).Intent.Pending
	if err := desk.Approve(id, "alice"); err != nil {
		t.Fatal(err)
	}
	f.prepareErr = errors.New("webhook is down")
	if r := cycles(l, 2, 1); r.Intent.Hold != HoldRefused || f.applies() != 0 {
		t.Errorf("refused: hold %q", r.Intent.Hold)
	}
	f.prepareErr, f.appendErr = nil, errors.New("disk full")
	if r := cycles(l, 3, 1); r.Intent.Hold != HoldJournal || f.applies() != 0 {
		t.Errorf("disk full: hold %q", r.Intent.Hold)
	}
	f.appendErr = nil
	if r := cycles(l, 4, 1); r.Intent.Approval == nil || r.Intent.Approval.ID != id || f.applies() != 1 {
		t.Errorf("approval %+v, %d writes", r.Intent.Approval, f.applies())
	}
}

// At observe what is in force is the others' to set; windvane goes on from there, over a
// restart too, and until then a release tells what it had set itself.
func TestWhatIsHandedOver(t *testing.T) {
	for _, restart := range []bool{false, true} {
		f := newFake()
		f.want = action(.3, .6)
		command := &levels{"act"}
		l := newLoop(t, f, "act", under(command))
		cycles(l, 1, 1)
		*command = levels{"observe"}
		cycles(l, 2, 1)
		f.live = action(0, .5) // by hand
		r := cycles(l, 3, 2)
		if left := l.Resume().Left(); len(r.Intent.Drift) > 0 || len(left) != 1 || !left[0].Equal(action(.3, .6), 1e-9) {
			t.Errorf("drift %v, left %v; want none, and what windvane had set", r.Intent.Drift, left)
		}
		if restart {
			resume, err := ResumeFrom(r.Intent, nil)
			if err != nil {
				t.Fatal(err)
			}
			l = newLoop(t, f, "act", func(o *Options) { o.Authority, o.Resume = command, resume })
		}
		*command = levels{"act"}
		f.want = f.live.Clone()
		if r = cycles(l, 5, 2); len(r.Intent.Drift) > 0 || r.Intent.Hold != "" || !r.Intent.Commanded.Equal(f.live, 1e-9) {
			t.Errorf("restart %v: drift %v, hold %q, commanded %v", restart, r.Intent.Drift, r.Intent.Hold, r.Intent.Commanded)
		}
		f.live = action(.1, .5)
		if r = cycles(l, 7, 1); r.Intent.Hold != HoldDrift {
			t.Errorf("restart %v: hold %q after another's change at act", restart, r.Intent.Hold)
		}
	}
}

// At approve, drift is what others change after windvane wrote; before, all is theirs.
func TestDriftAtApprove(t *testing.T) {
	f := newFake()
	f.want = action(.1, .6)
	desk := approve.NewDesk("shop")
	l := newLoop(t, f, "approve", func(o *Options) { o.Desk = desk })
	cycles(l, 1, 1)
	f.live = action(.05, .5)
	r := cycles(l, 2, 1)
	if len(r.Intent.Drift) > 0 || r.Intent.Pending == "" {
		t.Errorf("nothing was written yet, and there is drift: %v", r.Intent.Drift)
	}
	if err := desk.Approve(r.Intent.Pending, "alice"); err != nil {
		t.Fatal(err)
	}
	cycles(l, 3, 2)
	f.live = action(.05, .5)
	if r = cycles(l, 5, 1); r.Intent.Hold != HoldDrift || f.applies() != 1 {
		t.Errorf("hold %q, %d writes", r.Intent.Hold, f.applies())
	}
}
