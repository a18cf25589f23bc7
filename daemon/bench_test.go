package daemon_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/internal/bench"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/search"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/plugins/threshold"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// TestBench is part of `make bench`.
func TestBench(t *testing.T) {
	b := bench.Start(t)
	b.Section("a cycle without I/O, state in and guarded plan out, loads that vary at random; CPU time")
	two := benchMesh(t, 2)
	benchDecisions(t, b, "cycle_2_services_tabular", two, tabled(t, two), 2000)
	benchDecisions(t, b, "cycle_2_services_model", two, modelled(t, two), 500)
	ten := benchMesh(t, 10)
	benchDecisions(t, b, "cycle_10_services_search", ten, modelled(t, ten), 100)
	b.Section("a whole cycle of 1,000 services (threshold) in authority act, with what the testbed takes to answer; CPU time")
	benchWhole(t, b, 1000, 12)
}

// benchMesh has services with two destinations and blocking each, on six levels where that
// makes no more than a table holds.
func benchMesh(t *testing.T, services int) *rules.Mesh {
	t.Helper()
	var text strings.Builder
	for i := range services {
		_, _ = fmt.Fprintf(&text, strings.Replace(serviceText, "information", "%s", 1), fmt.Sprintf("s%04d", i))
	}
	m, err := rules.Parse("shop.toml", fmt.Appendf(nil, rulesText, text.String(), "act", thresholdActive))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// answer is the latency that the made-up mesh has: it grows with the load that a service
// lets in on the fuller of its two nodes.
func answer(a policy.Action, service string, offered float64) float64 {
	b, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: service})
	w, _ := a.Get(policy.KnobID{Kind: policy.Weight, Target: "default/shop/" + service, Part: "v1"})
	return .1 + .25*offered*(1-b)*max(w/12, (1-w)/24)
}

func tabled(t *testing.T, m *rules.Mesh) policy.Policy {
	t.Helper()
	tb := &model.Table{Knobs: m.Knobs()}
	for _, s := range m.Services {
		tb.Services, tb.Signals, tb.Loads = append(tb.Services, s.Name), append(tb.Signals, "latency"), append(tb.Loads, []float64{1, 20, 40, 60})
	}
	grid, err := policy.Grid(tb.Knobs)
	if err != nil {
		t.Fatal(err)
	}
	model.EachLoad(tb.Loads, func(offered []float64) {
		for _, a := range grid {
			for i, s := range tb.Services {
				tb.Values = append(tb.Values, float32(answer(a, s, offered[i])))
			}
		}
	})
	encoded, err := tb.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := tabular.New()
	if err := p.Configure(t.Context(), policy.Config{Artefact: encoded}); err != nil {
		t.Fatal(err)
	}
	return p
}

// modelled is search with a model of 3,000 intervals.
func modelled(t *testing.T, m *rules.Mesh) policy.Policy {
	t.Helper()
	knobs := m.Knobs()
	axes, err := policy.Axes(knobs)
	if err != nil {
		t.Fatal(err)
	}
	var ids []policy.KnobID
	for _, k := range knobs {
		ids = append(ids, k.KnobID)
	}
	var names []string
	for _, s := range m.Services {
		names = append(names, s.Name)
	}
	rng := rand.New(rand.NewPCG(1000, 1))
	d := dataset.New(m.Name, 5, ids, names)
	for range 3000 {
		var a policy.Action
		for _, axis := range axes {
			for _, v := range axis.Values[rng.IntN(len(axis.Values))] {
				a = append(a, policy.Setting{KnobID: ids[len(a)], Value: v})
			}
		}
		row := dataset.Row{Settings: a.Values()}
		for _, s := range names {
			offered := 1 + 59*rng.Float64()
			row.Offered, row.Carried = append(row.Offered, offered), append(row.Carried, offered)
			row.Latency = append(row.Latency, answer(a, s, offered)*(1+.05*rng.NormFloat64()))
		}
		if err := d.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	trained, err := train.FitSearched(m, d, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := trained.Model.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := search.New()
	if err := p.Configure(t.Context(), policy.Config{Artefact: encoded}); err != nil {
		t.Fatal(err)
	}
	return p
}

// memory is all that a loop deals with, without I/O.
type memory struct {
	mesh    *rules.Mesh
	rng     *rand.Rand
	offered []float64 // by service
	live    policy.Action
	acted   int
}

func (m *memory) Observe(_ context.Context, at time.Time) observe.Observation {
	var s policy.State
	for i, service := range m.mesh.Services {
		m.offered[i] = min(60, max(1, 30+.7*(m.offered[i]-30)+8*m.rng.NormFloat64()))
		b, _ := m.live.Get(policy.KnobID{Kind: policy.Blocking, Target: service.Name})
		for _, x := range []policy.Signal{
			{Name: "carried", Role: policy.RoleCarried, Value: m.offered[i] * (1 - b)},
			{Name: "latency", Role: policy.RoleLatency, Value: answer(m.live, service.Name, m.offered[i]) * (1 + .05*m.rng.NormFloat64())},
			{Name: "offered", Role: policy.RoleOffered, Value: m.offered[i]},
		} {
			x.Service, x.At, x.Status = service.Name, at, policy.Valid
			s = append(s, x)
		}
	}
	s.Sort()
	return observe.Observation{State: s, At: at}
}

func (m *memory) Live(context.Context) (policy.Action, map[string]string, error) {
	return m.live.Clone(), nil, nil
}

func (m *memory) Prepare(context.Context, policy.Action, policy.Action, map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	return nil, nil
}

func (m *memory) Apply(_ context.Context, _, want policy.Action, _ map[string]json.RawMessage) error {
	m.live, m.acted = want.Clone(), m.acted+1
	return nil
}

func (m *memory) Append(time.Time, string, string, any, bool) (uint64, error) { return 1, nil }

func benchDecisions(t *testing.T, b *bench.Report, name string, mesh *rules.Mesh, active policy.Policy, n int) {
	t.Helper()
	m := &memory{mesh: mesh, rng: rand.New(rand.NewPCG(1000, 2))}
	for range mesh.Services {
		m.offered = append(m.offered, 30)
	}
	for _, k := range mesh.Knobs() {
		v := 0.0
		if k.Kind == policy.Weight {
			v = .5
		}
		m.live = append(m.live, policy.Setting{KnobID: k.KnobID, Value: v})
	}
	l, err := loop.New(loop.Options{
		Mesh: mesh, Observer: m, Actuator: m, Journal: m, Active: &loop.Decider{Name: "active", Policy: active},
		Fallback: loop.Decider{Name: "threshold", Policy: threshold.New()}, Timeout: time.Minute,
		Logger: slog.New(slog.DiscardHandler), Initial: train.Card{}.Initial,
	})
	if err != nil {
		t.Fatal(err)
	}
	var millis []float64
	holds := map[string]int{}
	for i := range n {
		begun := bench.CPUTime()
		r := l.Cycle(t.Context(), epoch.Add(time.Duration(i)*mesh.Interval))
		millis = append(millis, 1e3*(bench.CPUTime()-begun).Seconds())
		holds[r.Intent.Hold]++
		if r.Err != nil || r.Intent.PolicyRole != "active" {
			t.Fatalf("%s: cycle %d: role %s, %v", name, i, r.Intent.PolicyRole, r.Err)
		}
	}
	if m.acted < n/10 {
		t.Errorf("%s: only %d of %d cycles changed something; holds: %v", name, m.acted, n, holds)
	}
	slices.Sort(millis)
	b.Add(name, millis[n/2], "ms", n)
	b.Add(name+"_p99", millis[n*99/100], "ms", n)
}
