package train_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// figure is one line of bench.json.
type figure struct {
	Value   float64  `json:"value"`
	Unit    string   `json:"unit"`
	Peer    *float64 `json:"peer"` // the same of the Python pipeline; null where none is known
	N       int      `json:"n"`    // measurements behind the value, which is their median unless its name says more
	Command string   `json:"command"`
	Commit  string   `json:"commit"`
}

// The Python pipeline fits its models (scikit-learn random forests, one thread) on the
// full trace in 13 to 25 s. The lesser is the peer; on a sample there is none.
const (
	peerFitSeconds     = 13.
	peerFitSecondsMost = 25.
	peerRows           = 40_000
)

// bench measures from the trace to the decision.
type bench struct {
	t       *testing.T
	rules   *rules.Mesh
	mapping *dataset.Mapping
	trace   []byte
	figures map[string]figure
	order   []string
}

// TestBench is `make bench`: it is skipped unless BENCH_JSON names the file to write.
// The paths are relative to the repository's root, where make runs it.
func TestBench(t *testing.T) {
	out := os.Getenv("BENCH_JSON")
	if out == "" {
		t.Skip("a benchmark: run it by make bench")
	}
	trace := cmp.Or(os.Getenv("TRACE"), "examples/mo1/trace-sample.csv")
	b := &bench{t: t, figures: map[string]figure{}}
	b.trace = must(os.ReadFile(trace))
	b.mapping = must(dataset.ReadMapping("examples/mo1/mapping.toml", must(os.ReadFile("examples/mo1/mapping.toml"))))
	b.rules = must(rules.Load("examples/mo1/rules.toml"))

	d, rows := b.pipeline()
	fmt.Printf("%s: %d rows, %d cores, %s\n\n", trace, rows, runtime.GOMAXPROCS(0), runtime.Version())
	b.use(d)
	b.simulate(d)
	b.print()
	if err := os.WriteFile(out, append(must(json.MarshalIndent(b.figures, "", "  ")), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pipeline times import, fit and enumeration, three times.
func (b *bench) pipeline() (*train.Tabular, int) {
	const n = 3
	var seconds [4][]float64
	var got *train.Tabular
	var d *dataset.Dataset
	for range n {
		var file bytes.Buffer
		start := time.Now()
		imported, _, err := b.mapping.Import("trace", bytes.NewReader(b.trace))
		if err == nil {
			err = imported.Write(&file)
		}
		check(err)
		d = must(dataset.Read("dataset", &file))
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
	var peer *float64
	if d.Rows() > peerRows {
		peer = new(peerFitSeconds)
	}
	b.add("import", median(seconds[0]), "s", nil, n)
	b.add("fit", median(seconds[1]), "s", peer, n)
	b.add("enumerate", median(seconds[2]), "s", nil, n)
	b.add("total", median(seconds[3]), "s", nil, n)
	b.add("state_actions", float64(len(got.Table.Values)/len(got.Table.Services)), "1", nil, 1)
	return got, d.Rows()
}

// use times what a trained policy does: look-ups, and decisions at random loads and margins.
func (b *bench) use(t *train.Tabular) {
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
	start := time.Now()
	for i := range lookUps {
		if i%actions == 0 {
			corners, _ = t.Table.Corners(corners, random(), actions)
		}
		t.Table.Predict(latency, corners, i%actions)
	}
	b.add("look_ups", lookUps/time.Since(start).Seconds(), "1/s", nil, lookUps)

	p := tabular.New()
	check(p.Configure(context.Background(), policy.Config{Artefact: must(t.Table.Encode())}))
	runtime.GC() // the garbage of three fits is not the policy's
	micros := b.decide(p, t.Table.Services, random, rng)
	b.add("decision", micros[len(micros)/2], "us", nil, len(micros))
	b.add("decision_p99", micros[len(micros)*99/100], "us", nil, len(micros))
	b.learn(t, func(p policy.Policy) []float64 { return b.decide(p, t.Table.Services, random, rng) })
}

// decide times decisions at random loads and margins, each from the action of the one
// before: microseconds, ascending.
func (b *bench) decide(p policy.Policy, services []string, random func() []float64, rng *rand.Rand) []float64 {
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
		start := time.Now()
		d := must(p.Decide(context.Background(), o))
		micros = append(micros, 1e6*time.Since(start).Seconds())
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

func (b *bench) add(name string, value float64, unit string, peer *float64, n int) {
	b.order = append(b.order, name)
	b.figures[name] = figure{value, unit, peer, n, os.Getenv("BENCH_COMMAND"), os.Getenv("BENCH_COMMIT")}
}

func (b *bench) print() {
	for _, name := range b.order {
		f := b.figures[name]
		format := "%.3g"
		if f.Value >= 1000 {
			format = "%.0f"
		}
		line := fmt.Sprintf("%-22s %12s %-4s n = %d", name, fmt.Sprintf(format, f.Value), f.Unit, f.N)
		switch {
		case f.Peer == nil:
		case f.Unit == "1/s":
			line += fmt.Sprintf("   Python %.0f/s: %.0f times that", *f.Peer, f.Value / *f.Peer)
		case name == "ppo_train_seconds":
			line += fmt.Sprintf("   Stable-Baselines3 %.0f to %.0f s: %.0f to %.0f times that", peerPPOSeconds, peerPPOSecondsMost,
				peerPPOSeconds/f.Value, peerPPOSecondsMost/f.Value)
		default:
			line += fmt.Sprintf("   Python pipeline %.3g to %.3g s: %.1f to %.1f times that", peerFitSeconds, peerFitSecondsMost,
				peerFitSeconds/f.Value, peerFitSecondsMost/f.Value)
		}
		fmt.Println(line)
	}
}

func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

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
