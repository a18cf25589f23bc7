package search

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

// knobs of an instance: a service's weights are named after the nodes, so that the
// model sees what they share.
func (in *instance) knobs() []policy.Knob {
	var out []policy.Knob
	for i, s := range in.Services {
		name := service(i)
		out = append(out, policy.Knob{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}, Service: name, Max: 1, Levels: levels})
		for _, m := range s.Nodes {
			id := policy.KnobID{Kind: policy.Weight, Target: "ns/vs/" + name, Part: fmt.Sprintf("node%03d", m)}
			out = append(out, policy.Knob{KnobID: id, Service: name, Max: 1, Levels: levels})
		}
	}
	policy.SortKnobs(out)
	return out
}

func service(i int) string { return fmt.Sprintf("s%03d", i) }

// latency is the truth behind a dataset: the delay that a service's requests see on
// the average of their ways, in seconds.
func (in *instance) latency(out, offered []float64, a policy.Action) {
	load := make([]float64, len(in.Capacity))
	share := func(i, d int) float64 {
		name := service(i)
		b, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: name})
		w, _ := a.Get(policy.KnobID{Kind: policy.Weight, Target: "ns/vs/" + name, Part: fmt.Sprintf("node%03d", in.Services[i].Nodes[d])})
		return (1 - b) * w
	}
	for i, s := range in.Services {
		for d, m := range s.Nodes {
			load[m] += offered[i] * s.Work * share(i, d)
		}
	}
	for i, s := range in.Services {
		out[i] = 0
		for d, m := range s.Nodes {
			if f := share(i, d); f > 0 {
				out[i] = math.Max(out[i], in.Delay[m]/(1-math.Min(load[m]/in.Capacity[m], .95)))
			}
		}
	}
}

// data samples an instance at random settings about its capacity, with 3 % of noise.
func (in *instance) data(rows int, seed uint64) *dataset.Dataset {
	rng := rand.New(rand.NewPCG(seed, 7))
	knobs := in.knobs()
	var names []string
	for i := range in.Services {
		names = append(names, service(i))
	}
	ids := make([]policy.KnobID, len(knobs))
	for i, k := range knobs {
		ids[i] = k.KnobID
	}
	d := dataset.New("synthetic", 5, ids, names)
	n := len(names)
	row := dataset.Row{Settings: make([]float64, len(knobs)), Offered: make([]float64, n), Carried: make([]float64, n), Latency: make([]float64, n)}
	a := make(policy.Action, len(knobs))
	for range rows {
		for i, k := range knobs {
			v := float64(rng.IntN(levels)) / (levels - 1)
			if k.Kind == policy.Weight && i > 0 && knobs[i-1].Target == k.Target {
				v = 1 - a[i-1].Value
			}
			a[i] = policy.Setting{KnobID: k.KnobID, Value: v}
			row.Settings[i] = v
		}
		for i, s := range in.Services {
			row.Offered[i] = s.Rate * (.8 + .4*rng.Float64())
		}
		in.latency(row.Latency, row.Offered, a)
		for i := range row.Latency {
			b, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: names[i]})
			row.Carried[i] = row.Offered[i] * (1 - b)
			if row.Latency[i] *= 1 + .03*rng.NormFloat64(); b == 1 {
				row.Latency[i] = math.NaN()
			}
		}
		if err := d.Append(row); err != nil {
			panic(err)
		}
	}
	return d
}

// models are fitted once for all tests.
var models = struct {
	sync.Mutex
	of map[string][]byte
}{of: map[string][]byte{}}

// artefact fits a small model of a generated instance.
func artefact(t testing.TB, n int) (*instance, []byte) {
	t.Helper()
	return fitted(t, n, 1, 500, model.TreeParams{Trees: 40, Leaves: 6, Rate: .15, MinLeafRows: 8})
}

// fitted fits the model of a generated instance on so many rows.
func fitted(t testing.TB, n int, seed uint64, rows int, trees model.TreeParams) (*instance, []byte) {
	t.Helper()
	in := generate(n, seed)
	key := fmt.Sprint(n, seed, rows)
	models.Lock()
	defer models.Unlock()
	if b, ok := models.of[key]; ok {
		return in, b
	}
	m, err := model.FitMean(in.data(rows, seed), in.knobs(), trees)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	models.of[key] = b
	return in, b
}

// observation is the instance at its rates times load, with nothing blocked and all
// weight on the first of each service's nodes.
func (in *instance) observation(load, margin float64) policy.Observation {
	o := policy.Observation{Knobs: in.knobs(), Limits: policy.Limits{MaxStep: 1, TotalBlocking: 1}}
	for i, k := range o.Knobs {
		v := 0.0
		if k.Kind == policy.Weight && o.Knobs[i-1].Target != k.Target {
			v = 1
		}
		o.Live = append(o.Live, policy.Setting{KnobID: k.KnobID, Value: v})
	}
	for i, s := range in.Services {
		o.Services = append(o.Services, policy.Service{Name: service(i), Value: s.Value, Objectives: []policy.Objective{
			{Signal: "latency", Kind: policy.LatencyObjective, Bound: s.Bound, Budget: .05, Margin: margin},
		}})
		o.State = append(o.State,
			policy.Signal{Name: "latency", Service: service(i), Role: policy.RoleLatency, Value: .05, Status: policy.Valid},
			policy.Signal{Name: "offered", Service: service(i), Role: policy.RoleOffered, Value: s.Rate * load, Status: policy.Valid})
	}
	o.State.Sort()
	return o
}

// offered are the loads of an observation, by service.
func offered(o policy.Observation) []float64 {
	var out []float64
	for _, s := range o.Services {
		out = append(out, o.State.Role(s.Name, policy.RoleOffered).Value)
	}
	return out
}

// carriedValue is the worth of what an action carries.
func carriedValue(o policy.Observation, a policy.Action) float64 {
	v := 0.0
	for i, l := range offered(o) {
		b, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: o.Services[i].Name})
		v += o.Services[i].Value * l * (1 - b)
	}
	return v
}

func configured(t testing.TB, artefact []byte, settings string) *Policy {
	t.Helper()
	p := New()
	if err := p.Configure(context.Background(), policy.Config{Artefact: artefact, Settings: []byte(settings)}); err != nil {
		t.Fatal(err)
	}
	return p
}

func decide(t testing.TB, p *Policy, o policy.Observation) policy.Decision {
	t.Helper()
	d, err := p.Decide(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Action.Validate(o.Knobs); err != nil {
		t.Fatal(err)
	}
	return d
}

// excess is the largest ratio that the model predicts for an action, under the margins
// of the observation.
func (p *Policy) excess(o policy.Observation, a policy.Action) float64 {
	out := make([]float64, len(p.model.Services))
	loads := slices.Clone(offered(o))
	for i := range loads {
		loads[i] = math.Max(p.model.Offered[i].Min, math.Min(p.model.Offered[i].Max, loads[i]))
	}
	p.model.Predictor().Latency(out, a.Values(), loads)
	worst := 0.0
	for i, v := range out {
		for _, obj := range o.Services[i].Objectives {
			worst = math.Max(worst, v*(1+obj.Margin)/obj.Bound)
		}
	}
	return worst
}
