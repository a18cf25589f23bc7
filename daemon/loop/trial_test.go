package loop

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
)

// modelled wants to go to an action at once, and predicts so many seconds less what is blocked of them.
type modelled struct {
	want    policy.Action
	seconds float64
	asked   int
	handed  []policy.Objective
}

func (*modelled) Describe(context.Context) (policy.Description, error) {
	return policy.Description{}, nil
}
func (*modelled) Configure(context.Context, policy.Config) error { return nil }
func (m *modelled) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	m.asked++
	m.handed = o.Services[0].Objectives
	predict := func(a policy.Action) []policy.Prediction {
		blocked, _ := a.Get(block)
		return []policy.Prediction{{Service: "a", Signal: "latency", Value: m.seconds * (1 - blocked), Supported: true, Risk: .1}}
	}
	return policy.Decision{Action: m.want, Expected: predict(m.want), ExpectedLive: predict(o.Live)}, nil
}

// Each of the two models is asked about both plans, as the guard leaves them, and no more often
// than it takes.
func TestPlansAreJudgedByBothModels(t *testing.T) {
	active, beside := &modelled{want: action(.4, .5), seconds: .1}, &modelled{want: action(.6, .9), seconds: .2}
	f := newFake()
	f.live = action(.2, .5)
	l := newLoop(t, f, "observe", func(o *Options) {
		o.Active, o.ShadowTimeout = &Decider{Name: "planner", Policy: active}, time.Second
		o.Shadows = []Decider{{Name: "next", Policy: beside, Initial: func(string, string) margin.Calibration { return margin.Calibration{Margin: .3, Spread: .3} }}}
	})
	r := cycles(l, 0, 1)
	got, want := r.Trials[0], journal.Judged{
		Service: "a", Signal: "latency", Live: .16, Shadow: .08, Active: .12, ActiveLive: .08, ActiveShadow: .04, ActiveActive: .06,
	}
	if len(got.Judged) != 1 || !nearly(got.Judged[0], want) || !nearly(r.Shadows[0].Judged[0], want) || !got.Covered {
		t.Errorf("judged %+v, want %+v", got, want)
	}
	if !got.Plan.Equal(action(.6, .7), 1e-9) || got.Said != nil {
		t.Errorf("plan %v says %v, want what the guard leaves of it, of which nothing was said", got.Plan, got.Said)
	}
	if !got.Aim.Equal(action(.6, .9), 1e-9) || !got.Beside.Equal(action(.4, .5), 1e-9) {
		t.Errorf("aims %v and %v, want what either would go to in the end", got.Aim, got.Beside)
	}
	if active.asked != 3 || beside.asked != 3 {
		t.Errorf("the active policy was asked %d times, the shadow %d", active.asked, beside.asked)
	}
	if first := l.control[0].Margin; math.Abs(first-.1) > 1e-9 || math.Abs(beside.handed[0].Margin-.3) > 1e-9 {
		t.Errorf("margins: %v of the active policy, %v of the shadow, want each its own", first, beside.handed[0].Margin)
	}
}

func nearly(a, b journal.Judged) bool {
	x, y := []float64{a.Live, a.Shadow, a.Active, a.ActiveLive, a.ActiveShadow, a.ActiveActive}, []float64{b.Live, b.Shadow, b.Active, b.ActiveLive, b.ActiveShadow, b.ActiveActive}
	for i := range x {
		if math.Abs(x[i]-y[i]) > 1e-9 {
			return false
		}
	}
	return a.Service == b.Service && a.Signal == b.Signal
}

// A shadow is told what it would be told as the active policy from this cycle on: with the model of
// that, the same; with another one, nothing that was learned of the first.
func TestShadowsAreToldWhatTheyWouldBe(t *testing.T) {
	active, same, other := &modelled{want: action(0, .5), seconds: .04}, &modelled{want: action(0, .5), seconds: .04}, &modelled{want: action(0, .5), seconds: .1}
	first := margin.Calibration{Margin: .1, Spread: .1, Flow: 10}
	second := margin.Calibration{Margin: .2, Spread: .1, Flow: 10}
	f := newFake()
	l := newLoop(t, f, "act", func(o *Options) {
		o.Active, o.ShadowTimeout = &Decider{Name: "planner", Policy: active}, time.Second
		o.Initial = func(string, string) margin.Calibration { return first }
		o.Shadows = []Decider{
			{Name: "same", Policy: same, Initial: func(string, string) margin.Calibration { return first }},
			{Name: "other", Policy: other, Initial: func(string, string) margin.Calibration { return second }},
		}
	})
	var r Report
	for n := range 60 {
		r = cycles(l, n, 1)
		if d := cmp.Diff(active.handed, same.handed); d != "" {
			t.Fatalf("cycle %d: the twin of the active policy is told something else (-active +twin):\n%s", n, d)
		}
	}
	if len(active.handed[0].Correction) == 0 || len(other.handed[0].Correction) > 0 || math.Abs(other.handed[0].Margin-active.handed[0].Margin) > .01 {
		t.Errorf("the active policy is told %+v, another one %+v", active.handed, other.handed)
	}
	if j := r.Trials[1].Judged[0]; math.Abs(j.Live-.1) > 1e-9 || math.Abs(j.ActiveLive-f.latency) > .005 {
		t.Errorf("%v s are measured; the model of the active policy says %v, corrected, the other %v", f.latency, j.ActiveLive, j.Live)
	}
}
