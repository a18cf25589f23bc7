package promotion_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/daemon/promotion"
	"github.com/windvane/windvane/plugins/host"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/threshold"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/load"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// smallMesh is the built-in emulated mesh, which may be acted upon.
func smallMesh(t *testing.T) (eval.Graph, *rules.Mesh) {
	t.Helper()
	g, _, err := eval.SmallGraph()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(eval.SmallRules()), `authority = "observe"`, "authority = \"act\"\nchanges_per_hour = 100000", 1)
	m, err := rules.Parse("small.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for i := range g.Loads { // so much that there is something to decide
		g.Loads[i].Least, g.Loads[i].Most = 1.3*g.Loads[i].Least, 1.3*g.Loads[i].Most
	}
	for _, bound := range []float64{400, 800} {
		for _, f := range []float64{.4, .5, .6, .7, .8, .9, .95, 1, 1.05, 1.1, 1.2, 1.3, 1.5, 1.75, 2} {
			g.Mesh.BucketBounds = append(g.Mesh.BucketBounds, f*bound)
		}
	}
	return g, m
}

// field is an emulated mesh behind the interfaces of a loop.
type field struct {
	emulator *emulator.Emulator
	meter    *eval.Meter
	graph    emulator.Graph
	mesh     *rules.Mesh
	live     policy.Action
	readings []eval.Reading
	order    []int // by service of the rules, in the readings
}

// newField has loads that go up and down within their ranges, and jump.
func newField(t *testing.T, g eval.Graph, m *rules.Mesh, seed uint64, intervals int, servers float64) *field {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	mesh := g.Mesh
	mesh.Services = append(mesh.Services[:0:0], mesh.Services...)
	for s, r := range g.Loads {
		phase, period, jump := 2*math.Pi*rng.Float64(), 200+200*rng.Float64(), 0.
		var at, rates []float64
		for n := 0; n < intervals+10; n++ {
			if n%25 == 0 {
				jump = .3 * (rng.Float64() - .5)
			}
			share := .5 + .35*math.Sin(phase+2*math.Pi*float64(n)/period) + jump
			at, rates = append(at, 5*float64(n)), append(rates, r.Least+(r.Most-r.Least)*share)
		}
		process, err := load.NewSteps(at, rates)
		if err != nil {
			t.Fatal(err)
		}
		mesh.Services[s].Load = process
	}
	return fieldOf(t, g, mesh, m, seed, servers)
}

// present is the share of its servers that the first node has; models of the old capacity know it whole.
const present = .5

// fieldOf has a mesh of which the first node has a share of its servers.
func fieldOf(t *testing.T, g eval.Graph, mesh emulator.Graph, m *rules.Mesh, seed uint64, servers float64) *field {
	t.Helper()
	mesh.Nodes = append(mesh.Nodes[:0:0], mesh.Nodes...)
	mesh.Nodes[0].Concurrency = int(math.Round(servers * float64(mesh.Nodes[0].Concurrency)))
	f := &field{graph: mesh, mesh: m}
	for _, k := range m.Knobs() {
		v := 0.
		if k.Kind == policy.Weight {
			v = .5
		}
		f.live = append(f.live, policy.Setting{KnobID: k.KnobID, Value: v})
	}
	var err error
	if f.emulator, err = emulator.New(emulator.Options{Graph: mesh, Seed: seed, SettleSeconds: g.SettleSeconds}); err != nil {
		t.Fatal(err)
	}
	if f.meter, err = eval.NewMeter(f.emulator, m.Interval, g.Scrape, .95); err != nil {
		t.Fatal(err)
	}
	names := f.meter.Services()
	f.readings = make([]eval.Reading, len(names))
	for _, s := range m.PolicyServices() {
		for i, name := range names {
			if name == s.Name {
				f.order = append(f.order, i)
			}
		}
	}
	return f
}

func (f *field) set(a policy.Action) error {
	f.live = policy.Quantise(a.Clone())
	s, err := eval.Settings(f.graph, f.mesh, f.live)
	if err != nil {
		return err
	}
	return f.emulator.Apply(f.meter.Now(), s)
}

// Observe lets an interval pass.
func (f *field) Observe(_ context.Context, at time.Time) observe.Observation {
	f.meter.Advance(f.readings)
	var s policy.State
	for i, service := range f.mesh.PolicyServices() {
		r := f.readings[f.order[i]]
		for _, x := range []struct {
			name string
			role policy.Role
			v    float64
		}{{"carried", policy.RoleCarried, r.Carried}, {"latency", policy.RoleLatency, r.Latency}, {"offered", policy.RoleOffered, r.Offered}} {
			signal := policy.Signal{Name: x.name, Service: service.Name, Role: x.role}
			if !math.IsNaN(x.v) {
				signal.Value, signal.At, signal.Status = x.v, at, policy.Valid
			}
			s = append(s, signal)
		}
	}
	s.Sort()
	return observe.Observation{State: s, At: at}
}

func (f *field) Live(context.Context) (policy.Action, map[string]string, error) {
	return f.live.Clone(), nil, nil
}

func (f *field) Prepare(context.Context, policy.Action, policy.Action, map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	return map[string]json.RawMessage{"all": json.RawMessage(`""`)}, nil
}

func (f *field) Apply(_ context.Context, _, want policy.Action, _ map[string]json.RawMessage) error {
	return f.set(want)
}

func (f *field) Append(time.Time, string, string, any, bool) (uint64, error) { return 1, nil }

// candidate is a policy with what its artefact says of it.
type candidate struct {
	name    string
	policy  policy.Policy
	initial func(service, signal string) margin.Calibration
}

func (c candidate) decider() loop.Decider {
	return loop.Decider{Name: c.name, Policy: checked{c.policy}, Initial: c.initial}
}

// checked refuses answers as the host of a plugin does.
type checked struct{ policy.Policy }

func (c checked) Decide(ctx context.Context, o policy.Observation) (policy.Decision, error) {
	d, err := c.Policy.Decide(ctx, o)
	if err == nil {
		err = host.Check(o, d)
	}
	return d, err
}

func thresholds() candidate { return candidate{name: "thresholds", policy: threshold.New()} }

// run is a loop over a field, with an active policy and shadows of which evidence is gathered.
type run struct {
	t        *testing.T
	field    *field
	loop     *loop.Loop
	asked    promotion.Asked
	evidence []*promotion.Evidence // by shadow; the last is that of the active policy itself
	cycle    int
	rolled   string // why the active policy was rolled back

	carried, offered, violated, intervals float64
}

func newRun(t *testing.T, f *field, active candidate, shadows []candidate, canary bool) *run {
	t.Helper()
	r := &run{t: t, field: f, asked: promotion.Asked{Promotion: f.mesh.Promotion, Interval: f.mesh.Interval, Services: f.mesh.PolicyServices()}}
	d := active.decider()
	initial := active.initial
	if initial == nil {
		initial = func(string, string) margin.Calibration { return margin.Calibration{} }
	}
	o := loop.Options{
		Mesh: f.mesh, Observer: f, Actuator: f, Journal: f, Active: &d, Initial: initial, Fallback: loop.Decider{Name: "threshold", Policy: threshold.New()},
		Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler), ShadowTimeout: time.Minute, Clock: func() time.Duration { return 0 },
	}
	for _, s := range shadows {
		o.Shadows = append(o.Shadows, s.decider())
		r.evidence = append(r.evidence, promotion.NewEvidence(promotion.Pair{Policy: s.name, Of: s.name, Active: active.name, ActiveOf: active.name}))
	}
	r.evidence = append(r.evidence, promotion.NewEvidence(promotion.Pair{Policy: active.name, Of: active.name, Active: active.name, ActiveOf: active.name}))
	if canary {
		o.Mesh = f.mesh.Canary()
		o.RollBack = func(why string, _ time.Time) error {
			r.rolled = why
			return nil
		}
		o.Demoter = nobody{}
	}
	var err error
	if r.loop, err = loop.New(o); err != nil {
		t.Fatal(err)
	}
	return r
}

type nobody struct{}

func (nobody) Demote(string, time.Time) error { return nil }

// cycles runs some, and calls each after each block.
func (r *run) cycles(n int, each func()) {
	for range n {
		r.cycle++
		report := r.loop.Cycle(context.Background(), epoch.Add(time.Duration(r.cycle)*r.field.mesh.Interval))
		for k, in := range promotion.Shadows(&report, r.field.mesh.Interval.Seconds()) {
			r.evidence[k].Add(in)
		}
		if in, ok := promotion.Itself(&report, r.field.mesh.Interval.Seconds()); ok {
			r.evidence[len(r.evidence)-1].Add(in)
		}
		r.count(&report)
		if r.cycle%promotion.BlockCycles == 0 && each != nil {
			each()
		}
	}
}

// count sums up what the mesh did.
func (r *run) count(report *loop.Report) {
	for _, s := range r.asked.Services {
		offered, _ := report.Intent.State.Role(s.Name, policy.RoleOffered).Get()
		blocked, _ := report.Intent.Live.Get(policy.KnobID{Kind: policy.Blocking, Target: s.Name})
		r.offered += s.Value * offered
		r.carried += s.Value * offered * (1 - blocked)
	}
	if report.Outcome != nil {
		for _, e := range report.Outcome.Errors {
			if e.Known {
				r.violated += e.Error
				r.intervals++
			}
		}
	}
}

// samples are random settings at random loads, each after an interval that is left out, because what
// was in force before still shows in it.
func samples(t *testing.T, g eval.Graph, m *rules.Mesh, seed uint64, n int, servers float64) *dataset.Dataset {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 2))
	mesh := g.Mesh
	mesh.Services = append(mesh.Services[:0:0], mesh.Services...)
	for s, r := range g.Loads {
		var at, rates []float64
		rate := 0.
		for i := range 2*n + 10 {
			if at = append(at, 5*float64(i)); i%2 == 0 {
				rate = r.Least + (r.Most-r.Least)*rng.Float64()
			}
			rates = append(rates, rate)
		}
		process, err := load.NewSteps(at, rates)
		if err != nil {
			t.Fatal(err)
		}
		mesh.Services[s].Load = process
	}
	f := fieldOf(t, g, mesh, m, seed, servers)
	axes, err := policy.Axes(m.Knobs())
	if err != nil {
		t.Fatal(err)
	}
	out := dataset.Of(m.Name, m.Interval, m.Knobs(), m.PolicyServices())
	for i := range 2 * n {
		if i%2 == 0 {
			a := f.live.Clone()
			for _, axis := range axes {
				for k, v := range axis.Values[rng.IntN(len(axis.Values))] {
					a[axis.First+k].Value = v
				}
			}
			if err := f.set(a); err != nil {
				t.Fatal(err)
			}
		}
		f.meter.Advance(f.readings)
		if i%2 == 0 {
			continue
		}
		row := dataset.Row{Settings: f.live.Values()}
		for _, at := range f.order {
			row.Offered, row.Carried, row.Latency = append(row.Offered, f.readings[at].Offered), append(row.Carried, f.readings[at].Carried), append(row.Latency, f.readings[at].Latency)
		}
		if err := out.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
