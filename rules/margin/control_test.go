package margin

import (
	"math"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func services() []policy.Service {
	return []policy.Service{{Name: "a", Objectives: []policy.Objective{
		{Signal: "latency", Kind: policy.LatencyObjective, Bound: .1, Budget: .05},
		{Signal: "ratio", Kind: policy.RatioObjective, Budget: .01},
	}}}
}

func initial(string, string) (margin, spread float64) { return .2, .1 }

// measured is a state with both signals valid.
func measured(interval int, latency, ratio float64) policy.State {
	at := start.Add(time.Duration(interval) * 5 * time.Second)
	return policy.State{
		{Name: "latency", Service: "a", Role: policy.RoleLatency, Value: latency, At: at, Status: policy.Valid},
		{Name: "ratio", Service: "a", Role: policy.RoleRatio, Value: ratio, At: at, Status: policy.Valid},
	}
}

func TestMeasureMovesTheDebtByErrorLessBudget(t *testing.T) {
	p := Defaults()
	c := Control(nil).Adopt(p, services(), initial)
	first := c[0].Debt
	next, m := c.Measure(p, services(), measured(1, .2, .4), true)
	if got := next[0].Debt - first; math.Abs(got-.95) > 1e-9 {
		t.Errorf("a broken latency bound moved the debt by %v, want 0.95", got)
	}
	if got := next[1].Debt - c[1].Debt; math.Abs(got-.39) > 1e-9 {
		t.Errorf("a ratio of 0.4 moved the debt by %v, want 0.39", got)
	}
	if !m[0].Known || !m[0].Counted || m[0].Error != 1 || m[1].Error != .4 {
		t.Errorf("measured %+v", m)
	}
	if c[0].Debt != first {
		t.Error("Measure changed the state that it was called on")
	}
}

func TestMeasureCountsOnlyNewValidSamples(t *testing.T) {
	p := Defaults()
	c, _ := Control(nil).Adopt(p, services(), initial).Measure(p, services(), measured(1, .05, 0), true)
	same, m := c.Measure(p, services(), measured(1, .2, .4), true)
	if m[0].Known || same[0].Intervals != 1 {
		t.Error("a cycle without a newer sample was an interval")
	}
	for _, status := range []policy.Status{policy.Absent, policy.Stale, policy.Invalid} {
		s := measured(2, .2, .4)
		s[0].Status = status
		after, m := c.Measure(p, services(), s, true)
		if m[0].Known || after[0].Intervals != 1 || after[0].Debt != c[0].Debt {
			t.Errorf("a latency that is %s was an interval", status)
		}
		if !m[1].Known {
			t.Errorf("the other objective was not measured beside a latency that is %s", status)
		}
	}
	s := measured(2, math.NaN(), 0)
	if _, m := c.Measure(p, services(), s, true); m[0].Known {
		t.Error("NaN was a measurement")
	}
}

func TestAdoptKeepsDebtsAndNothingElse(t *testing.T) {
	p := Defaults()
	c := Control(nil).Adopt(p, services(), initial)
	c, _ = c.Measure(p, services(), measured(1, .2, 0), false)
	again := c.Adopt(p, services(), func(string, string) (float64, float64) { return .5, .3 })
	if again[0].Margin != .5 || again[0].Spread != .3 || again[0].Intervals != 1 || again[0].Spent != 1 || again[0].At != c[0].At {
		t.Errorf("without a debt the new model's margin holds and the record stays: %+v", again[0])
	}
	c, _ = c.Measure(p, services(), measured(2, .2, 0), true)
	kept := c.Adopt(p, services(), func(string, string) (float64, float64) { return .5, .3 })
	if kept[0].Margin != c[0].Margin || kept[0].Debt != c[0].Debt {
		t.Errorf("a change of policy moved the margin from %v to %v", c[0].Margin, kept[0].Margin)
	}
	if gone := c.Adopt(p, nil, initial); len(gone) != 0 {
		t.Errorf("%d entries without services", len(gone))
	}
}

func TestCompareLearnsWithinSupportOnly(t *testing.T) {
	p := Defaults()
	c := Control(nil).Adopt(p, services(), initial)
	live := []policy.Prediction{{Service: "a", Signal: "latency", Value: .1, Supported: false}}
	if got := c.Compare(p, measured(1, .2, 0), live); len(got[0].Recent) != 0 {
		t.Error("something was learned outside of the support")
	}
	live[0].Supported = true
	if got := c.Compare(p, measured(1, .2, 0), live); len(got[0].Recent) != 1 || math.Abs(got[0].Residual-1) > 1e-9 {
		t.Errorf("residual %v, want 1", got[0].Residual)
	}
	live[0].Value = math.Inf(1)
	if got := c.Compare(p, measured(1, .2, 0), live); len(got[0].Recent) != 0 {
		t.Error("something was learned from an infinite prediction")
	}
}

func TestHandFillsACopy(t *testing.T) {
	p := Defaults()
	given := services()
	handed := Control(nil).Adopt(p, given, initial).Hand(given)
	if handed[0].Objectives[0].Margin != .2 || given[0].Objectives[0].Margin != 0 {
		t.Errorf("handed margin %v, given now %v; want 0.2, 0", handed[0].Objectives[0].Margin, given[0].Objectives[0].Margin)
	}
}
