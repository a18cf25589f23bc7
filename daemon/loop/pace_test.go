package loop

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
)

// paced is a loop that acts, with more in [guard].
func paced(t *testing.T, f *fake, more string, resume Resume) *Loop {
	t.Helper()
	m, err := rules.Parse("shop.toml", []byte(strings.Replace(meshText, "AUTHORITY", "act", 1)+more))
	if err != nil {
		t.Fatal(err)
	}
	return newLoop(t, f, "act", func(o *Options) { o.Mesh, o.Resume = m, resume })
}

// weigh has the policy want another weight each cycle, and returns which of them acted.
func weigh(l *Loop, f *fake, from, n int) (acted []int) {
	for i := range n {
		f.want = action(f.live[0].Value, 1.1-max(f.live[1].Value, .5))
		if r := cycles(l, from+i, 1); r.Intent.Act {
			acted = append(acted, from+i)
		}
	}
	return acted
}

func TestCooldownIsBetweenChanges(t *testing.T) {
	for more, want := range map[string][]int{
		"":                   {0, 1, 2, 3, 4, 5, 6}, // the settling time of a second is over by the next cycle
		`cooldown = "5s"`:    {0, 1, 2, 3, 4, 5, 6},
		`cooldown = "5s1ms"`: {0, 2, 4, 6},
		`cooldown = "15s"`:   {0, 3, 6},
	} {
		f := newFake()
		if got := weigh(paced(t, f, more, Resume{}), f, 0, 7); !slices.Equal(got, want) {
			t.Errorf("%q: acted in %v, want %v", more, got, want)
		}
	}
}

// Raising blocking passes, without the weights that were to move with it, and does not
// begin a cooldown of its own.
func TestRaisingBlockingDoesNotWait(t *testing.T) {
	f := newFake()
	l := paced(t, f, `cooldown = "12s"`, Resume{})
	f.want = action(0, .7)
	cycles(l, 0, 1)
	f.want = action(.6, .5)
	r := cycles(l, 1, 1)
	if i := r.Intent; !i.Act || !f.live.Equal(action(.6, .7), 1e-9) || len(i.Plan) != 1 || len(i.Edits) != 2 ||
		i.Edits[0].Reason != "cooldown" || i.Limits.Frozen != "cooldown" || i.Frozen != "7s left of the cooldown of 12s" {
		t.Errorf("in force %v after %+v", f.live.Values(), r.Intent)
	}
	f.want = action(.5, .5)
	if r = cycles(l, 2, 1); r.Intent.Act || len(r.Intent.Edits) != 3 || r.Intent.Hold != "" {
		t.Errorf("in the cooldown: %+v", r.Intent)
	}
	if r = cycles(l, 3, 1); !r.Intent.Act || r.Intent.Limits.Frozen != "" || r.Intent.Frozen != "" {
		t.Errorf("after it: %+v", r.Intent)
	}
	if got := r.Intent.Changes; !slices.Equal(got, []int64{start.UnixMilli(), start.Add(15 * time.Second).UnixMilli()}) {
		t.Errorf("changes that count: %v", got)
	}
}

func TestChangeBudget(t *testing.T) {
	f := newFake()
	l := paced(t, f, "changes_per_hour = 3", Resume{})
	if got := weigh(l, f, 0, 100); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("acted in %v", got)
	}
	last := f.intents[len(f.intents)-1]
	if last.Limits.Frozen != string(guard.ChangeBudget) || !strings.HasPrefix(last.Frozen, "3 of 3 changes") || last.Edits[0].Reason != "change_budget" {
		t.Errorf("%+v", last)
	}
	if got := weigh(l, f, 719, 4); !slices.Equal(got, []int{720, 721, 722}) {
		t.Errorf("an hour later it acted in %v", got)
	}
}

// What was changed is not forgotten by a reload, nor by a restart, whether or not the
// intent that acted has its outcome.
func TestPaceSurvives(t *testing.T) {
	const more = "cooldown = '12s'\nchanges_per_hour = 2\n"
	for name, again := range map[string]func(*testing.T, *fake, *Loop) Resume{
		"a reload": func(_ *testing.T, _ *fake, l *Loop) Resume { return l.Resume() },
		"a restart": func(t *testing.T, f *fake, _ *Loop) Resume {
			t.Helper()
			newest := f.intents[len(f.intents)-1]
			r, err := ResumeFrom(newest, &newest)
			if err != nil {
				t.Fatal(err)
			}
			return r
		},
	} {
		f := newFake()
		l := paced(t, f, more, Resume{})
		var got []int
		for from := range 8 {
			got = append(got, weigh(l, f, from, 1)...)
			l = paced(t, f, more, again(t, f, l))
		}
		if !slices.Equal(got, []int{0, 3}) {
			t.Errorf("with %s in each cycle it acted in %v", name, got)
		}
	}
}

// What is not on disk has changed nothing.
func TestNoChangeWithoutAnIntent(t *testing.T) {
	f := newFake()
	l := paced(t, f, "cooldown = '1h'", Resume{})
	f.appendErr = errors.New("disk full")
	if got := weigh(l, f, 0, 2); got != nil {
		t.Fatalf("acted in %v", got)
	}
	f.appendErr = nil
	if got := weigh(l, f, 2, 2); !slices.Equal(got, []int{2}) {
		t.Errorf("acted in %v", got)
	}
}

// In a freeze the policy is told, its raised blocking is applied, and what goes wrong or
// right is neither debt nor credit; in a cooldown it is.
func TestAFreezeIsNoDebt(t *testing.T) {
	for more, counts := range map[string]bool{
		"": true, "cooldown = '1h'": true,
		"[[guard.freeze]]\nname = 'holidays'\nstart = 2026-01-01T00:00:10Z\n": false,
	} {
		f := newFake()
		l := paced(t, f, more, Resume{})
		f.want = action(.3, .7)
		cycles(l, 0, 3) // the third decides in the freeze
		before := l.control[0]
		f.want, f.latency = nil, .2
		cycles(l, 3, 4)
		if moved := l.control[0].Debt != before.Debt; moved != counts || l.control[0].Spent == before.Spent {
			t.Errorf("%q: the debt went from %v to %v, the budget spent from %v to %v", more, before.Debt, l.control[0].Debt, before.Spent, l.control[0].Spent)
		}
		f.want = action(.8, .7)
		if r := cycles(l, 7, 1); !r.Intent.Act || !f.live.Equal(action(.8, .7), 1e-9) {
			t.Errorf("%q: raising blocking did not pass: %+v", more, r.Intent)
		}
	}
}

// A plan that a person approved waits for the pace like any other: in a freeze it is taken
// back, unless it only raises blocking.
func TestAFreezeTakesAnApprovedPlanBack(t *testing.T) {
	const freeze = "[[guard.freeze]]\nname = 'holidays'\nstart = 2026-01-01T00:00:05Z\n"
	for name, c := range map[string]struct {
		blocking, weight float64
		applied          bool
	}{"weights": {0, .7, false}, "blocking raised": {.6, .5, true}} {
		f := newFake()
		m, err := rules.Parse("shop.toml", []byte(strings.Replace(meshText, "AUTHORITY", "approve", 1)+freeze))
		if err != nil {
			t.Fatal(err)
		}
		l := newLoop(t, f, "approve", func(o *Options) { o.Mesh = m })
		f.want = action(c.blocking, c.weight)
		cycles(l, 0, 1)
		p, ok := l.o.Desk.Pending()
		if !ok {
			t.Fatalf("%s: no plan waits", name)
		}
		if err := l.o.Desk.Approve(p.ID, "alice"); err != nil {
			t.Fatal(err)
		}
		r := l.Cycle(context.Background(), start.Add(5*time.Second))
		if r.Intent.Act != c.applied || (r.Intent.Superseded != "") == c.applied {
			t.Errorf("%s: %+v", name, r.Intent)
		}
	}
}
