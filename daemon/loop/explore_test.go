package loop

import (
	"errors"
	"testing"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// trying is an explorer of a test.
type trying struct {
	want     policy.Action // nil: it does not decide
	err      error
	told     []Circumstances
	observed []policy.Observation
}

func (x *trying) Explore(o policy.Observation, c Circumstances) (policy.Decision, bool, error) {
	x.told, x.observed = append(x.told, c), append(x.observed, o)
	return policy.Decision{Action: x.want, Reason: "tries"}, x.want != nil, x.err
}

// What an explorer decides is limited, recorded and applied like any decision, and is neither
// debt nor evidence of the active policy.
func TestAnExplorerDecidesInThePlaceOfThePolicies(t *testing.T) {
	f, x := newFake(), &trying{want: action(.4, .9)}
	f.latency = .2 // broken
	l := newLoop(t, f, "act", func(o *Options) { o.Explorer = x })
	r := cycles(l, 0, 6)
	i := r.Intent
	if i.Policy != "explore" || i.PolicyRole != journal.RoleExplorer || !f.live.Equal(action(.4, .9), 1e-9) || f.intents[0].Edits == nil || !f.intents[0].Act {
		t.Errorf("policy %s (%s), %v in force, first intent %+v", i.Policy, i.PolicyRole, f.live, f.intents[0])
	}
	for _, e := range r.Control {
		if e.Intervals == 0 || e.Counted > 0 || r.Harm > 0 {
			t.Errorf("%+v, harm %v: what was tried counts against the policy", e, r.Harm)
		}
	}
	if c := x.told[5]; !c.Act || !c.Active || c.Woken || c.Drift || !c.Steady {
		t.Errorf("told %+v", x.told)
	}
	x.want = nil
	if r := cycles(l, 6, 1); r.Intent.Policy != "planner" || r.Intent.PolicyRole != journal.RoleActive {
		t.Errorf("policy %s (%s) where it does not explore", r.Intent.Policy, r.Intent.PolicyRole)
	}
	x.want, x.err = action(.4, .9), errors.New("the disk is full")
	if r := cycles(l, 7, 1); r.Intent.Policy != "planner" || r.Err == nil {
		t.Errorf("policy %s, error %v where it cannot keep its state", r.Intent.Policy, r.Err)
	}
}

func TestAnExplorerIsToldWhatItMayDo(t *testing.T) {
	f, x := newFake(), &trying{}
	l := newLoop(t, f, "observe", func(o *Options) {
		o.Explorer, o.Active = x, nil
		o.Alerts = func() ([]journal.Alert, int) { return []journal.Alert{{Name: "Slow"}}, 0 }
	})
	if cycles(l, 0, 1); len(x.told) != 1 || x.told[0].Act || x.told[0].Active || len(x.told[0].Alerts) != 1 || len(x.observed[0].State) == 0 {
		t.Errorf("told %+v of %+v", x.told, x.observed)
	}
}
