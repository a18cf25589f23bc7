package margin

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func services() []policy.Service {
	return []policy.Service{{Name: "a", Objectives: []policy.Objective{
		{Signal: "latency", Kind: policy.LatencyObjective, Bound: .1, Budget: .05},
		{Signal: "ratio", Kind: policy.RatioObjective, Budget: .01},
	}}}
}

// counted is an interval under the active policy's own choice.
var counted = Choice{Counted: true}

func initial(string, string) Calibration {
	return Calibration{Margin: .2, Spread: .1, Price: 10, Flow: 20}
}

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
	next, m := c.Measure(p, services(), measured(1, .2, .4), counted)
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
	c, _ := Control(nil).Adopt(p, services(), initial).Measure(p, services(), measured(1, .05, 0), counted)
	same, m := c.Measure(p, services(), measured(1, .2, .4), counted)
	if m[0].Known || same[0].Intervals != 1 {
		t.Error("a cycle without a newer sample was an interval")
	}
	for _, status := range []policy.Status{policy.Absent, policy.Stale, policy.Invalid} {
		s := measured(2, .2, .4)
		s[0].Status = status
		after, m := c.Measure(p, services(), s, counted)
		if m[0].Known || after[0].Intervals != 1 || after[0].Debt != c[0].Debt {
			t.Errorf("a latency that is %s was an interval", status)
		}
		if !m[1].Known {
			t.Errorf("the other objective was not measured beside a latency that is %s", status)
		}
	}
	s := measured(2, math.NaN(), 0)
	if _, m := c.Measure(p, services(), s, counted); m[0].Known {
		t.Error("NaN was a measurement")
	}
}

func TestAdoptKeepsDebtsAndNothingElse(t *testing.T) {
	p := Defaults()
	c := Control(nil).Adopt(p, services(), initial)
	c, _ = c.Measure(p, services(), measured(1, .2, 0), Choice{})
	again := c.Adopt(p, services(), func(string, string) Calibration { return Calibration{Margin: .5, Spread: .3} })
	if again[0].Margin != .5 || again[0].Spread != .3 || again[0].Intervals != 1 || again[0].Spent != 1 || again[0].At != c[0].At {
		t.Errorf("without a debt the new model's margin holds and the record stays: %+v", again[0])
	}
	c, _ = c.Measure(p, services(), measured(2, .2, 0), counted)
	kept := c.Adopt(p, services(), func(string, string) Calibration { return Calibration{Margin: .5, Spread: .3} })
	if kept[0].Margin != c[0].Margin || kept[0].Debt != c[0].Debt {
		t.Errorf("a change of policy moved the margin from %v to %v", c[0].Margin, kept[0].Margin)
	}
	if gone := c.Adopt(p, nil, initial); len(gone) != 0 {
		t.Errorf("%d entries without services", len(gone))
	}
}

// Before anything was counted, too: what was learned while a mesh was only observed is of
// the same model.
func TestAdoptOfTheSameModelChangesNothing(t *testing.T) {
	p := Defaults()
	c := Control(nil).Adopt(p, services(), initial)
	c, _ = c.Measure(p, services(), measured(1, .2, 0), Choice{})
	c[0].State = c[0].Compare(p, .2, .15, 1, nil)
	if d := cmp.Diff(c, c.Adopt(p, services(), initial)); d != "" {
		t.Errorf("(-before +after)\n%s", d)
	}
}

// observed is a mesh with one service over two routes, a third of it blocked.
func observed(interval int, latency float64) *policy.Observation {
	o := &policy.Observation{Services: services(), State: measured(interval, latency, 0)}
	for i, id := range []policy.KnobID{
		{Kind: policy.Blocking, Target: "a"},
		{Kind: policy.Weight, Target: "ns/vs/a", Part: "v1"},
		{Kind: policy.Weight, Target: "ns/vs/a", Part: "v2"},
	} {
		o.Knobs = append(o.Knobs, policy.Knob{KnobID: id, Service: "a", Max: 1})
		o.Live = append(o.Live, policy.Setting{KnobID: id, Value: []float64{.5, 1, 0}[i]})
	}
	o.State = append(o.State, policy.Signal{Name: "offered", Service: "a", Role: policy.RoleOffered, Value: 12, Status: policy.Valid})
	o.State.Sort()
	return o
}

func TestCompareLearnsWithinSupportOnly(t *testing.T) {
	p := Defaults()
	c := Control(nil).Adopt(p, services(), initial)
	live := []policy.Prediction{{Service: "a", Signal: "latency", Value: .1, Supported: false}}
	if got := c.Compare(p, observed(1, .2), live); len(got[0].Recent) != 0 {
		t.Error("something was learned outside of the support")
	}
	live[0].Supported = true
	got := c.Compare(p, observed(1, .2), live)
	if len(got[0].Recent) != 1 || math.Abs(got[0].Residual-1) > 1e-9 {
		t.Errorf("residual %v, want 1", got[0].Residual)
	}
	// The terms: 1, 6 of 20 requests/s over v1 and none over v2, v1 used and v2 not.
	if m := got[0].Correction.Moments; len(m) != 15 || m[1] != .3 || m[2] != 0 || m[3] != 1 || m[4] != 0 {
		t.Errorf("moments %v", m)
	}
	o := observed(1, .2)
	for i := range o.State {
		if o.State[i].Role == policy.RoleOffered {
			o.State[i].Status = policy.Stale
		}
	}
	if got := c.Compare(p, o, live); len(got[0].Recent) != 1 || got[0].Correction.Seen != 0 {
		t.Error("without a load there is a residual, but nothing to correct")
	}
	live[0].Value = math.Inf(1)
	if got := c.Compare(p, observed(1, .2), live); len(got[0].Recent) != 0 {
		t.Error("something was learned from an infinite prediction")
	}
}

func TestFlaggedIntervalsCount(t *testing.T) {
	p := Defaults()
	c := Control(nil).Adopt(p, services(), initial)
	c, _ = c.Measure(p, services(), measured(1, .2, 0), Choice{Counted: true, Flagged: true})
	if e := c[0]; e.Flagged != 1 || e.FlaggedSpent != 1 || e.Counted != 1 || e.Spent != 1 {
		t.Errorf("after a violation while nothing was feasible: %+v", e)
	}
}

func TestHandFillsACopy(t *testing.T) {
	p := Defaults()
	given := services()
	c := Control(nil).Adopt(p, given, initial)
	live := []policy.Prediction{{Service: "a", Signal: "latency", Value: .1, Supported: true}}
	for i := range 60 {
		c = c.Compare(p, observed(i, .13), live)
	}
	c[0].Residual, c[0].Recent = .2, slices.Repeat([]float64{.2}, 50) // a residual that comes again
	for newest, want := range map[Residuals]policy.Objective{
		Unsteady: {}, Pending: {Lag: .5}, Compared: {Residual: .5 * .2},
	} {
		o := c.Hand(p, given, newest)[0].Objectives[0]
		if o.Margin != c[0].Margin || math.Abs(o.Price-10) > 1e-9 || len(o.Correction) != 5 {
			t.Errorf("handed %+v", o)
		}
		if math.Abs(o.Lag-want.Lag) > 1e-9 || math.Abs(o.Residual-want.Residual) > 1e-9 {
			t.Errorf("residuals %d: handed lag %v and residual %v, want %v and %v", newest, o.Lag, o.Residual, want.Lag, want.Residual)
		}
	}
	if o := given[0].Objectives[0]; o.Margin != 0 || o.Correction != nil {
		t.Errorf("given is now %+v", o)
	}
}

func TestAdoptDropsWhatWasLearnedOfAnotherModel(t *testing.T) {
	p := Defaults()
	c := Control(nil).Adopt(p, services(), initial)
	c, _ = c.Measure(p, services(), measured(1, .2, 0), counted)
	c = c.Compare(p, observed(1, .2), []policy.Prediction{{Service: "a", Signal: "latency", Value: .1, Supported: true}})
	if same := c.Adopt(p, services(), initial); same[0].Correction.Seen != 1 || len(same[0].Recent) != 1 {
		t.Error("the same model's correction was dropped")
	}
	other := c.Adopt(p, services(), func(string, string) Calibration { return Calibration{Margin: .2, Spread: .1, Price: 3, Flow: 20} })
	if e := other[0]; e.Correction.Seen != 0 || len(e.Recent) != 0 || e.Price != 3 || e.Margin != c[0].Margin || e.Debt != c[0].Debt {
		t.Errorf("another model got %+v", e)
	}
}
