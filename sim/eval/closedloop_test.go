package eval

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
)

const loopRules = `
mesh = "shop"
[signals]
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'
[[service]]
name = "busy"
  [[service.objective]]
  signal = "latency"
  bound = "150ms"
  target = 0.95
  [[service.route]]
  virtual_service = "default/shop"
  http = "busy"
  destinations = ["v1", "v2"]
  levels = 3
  [service.blocking]
  maximum = 0.8
  levels = 3
[[service]]
name = "idle"
  [[service.objective]]
  signal = "latency"
  bound = "150ms"
  target = 0.95
[guard]
authority = "act"
max_step = 0.25
total_blocking = 0.8
`

func loopGraph() emulator.Graph {
	paths := []emulator.Destination{
		{Name: "v1", Path: []emulator.Visit{{Node: "n1", Work: 1}}},
		{Name: "v2", Path: []emulator.Visit{{Node: "n2", Work: 1}}},
	}
	work := emulator.Dist{Shape: emulator.Exponential, MeanSeconds: .04}
	return emulator.Graph{
		Nodes: []emulator.Node{{Name: "n1", Concurrency: 1, Replicas: 1, Work: work}, {Name: "n2", Concurrency: 2, Replicas: 1, Work: work}},
		Services: []emulator.Service{
			{Name: "idle", Load: load.Constant(0), TimeoutSeconds: 1, Destinations: paths},
			{Name: "busy", Load: load.Sine{Mean: 30, Amplitude: 20, PeriodSeconds: 150}, TimeoutSeconds: .5, Destinations: paths},
		},
		BucketBounds: []float64{75, 125, 150, 175, 200, 300},
	}
}

// decider is a policy of a function.
type decider func(o policy.Observation) (policy.Decision, error)

func (decider) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "test"}, nil
}
func (decider) Configure(context.Context, policy.Config) error { return nil }
func (d decider) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	return d(o)
}

func newLoop(t *testing.T, d decider, intervals int) ClosedLoop {
	t.Helper()
	m, err := rules.Parse("shop.toml", []byte(loopRules))
	if err != nil {
		t.Fatal(err)
	}
	return ClosedLoop{
		Mesh: m, Emulator: emulator.Options{Graph: loopGraph(), Seed: 7}, Policy: d,
		Params: margin.Defaults(), Start: time.Unix(1000, 0).UTC(), Intervals: intervals,
		Initial: func(string, string) margin.Calibration { return margin.Calibration{Margin: .1, Spread: .2} },
		Phase: func(seconds float64) string {
			if seconds <= 100 {
				return "first"
			}
			return "second"
		},
	}
}

func run(t *testing.T, c ClosedLoop) *Trace {
	t.Helper()
	out, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var busyBlocking = policy.KnobID{Kind: policy.Blocking, Target: "busy"}

// proportional blocks by the measured latency, and predicts what it measured.
func proportional(o policy.Observation) (policy.Decision, error) {
	v, _ := o.State.Find("busy", "latency").Get()
	a := o.Live.Clone()
	b, _ := a.Get(busyBlocking)
	a.Set(busyBlocking, math.Max(0, math.Min(.8, b+v-.1)))
	p := []policy.Prediction{{Service: "busy", Signal: "latency", Value: .1, Supported: true}}
	return policy.Decision{Action: a, Expected: p, ExpectedLive: p}, nil
}

func TestLoopSameSeedSameBytes(t *testing.T) {
	var traces [2][]byte
	for i := range traces {
		var err error
		trace := run(t, newLoop(t, proportional, 120))
		for j := range trace.Intervals {
			for k := range trace.Intervals[j].Services {
				trace.Intervals[j].Services[k].Reading = Reading{} // NaN is no JSON; the errors hold what matters
			}
		}
		if traces[i], err = json.Marshal(trace); err != nil {
			t.Fatal(err)
		}
	}
	if string(traces[0]) != string(traces[1]) {
		t.Error("two runs of the same loop differ")
	}
	other := newLoop(t, proportional, 120)
	other.Emulator.Seed++
	if a, b := run(t, newLoop(t, proportional, 120)), run(t, other); a.Intervals[50].Services[0].Totals == b.Intervals[50].Services[0].Totals {
		t.Error("another seed gives the same requests")
	}
}

// A decision is in force in the next interval as a whole, and is measured there.
func TestDecisionIsMeasuredInTheNextInterval(t *testing.T) {
	n := 0
	l := newLoop(t, func(o policy.Observation) (policy.Decision, error) {
		a := o.Live.Clone()
		if n++; n == 10 {
			a.Set(busyBlocking, .8)
		}
		return policy.Decision{Action: a}, nil
	}, 12)
	l.Mesh.Services = l.Mesh.Services[:1] // the guard holds where a service is not measured
	trace := run(t, l)
	before, after := trace.Intervals[9].Services[0], trace.Intervals[10].Services[0]
	if share := before.Carried / before.Offered; share < .9 {
		t.Errorf("carried share before the change is %v", share)
	}
	if share := after.Carried / after.Offered; share > .3 {
		t.Errorf("carried share in the interval after the change is %v, want about .2: it is not measured as a whole", share)
	}
	if c := trace.Intervals[10].Changes; len(c) != 1 || c[0].KnobID != busyBlocking || c[0].To != .8 {
		t.Errorf("changes %v", c)
	}
}

func TestNothingAdmittedIsNoSuccess(t *testing.T) {
	trace := run(t, newLoop(t, proportional, 30))
	for _, in := range trace.Intervals {
		if m := in.Services[1].Errors[0]; m.Known || m.Counted {
			t.Fatalf("at %v the idle service was judged: %+v", in.Seconds, m)
		}
	}
	all := trace.Summarise("", nil)
	if s := all[1]; s.Unknown != 30 || s.Counted != 0 || s.ViolatedRatio() != 0 {
		t.Errorf("summary of the idle service: %+v", s)
	}
	if e := trace.Control[1]; e.Counted != 0 || e.Intervals != 0 {
		t.Errorf("control state of the idle service: %+v", e)
	}
}

func TestOnlyOwnChoicesUnderTheMarginCount(t *testing.T) {
	expected := []policy.Prediction{{Service: "busy", Signal: "latency", Value: .1, Supported: true}}
	live := func(o policy.Observation) (policy.Decision, error) {
		return policy.Decision{Action: o.Live, Expected: expected}, nil
	}
	for name, c := range map[string]struct {
		policy decider
		want   int
	}{
		"own":              {live, 19},
		"predicts nothing": {func(o policy.Observation) (policy.Decision, error) { return policy.Decision{Action: o.Live}, nil }, 0},
		"abstains": {func(policy.Observation) (policy.Decision, error) {
			return policy.Decision{Abstain: true, Expected: expected}, nil
		}, 0},
		"fails": {func(policy.Observation) (policy.Decision, error) {
			return policy.Decision{}, errors.New("no")
		}, 0},
		"edited": {func(o policy.Observation) (policy.Decision, error) {
			a := o.Live.Clone()
			a.Set(busyBlocking, .9)
			return policy.Decision{Action: a, Expected: expected}, nil
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t, c.policy, 20)
			l.Mesh.Services = l.Mesh.Services[:1]
			trace := run(t, l)
			if s := trace.Summarise("", l.Mesh.Knobs())[0]; s.Counted != c.want {
				t.Errorf("%d intervals counted, want %d: %+v", s.Counted, c.want, s)
			}
			if in := trace.Intervals[19]; (in.Failed != (name == "fails")) || (len(in.Edits) > 0) != (name == "edited") {
				t.Errorf("failed %v, edits %v", in.Failed, in.Edits)
			}
		})
	}
}

func TestFallbackDecidesWhereThePolicyFails(t *testing.T) {
	l := newLoop(t, func(policy.Observation) (policy.Decision, error) { return policy.Decision{}, errors.New("dead") }, 3)
	l.Fallback = decider(proportionalUp)
	l.Mesh.Services = l.Mesh.Services[:1]
	trace := run(t, l)
	if b, _ := trace.Intervals[2].Live.Get(busyBlocking); b != .4 || !trace.Intervals[2].Failed || trace.Intervals[2].Reason != "dead" {
		t.Errorf("blocking %v after two intervals of the fallback: %+v", b, trace.Intervals[2])
	}
}

func proportionalUp(o policy.Observation) (policy.Decision, error) {
	a := o.Live.Clone()
	b, _ := a.Get(busyBlocking)
	a.Set(busyBlocking, b+.2)
	return policy.Decision{Action: a}, nil
}

func TestMissingDataHold(t *testing.T) {
	trace := run(t, newLoop(t, proportionalUp, 5))
	in := trace.Intervals[4]
	if in.Refused != guard.NoData || len(in.Changes) > 0 {
		t.Errorf("the idle service has no latency, and the guard said %q, changes %v", in.Refused, in.Changes)
	}
}

func TestSummariseByPhase(t *testing.T) {
	l := newLoop(t, proportional, 40)
	l.Mesh.Services = l.Mesh.Services[:1]
	trace := run(t, l)
	first, second, all := trace.Summarise("first", l.Mesh.Knobs())[0], trace.Summarise("second", l.Mesh.Knobs())[0], trace.Summarise("", l.Mesh.Knobs())[0]
	if first.Intervals != 20 || second.Intervals != 20 || all.Intervals != 40 {
		t.Errorf("intervals %d, %d of %d", first.Intervals, second.Intervals, all.Intervals)
	}
	if all.Offered != first.Offered+second.Offered || all.Violated != first.Violated+second.Violated || all.Actions != first.Actions+second.Actions {
		t.Errorf("the phases do not add up: %+v and %+v to %+v", first, second, all)
	}
	if all.Actions == 0 || all.Blocked == 0 || !(all.CarriedRatio()+all.BlockedRatio() <= 1) {
		t.Errorf("summary %+v", all)
	}
	d, err := trace.Dataset(l.Mesh)
	if err != nil || d.Rows() != 40 || d.Offered[0][3] != trace.Intervals[3].Services[0].Offered {
		t.Errorf("dataset of %d rows: %v", d.Rows(), err)
	}
}

func TestRefusesWhatDoesNotFit(t *testing.T) {
	l := newLoop(t, proportional, 1)
	l.Emulator.Graph.Services = l.Emulator.Graph.Services[:1]
	if _, err := l.Run(t.Context()); err == nil {
		t.Error("a service that the emulator has not was not refused")
	}
	l = newLoop(t, proportional, 1)
	l.From = time.Second
	if _, err := l.Run(t.Context()); err == nil {
		t.Error("a start within an interval was not refused")
	}
}
