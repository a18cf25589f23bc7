package loop

import (
	"errors"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

func TestNobodyAnswersIsAHold(t *testing.T) {
	f := newFake()
	f.decideErr = errors.New("plugin died")
	l := newLoop(t, f, "act", func(o *Options) { o.Fallback.Policy = fallback{err: errors.New("broken")} })
	r := cycles(l, 1, 1)
	if r.Intent.Hold != HoldNoDecision || r.Intent.Act || r.Intent.PolicyRole != journal.RoleNone {
		t.Errorf("intent %+v", r.Intent)
	}
	for _, part := range []string{"plugin died", "broken"} {
		if !strings.Contains(r.Err.Error(), part) {
			t.Errorf("error %v does not say %q", r.Err, part)
		}
	}
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		name, hold string
		break_     func(*fake)
	}{
		{"no live settings", HoldNoLive, func(f *fake) { f.liveErr = errors.New("API server down") }},
		{"absent signals", "no_data", func(f *fake) { f.status = policy.Absent }},
		{"stale signals", "no_data", func(f *fake) { f.status = policy.Stale }},
		{"invalid signals", "no_data", func(f *fake) { f.status = policy.Invalid }},
		{"no newer samples", "no_data", func(f *fake) { f.frozen = true }},
		{"abstention", HoldAbstained, func(f *fake) { f.abstain = true }},
	} {
		f := newFake()
		f.want = action(.3, .6)
		l := newLoop(t, f, "act", nil)
		cycles(l, 1, 2)
		before := len(f.events)
		c.break_(f)
		f.want = action(.1, .6)
		r := cycles(l, 3, 1)
		r2 := cycles(l, 4, 1)
		if r.Intent.Hold != c.hold || r2.Intent.Hold != c.hold {
			t.Errorf("%s: hold %q, want %q", c.name, r.Intent.Hold, c.hold)
		}
		if strings.Contains(strings.Join(f.events[before:], " "), "apply") {
			t.Errorf("%s: something was applied", c.name)
		}
		if c.name != "abstention" && c.name != "no live settings" && r2.Control[0].Intervals != r.Control[0].Intervals {
			t.Errorf("%s: an interval was counted", c.name)
		}
	}
}
