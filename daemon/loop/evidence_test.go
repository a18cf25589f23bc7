package loop

import (
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// broken is a mesh whose policy breaks the objective in every interval.
func broken() *fake {
	f := newFake()
	f.latency = .2
	return f
}

func TestAPolicyThatDoesHarmIsDemoted(t *testing.T) {
	f := broken()
	store := authority.Open(t.TempDir())
	m := store.Mesh("shop")
	l := newLoop(t, f, "act", func(o *Options) { o.Authority, o.Demoter = m, m })
	at := 0
	for n := 1; n <= 100 && at == 0; n++ {
		if r := cycles(l, n, 1); r.Demoted != "" {
			at = n
			if !strings.Contains(r.Demoted, "policy planner does harm: of late latency of a is broken in about 98 % of the intervals") || r.Harm != 1 {
				t.Errorf("near %v: %s", r.Harm, r.Demoted)
			}
			if r.Intent.Authority != "observe" || len(r.Intent.Sources) != 2 || r.Intent.Sources[1].Why != r.Demoted {
				t.Errorf("authority %s by %+v", r.Intent.Authority, r.Intent.Sources)
			}
		}
	}
	if at < 30 || at > 90 {
		t.Fatalf("demoted in cycle %d", at)
	}
	before := f.live.Clone()
	f.want = action(0, .9)
	if r := cycles(l, at+1, 20); r.Demoted != "" || !f.live.Equal(before, 0) {
		t.Errorf("demoted again: %q; in force is %v, want %v to stay", r.Demoted, f.live, before)
	}
	if err := store.Set("shop", rules.AuthorityAct, "alice", start); err != nil {
		t.Fatal(err)
	}
	if r := cycles(l, at+21, 1); r.Intent.Authority != "act" || r.Harm != 0 || len(l.evidence.Harm) != 0 && l.evidence.Harm[0].Blocks > 0 {
		t.Errorf("after a person lifted it: authority %s, near %v", r.Intent.Authority, r.Harm)
	}
}

// Bad intervals that are not the policy's doing, or that nobody measured, never demote.
func TestWhatIsNotThePolicysDoingIsNoHarm(t *testing.T) {
	for name, change := range map[string]func(*fake){
		"nothing was feasible":     func(f *fake) { f.infeasible = true },
		"nothing is measured":      func(f *fake) { f.status = policy.Absent },
		"no newer samples":         func(f *fake) { f.frozen = true },
		"the policy has no answer": func(f *fake) { f.decideErr = errNoTime },
		"it has no opinion":        func(f *fake) { f.abstain = true },
		"it predicts nothing":      func(f *fake) { f.expected = false },
	} {
		f := broken()
		change(f)
		m, withAuthority := demoted(t)
		l := newLoop(t, f, "act", withAuthority)
		if r := cycles(l, 1, 150); r.Harm != 0 || len(m.Sources()) > 0 {
			t.Errorf("%s: near %v, sources %+v", name, r.Harm, m.Sources())
		}
	}
	f := broken()
	l := newLoop(t, f, "observe", nil)
	if r := cycles(l, 1, 150); r.Harm != 0 || r.Demoted != "" {
		t.Errorf("at observe: near %v, %s", r.Harm, r.Demoted)
	}
}

// The evidence survives a restart and a reload, and begins anew with another policy.
func TestEvidenceSurvivesARestart(t *testing.T) {
	f := broken()
	l := newLoop(t, f, "act", nil)
	r := cycles(l, 1, 45)
	if r.Harm == 0 {
		t.Fatal("nothing was gathered")
	}
	resume, err := ResumeFrom(f.intents[len(f.intents)-1], nil)
	if err != nil {
		t.Fatal(err)
	}
	again := newLoop(t, f, "act", func(o *Options) { o.Resume = resume })
	if got := again.harmRatio(); got != r.Harm {
		t.Errorf("near %v after a restart, want %v", got, r.Harm)
	}
	if got := newLoop(t, f, "act", func(o *Options) { o.Resume = l.Resume() }).harmRatio(); got != r.Harm {
		t.Errorf("near %v after a reload, want %v", got, r.Harm)
	}
	other := newLoop(t, f, "act", func(o *Options) { o.Resume, o.Active = resume, &Decider{Name: "other", Policy: f} })
	if got := other.harmRatio(); got != 0 {
		t.Errorf("near %v with another policy, want it to begin anew", got)
	}
}
