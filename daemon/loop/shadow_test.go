package loop

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// shadow answers as it is told.
type shadow func(ctx context.Context, o policy.Observation) (policy.Decision, error)

func (shadow) Describe(context.Context) (policy.Description, error) {
	return policy.Description{}, nil
}
func (shadow) Configure(context.Context, policy.Config) error { return nil }
func (s shadow) Decide(ctx context.Context, o policy.Observation) (policy.Decision, error) {
	return s(ctx, o)
}

func wants(a policy.Action, reason string) shadow {
	return func(context.Context, policy.Observation) (policy.Decision, error) {
		return policy.Decision{Action: a, Reason: reason, Expected: []policy.Prediction{{Service: "a", Signal: "latency", Value: .07}}}, nil
	}
}

var badShadows = []Decider{
	{Name: "good", Policy: wants(action(.6, .3), "because it may")},
	{Name: "crashed", Policy: shadow(func(context.Context, policy.Observation) (policy.Decision, error) {
		return policy.Decision{}, errors.New("it ended while it was asked")
	})},
	{Name: "hanging", Policy: shadow(func(ctx context.Context, _ policy.Observation) (policy.Decision, error) {
		<-ctx.Done()
		return policy.Decision{}, ctx.Err()
	})},
	{Name: "garbage", Policy: wants(action(math.NaN(), 7), strings.Repeat("é", 4000))},
	{Name: "silent", Policy: shadow(func(context.Context, policy.Observation) (policy.Decision, error) {
		return policy.Decision{Abstain: true}, nil
	})},
	{Name: "talkative", Policy: shadow(func(_ context.Context, o policy.Observation) (policy.Decision, error) {
		return policy.Decision{Action: o.Live, Reason: strings.Repeat("é", 4000), Expected: make([]policy.Prediction, 1000)}, nil
	})},
}

// run runs some cycles that change things, and returns their bytes in the journal, the
// shadows' apart, what is in force at the end, and the last report.
func runShadowed(t *testing.T, shadows []Decider) (journaled string, f *fake, last Report) {
	t.Helper()
	f = newFake()
	l := newLoop(t, f, "act", func(o *Options) { o.Shadows, o.ShadowTimeout = shadows, time.Second })
	var b strings.Builder
	for n := range 20 {
		f.latency, f.want = .05+.01*float64(n%9), action(.1*float64(n%5), .5+.1*float64(n%3))
		last = cycles(l, n, 1)
		for _, part := range []any{last.Intent, last.Outcome, last.Control} {
			raw, err := json.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = b.Write(raw)
		}
	}
	return b.String(), f, last
}

// Whatever shadow policies do, the actions, the control state and the records of the
// cycles are those of a run without them, byte by byte.
func TestShadowsTouchNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alone, without, _ := runShadowed(t, nil)
		begun := time.Now()
		beside, with, last := runShadowed(t, badShadows)
		if alone != beside {
			t.Errorf("the cycles differ: %s", cmp.Diff(alone, beside))
		}
		if !without.live.Equal(with.live, 0) || last.Err != nil {
			t.Errorf("in force: %v, alone %v; error %v", with.live, without.live, last.Err)
		}
		if took := time.Since(begun); took != 20*time.Second { // the share of one that hangs, in each cycle
			t.Errorf("20 cycles waited %s for shadows, want 1 s each", took)
		}
		if len(with.shadows) != 20 || len(without.shadows) != 0 {
			t.Fatalf("%d records of shadows, without any %d", len(with.shadows), len(without.shadows))
		}
		for n, event := range with.events {
			if event == "apply" && with.events[n-1] != journal.KindIntent {
				t.Errorf("apply comes after %s", with.events[n-1])
			}
		}
	})
}

func TestShadowsAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, f, last := runShadowed(t, badShadows)
		got := f.shadows[len(f.shadows)-1]
		if got.Cycle != last.Intent.Cycle || len(got.Answers) != len(badShadows) || cmp.Diff(got.Answers, last.Shadows) != "" {
			t.Fatalf("record of cycle %d with %d answers", got.Cycle, len(got.Answers))
		}
		by := map[string]journal.ShadowAnswer{}
		for _, a := range got.Answers {
			by[a.Policy] = a
		}
		good := by["good"]
		if len(good.Changes) != 3 || good.Changes[0].To != .6 || good.Changes[0].From != last.Intent.Live[0].Value || good.Reason != "because it may" || good.Expected[0].Value != .07 || good.Error != "" {
			t.Errorf("good: %+v", good)
		}
		for name, want := range map[string]string{
			"crashed": "it ended while it was asked", "hanging": "context deadline exceeded", "garbage": "NaN is outside [0, 0.8]",
		} {
			if a := by[name]; !strings.Contains(a.Error, want) || a.Changes != nil || a.Reason != "" {
				t.Errorf("%s: %+v", name, a)
			}
		}
		if a := by["silent"]; !a.Abstain || a.Error != "" {
			t.Errorf("silent: %+v", a)
		}
		a := by["talkative"]
		if len(a.Expected) != journal.ShadowEntries || a.CutExpects != 1000-journal.ShadowEntries || len(a.Reason) != journal.ShadowText || a.Changes != nil {
			t.Errorf("talkative: %d expected, %d cut, a reason of %d bytes", len(a.Expected), a.CutExpects, len(a.Reason))
		}
	})
}

// When the interval is used up, shadows are not asked: the next cycle is not to be late.
func TestShadowsAreNotAskedWhenTheIntervalIsUsedUp(t *testing.T) {
	f := newFake()
	asked := 0
	var passed time.Duration
	l := newLoop(t, f, "act", func(o *Options) {
		o.Shadows, o.ShadowTimeout = []Decider{{Name: "s", Policy: shadow(func(context.Context, policy.Observation) (policy.Decision, error) {
			asked++
			return policy.Decision{Abstain: true}, nil
		})}}, time.Second
		o.Clock = func() time.Duration { return passed }
	})
	f.want = action(.5, .5)
	f.during = func(event string) {
		if event == "apply" {
			passed += 6 * time.Second
		}
	}
	late := cycles(l, 0, 1)
	if asked != 0 || !strings.Contains(late.Shadows[0].Error, "used up its interval") {
		t.Errorf("asked %d times, %+v", asked, late.Shadows)
	}
	f.want = nil
	if cycles(l, 1, 1); asked != 1 {
		t.Errorf("asked %d times in a cycle in time", asked)
	}
	f.liveErr = errors.New("no")
	if r := cycles(l, 2, 1); asked != 1 || r.Shadows != nil {
		t.Errorf("asked %d times although nothing is known of what is in force", asked)
	}
}

func TestStagesAreTimed(t *testing.T) {
	f := newFake()
	var passed time.Duration
	l := newLoop(t, f, "act", func(o *Options) {
		o.Clock = func() time.Duration { return passed }
		o.Shadows, o.ShadowTimeout = badShadows[:1], time.Second
	})
	f.want = action(.5, .5)
	cost := map[string]time.Duration{"prepare": 1, "intent": 20, "apply": 300}
	f.during = func(event string) { passed += cost[event] }
	r := cycles(l, 0, 1)
	want := []StageTime{
		{StageObserve, 0},
		{StageRead, 0},
		{StageDecide, 0},
		{StageGuard, 0},
		{StagePrepare, 1},
		{StageRecord, 20},
		{StageApply, 300},
		{StageShadow, 0},
	}
	if d := cmp.Diff(want, r.Stages); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
