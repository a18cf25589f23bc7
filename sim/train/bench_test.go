package train_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/windvane/windvane/internal/bench"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/rollout"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// benchmark measures from the trace to the decision.
type benchmark struct {
	*bench.Report
	rules   *rules.Mesh
	mapping *dataset.Mapping
	trace   []byte
}

// fullTrace is how many rows a trace must have for the recorded figures of the Python
// pipeline, which are of the full one, to be its peers.
const fullTrace = 40_000

// TestBench is part of `make bench`.
func TestBench(t *testing.T) {
	b := &benchmark{Report: bench.Start(t)}
	const dir = "../../examples/mo1/"
	path := bench.Trace(dir + "trace-sample.csv")
	b.trace = must(os.ReadFile(path))
	b.mapping = must(dataset.ReadMapping("mapping.toml", must(os.ReadFile(dir+"mapping.toml"))))
	b.rules = must(rules.Load(dir + "rules.toml"))
	rows := bytes.Count(b.trace, []byte("\n")) - 1
	if rows > fullTrace {
		b.Peers = bench.Recorded
		b.Section("from the trace to a decision; peer: the Python pipeline, as recorded")
	} else {
		b.Section(fmt.Sprintf("from the trace to a decision; a sample of %d rows: no peer (for the full trace: TRACE=path)", rows))
	}
	d := b.pipeline()
	b.use(d)
	b.simulate(d)
}

// pipeline times import, fit and enumeration, three times.
func (b *benchmark) pipeline() *train.Tabular {
	const n = 3
	var seconds [4][]float64
	var got *train.Tabular
	for i := range n {
		b.Stage("fits", i, n)
		var file bytes.Buffer
		start := time.Now()
		imported, _, err := b.mapping.Import("trace", bytes.NewReader(b.trace))
		if err == nil {
			err = imported.Write(&file)
		}
		check(err)
		d := must(dataset.Read("dataset", &file))
		read := time.Now()
		system := must(model.FitSystem(d, b.rules.Knobs(), model.DefaultTreeParams(), 1))
		fitted := time.Now()
		table := must(system.Tabulate(train.LoadGrid(d), must(train.Signals(b.rules, d.Services))))
		end := time.Now()
		got = &train.Tabular{Model: system, Table: table}
		for i, s := range []time.Duration{read.Sub(start), fitted.Sub(read), end.Sub(fitted), end.Sub(start)} {
			seconds[i] = append(seconds[i], s.Seconds())
		}
	}
	b.Add("import", bench.Median(seconds[0]), "s", n)
	b.Add("fit", bench.Median(seconds[1]), "s", n)
	b.Add("enumerate", bench.Median(seconds[2]), "s", n)
	b.Add("total", bench.Median(seconds[3]), "s", n)
	b.Add("state_actions", float64(len(got.Table.Values)/len(got.Table.Services)), "1", 1)
	return got
}

// use times what a trained policy does: look-ups, and decisions at random loads and margins.
func (b *benchmark) use(t *train.Tabular) {
	actions, rng := len(must(t.Table.Actions())), rand.New(rand.NewPCG(1, 1))
	low, high := t.Table.Loads[0][0], t.Table.Loads[0][len(t.Table.Loads[0])-1]
	random := func() []float64 {
		out := make([]float64, len(t.Table.Services))
		for s := range out {
			out[s] = low + (high-low)*rng.Float64()
		}
		return out
	}
	const lookUps = 2_000_000
	latency := make([]float64, len(t.Table.Services))
	var corners []model.Corner
	start := bench.CPUTime()
	for i := range lookUps {
		if i%actions == 0 {
			corners, _ = t.Table.Corners(corners, random(), actions)
		}
		t.Table.Predict(latency, corners, i%actions)
	}
	b.Add("look_ups", lookUps/(bench.CPUTime()-start).Seconds(), "1/s", lookUps)

	p := tabular.New()
	check(p.Configure(context.Background(), policy.Config{Artefact: must(t.Table.Encode())}))
	runtime.GC() // the garbage of three fits is not the policy's
	micros := b.decide(p, t.Table.Services, random, rng)
	b.Add("decision", micros[len(micros)/2], "us", len(micros))
	b.Add("decision_p99", micros[len(micros)*99/100], "us", len(micros))
	ahead := rollout.New()
	check(ahead.Configure(context.Background(), policy.Config{Artefact: must(t.Table.Encode())}))
	micros = b.decide(ahead, t.Table.Services, random, rng)
	b.Add("rollout_decision", micros[len(micros)/2], "us", len(micros))
	b.learn(t, func(p policy.Policy) []float64 { return b.decide(p, t.Table.Services, random, rng) })
}

// decide times decisions at random loads and margins, each from the action of the one
// before: microseconds, ascending.
func (b *benchmark) decide(p policy.Policy, services []string, random func() []float64, rng *rand.Rand) []float64 {
	o := observation(b.rules)
	var micros []float64
	for range 3000 {
		load := random()
		for i := range o.State {
			if s := &o.State[i]; s.Role == policy.RoleOffered {
				s.Value = load[slices.Index(services, s.Service)]
			}
		}
		for s := range o.Services {
			o.Services[s].Objectives[0].Margin = -.1 + .4*rng.Float64()
		}
		start := bench.CPUTime()
		d := must(p.Decide(context.Background(), o))
		micros = append(micros, 1e6*(bench.CPUTime()-start).Seconds())
		o.Live = d.Action
	}
	slices.Sort(micros)
	return micros
}

// observation has every signal, and is at the first setting of the grid.
func observation(m *rules.Mesh) policy.Observation {
	o := policy.Observation{Mesh: m.Name, Knobs: m.Knobs(), Limits: m.Limits(), Services: m.PolicyServices()}
	o.Live = must(policy.Grid(o.Knobs))[0].Clone()
	for _, s := range o.Services {
		o.State = append(o.State,
			policy.Signal{Name: "latency", Service: s.Name, Role: policy.RoleLatency, Value: .03, Status: policy.Valid},
			policy.Signal{Name: "offered", Service: s.Name, Role: policy.RoleOffered, Status: policy.Valid})
	}
	o.State.Sort()
	return o
}

// must and check are for a benchmark, whose input is the repository's.
func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
