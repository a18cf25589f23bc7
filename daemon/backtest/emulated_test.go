package backtest

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/load"
)

var began = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// emulated is a mesh of requests, one by one, which the daemon's loop observes and acts upon.
type emulated struct {
	t        *testing.T
	rules    *rules.Mesh
	graph    emulator.Graph
	emulator *emulator.Emulator
	meter    *eval.Meter
	at       []int // by service of the rules: its place in the graph
	readings []eval.Reading
	live     policy.Action
	journal  loop.Journal // nil: none

	intervals []lifecycle.Interval
}

// newEmulated is the built-in mesh of `windvane evaluate --on emulator` under loads of a seed's
// own: sinusoids of 2 h and 1.5 h for an even one, steps of five minutes on average for an odd one.
func newEmulated(t *testing.T, seed uint64, intervals int) *emulated {
	t.Helper()
	g, m, err := eval.SmallGraph()
	if err != nil {
		t.Fatal(err)
	}
	m.Guard.Authority = rules.AuthorityAct
	e := &emulated{t: t, rules: m, graph: g.Mesh}
	e.graph.Services = append([]emulator.Service(nil), g.Mesh.Services...)
	rng := rand.New(rand.NewPCG(seed, 4711))
	for i, r := range g.Loads {
		if seed%2 == 0 {
			e.graph.Services[i].Load, err = load.NewSine(load.Sine{
				Mean: (r.Least + r.Most) / 2, Amplitude: (r.Most - r.Least) / 2, PeriodSeconds: []float64{7200, 5400}[i], Phase: 2 * math.Pi * rng.Float64(),
			})
		} else {
			at, rates := []float64{0}, []float64{r.Least + (r.Most-r.Least)*rng.Float64()}
			for n := range intervals {
				if rng.Float64() < 1./60 {
					at, rates = append(at, m.Interval.Seconds()*float64(n+1)), append(rates, r.Least+(r.Most-r.Least)*rng.Float64())
				}
			}
			e.graph.Services[i].Load, err = load.NewSteps(at, rates)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range m.PolicyServices() {
		for _, f := range []float64{.4, .5, .6, .7, .8, .9, .95, 1, 1.05, 1.1, 1.2, 1.3, 1.5, 1.75, 2} {
			e.graph.BucketBounds = append(e.graph.BucketBounds, math.Round(1e6*f*s.Objectives[0].Bound)/1e3)
		}
		for i := range e.graph.Services {
			if e.graph.Services[i].Name == s.Name {
				e.at = append(e.at, i)
			}
		}
	}
	if e.emulator, err = emulator.New(emulator.Options{Graph: e.graph, Seed: seed, SettleSeconds: g.SettleSeconds}); err != nil {
		t.Fatal(err)
	}
	if e.meter, err = eval.NewMeter(e.emulator, m.Interval, g.Scrape, .95); err != nil {
		t.Fatal(err)
	}
	e.readings = make([]eval.Reading, len(e.graph.Services))
	for _, k := range m.Knobs() {
		v := 0.
		if k.Kind == policy.Weight {
			v = .5
		}
		e.live = append(e.live, policy.Setting{KnobID: k.KnobID, Value: v})
	}
	return e
}

// run has the daemon's loop control the mesh from an interval on, up to another.
func (e *emulated) run(c Configured, from, to int) {
	e.t.Helper()
	e.meter.Skip(float64(from) * e.rules.Interval.Seconds())
	l, err := loop.New(loop.Options{
		Mesh: e.rules, Observer: e, Actuator: e, Journal: e, Active: c.Active, Fallback: c.Fallback, Initial: c.Initial,
		Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		e.t.Fatal(err)
	}
	for n := from + 1; n <= to; n++ {
		if r := l.Cycle(e.t.Context(), began.Add(time.Duration(n)*e.rules.Interval)); r.Err != nil {
			e.t.Fatal(r.Err)
		}
	}
}

func (e *emulated) Observe(_ context.Context, at time.Time) observe.Observation {
	e.meter.Advance(e.readings)
	iv := lifecycle.Interval{At: at, Settings: e.live.Clone()}
	iv.Row.Settings = e.live.Values()
	for s, service := range e.rules.PolicyServices() {
		r := e.readings[e.at[s]]
		iv.Row.Offered, iv.Row.Carried, iv.Row.Latency = append(iv.Row.Offered, r.Offered), append(iv.Row.Carried, r.Carried), append(iv.Row.Latency, r.Latency)
		for name, v := range map[string]float64{"carried": r.Carried, "latency": r.Latency, "offered": r.Offered} {
			signal := policy.Signal{Name: name, Service: service.Name, Role: policy.Role(name)}
			if !math.IsNaN(v) {
				signal.Value, signal.Status, signal.At = v, policy.Valid, at
			}
			iv.State = append(iv.State, signal)
		}
	}
	iv.State.Sort()
	e.intervals = append(e.intervals, iv)
	state := append(policy.State(nil), iv.State...)
	return observe.Observation{State: state, At: at}
}

func (e *emulated) Live(context.Context) (policy.Action, map[string]string, error) {
	return e.live.Clone(), nil, nil
}

func (e *emulated) Prepare(_ context.Context, _, _ policy.Action, known map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	return known, nil
}

func (e *emulated) Apply(_ context.Context, _, want policy.Action, _ map[string]json.RawMessage) error {
	e.live = policy.Quantise(want.Clone())
	s, err := eval.Settings(e.graph, e.rules, e.live)
	if err != nil {
		return err
	}
	return e.emulator.Apply(e.meter.Now(), s)
}

func (e *emulated) Append(at time.Time, mesh, kind string, body any, durable bool) (uint64, error) {
	if e.journal == nil {
		return 0, nil
	}
	return e.journal.Append(at, mesh, kind, body, false)
}
