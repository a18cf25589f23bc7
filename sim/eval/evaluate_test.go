package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

const tinyRules = `
mesh = "m"
interval = "5s"

[signals]
by = "service"
offered = 'o'
carried = 'c'
latency = 'l'

[[service]]
name = "a"

  [[service.objective]]
  signal = "latency"
  bound = "100ms"
  target = 0.9

  [[service.route]]
  virtual_service = "d/v"
  http = "a"
  destinations = ["v1", "v2"]
  levels = 3

  [service.blocking]
  maximum = 1.0
  levels = 5

[[service]]
name = "b"

  [[service.objective]]
  signal = "latency"
  bound = "60ms"
  target = 0.8

  [service.blocking]
  maximum = 0.5
  levels = 3

[guard]
max_step = 1.0
total_blocking = 1.0

[reward]
name = "mo1"
steepness = 200.0
theta = { a = "110ms", b = "70ms" }
`

func tinyMesh(t *testing.T) *rules.Mesh {
	t.Helper()
	m, err := rules.Parse("rules.toml", []byte(tinyRules))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tinyTruth is the mesh behind the data, in seconds: service b loads v1, too.
func tinyTruth(settings, offered []float64) (a, b float64) {
	v1 := offered[0]*(1-settings[0])*settings[2] + offered[1]*(1-settings[1])
	v2 := offered[0] * (1 - settings[0]) * settings[3]
	a = .02 + math.Max(.005*v1*math.Min(1, 4*settings[2]), .01*v2)
	return a, .02 + .003*v1
}

// tinyTrees are enough for tinyTruth, and fast under the race detector.
var tinyTrees = model.TreeParams{Trees: 30, Leaves: 20, Rate: .2, MinLeafRows: 10}

// fewTrees are for what asks nothing of a model but that there is one.
var fewTrees = model.TreeParams{Trees: 5, Leaves: 20, Rate: .5, MinLeafRows: 10}

// tinyData has each configuration for a while at each of 3 x 3 loads. What is carried
// is at most 6 requests/s, as by a rate limit.
func tinyData(m *rules.Mesh) *dataset.Dataset {
	rng := rand.New(rand.NewPCG(1, 1))
	d := dataset.New("m", 5, nil, []string{"a", "b"})
	for _, k := range m.Knobs() {
		d.Knobs = append(d.Knobs, k.KnobID)
	}
	d = dataset.New("m", 5, d.Knobs, d.Services)
	burst := 0.0
	for i := range 5 * 3 * 3 * 27 {
		config, visit := i/27, i%27/3
		settings := []float64{float64(config%5) / 4, float64(config/5%3) / 4, float64(config/15) / 2, 1 - float64(config/15)/2}
		offered := []float64{float64(4 + 4*(visit%3)), float64(4 + 4*(visit/3))}
		a, b := tinyTruth(settings, offered)
		burst = .5*burst + .05*rng.NormFloat64()
		row := dataset.Row{
			Settings: settings, Offered: offered,
			Carried: []float64{math.Min(6, offered[0]*(1-settings[0])), math.Min(6, offered[1]*(1-settings[1]))},
			Latency: []float64{a * (1 + burst), b * (1 + burst)},
		}
		if err := d.Append(row); err != nil {
			panic(err)
		}
	}
	return d
}

// whole is an evaluation of everything, with two seeds.
var whole = sync.OnceValues(func() (Report, error) {
	m, err := rules.Parse("rules.toml", []byte(tinyRules))
	if err != nil {
		return Report{}, err
	}
	return Evaluate(context.Background(), Options{Rules: m, Dataset: tinyData(m), Policies: Names(), Seed: 3, Seeds: 2, Trees: tinyTrees, Steps: 4096, intervals: 900, factors: []float64{1, 2}})
})

func find(t *testing.T, r Report, policy, objective, load, on string) Row {
	t.Helper()
	for _, row := range r.Rows {
		if row.Policy == policy && row.Objective == objective && row.Load == load && row.On == on {
			return row
		}
	}
	t.Fatalf("no row for %s, %s, %s, %s", policy, objective, load, on)
	return Row{}
}

func TestEvaluate(t *testing.T) {
	r, err := whole()
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 * 2 * 2 * len(Names()); len(r.Rows) != want {
		t.Fatalf("%d rows, want %d", len(r.Rows), want)
	}
	for _, row := range r.Rows {
		if row.RewardRatio == nil || row.CarriedMeasuredRatio == nil || row.Seeds != 2 || len(row.ViolatedRatio) != 2 {
			t.Errorf("row %+v is not complete", row)
			continue
		}
		if row.Objective == train.ObjectiveReward && *row.RewardRatio > 1+1e-9 {
			t.Errorf("%s has more reward than the optimum: %v", row.Policy, *row.RewardRatio)
		}
		if *row.CarriedMeasuredRatio > row.CarriedRatio+.02 {
			t.Errorf("%s: %.3f of the load is carried as measured, %.3f by the settings; the data have a limit of 6/s", row.Policy, *row.CarriedMeasuredRatio, row.CarriedRatio)
		}
	}
	for _, load := range []string{LoadSeen, LoadUnseen} {
		for _, on := range []string{OnModel, OnHeldOut} {
			for _, objective := range []string{train.ObjectiveReward, train.ObjectiveBudget} {
				best, least := find(t, r, Tabular, objective, load, on), find(t, r, Random, objective, load, on)
				if objective == train.ObjectiveReward && *best.RewardRatio < *least.RewardRatio {
					t.Errorf("%s, %s, %s: tabular %v, random %v", objective, load, on, *best.RewardRatio, *least.RewardRatio)
				}
				if objective == train.ObjectiveReward && on == OnModel && *best.RewardRatio < .999 {
					t.Errorf("%s, %s: tabular has %v of the optimum", load, on, *best.RewardRatio)
				}
			}
			// Feedback spends the budget whatever the model is worth; the oracle keeps it
			// in the mean over the noise, of which a run has a few hundred bursts.
			for policy, slack := range map[string]float64{Tabular: .015, Rollout: .015, Learned: .015, Optimum: .025} {
				v := find(t, r, policy, train.ObjectiveBudget, load, on).ViolatedRatio
				if v["a"] > .1+slack || v["b"] > .2+slack {
					t.Errorf("%s, %s, %s: violated %v, budgets .1 and .2", policy, load, on, v)
				}
			}
		}
	}
	for _, load := range []string{LoadSeen, LoadUnseen} {
		// Chosen on the model, it keeps its budget there, as the optimum does; so it carries less.
		if s := find(t, r, Static, train.ObjectiveBudget, load, OnModel); *s.RewardRatio > 1 {
			t.Errorf("%s: the best static setting carries %v of the optimum", load, *s.RewardRatio)
		}
	}
	static, tabular := find(t, r, Static, train.ObjectiveBudget, LoadUnseen, OnModel), find(t, r, Tabular, train.ObjectiveBudget, LoadUnseen, OnModel)
	if tabular.CarriedRatio <= static.CarriedRatio {
		t.Errorf("tabular carries %v, the best static setting %v", tabular.CarriedRatio, static.CarriedRatio)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	m := tinyMesh(t)
	again := func() Report {
		r, err := Evaluate(context.Background(), Options{Rules: m, Dataset: tinyData(m), Policies: Quick(), Seed: 3, Seeds: 2, Trees: fewTrees, intervals: 150, factors: []float64{1, 2}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first, second := again(), again()
	var a, b, text bytes.Buffer
	if err := json.NewEncoder(&a).Encode(first); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&b).Encode(second); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a.String(), b.String()); d != "" {
		t.Errorf("two evaluations differ:\n%s", d)
	}
	if err := first.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"violated a", "violated b", "optimum", "static", "held_out"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, text.String())
		}
	}
}

// What was asked for, the optimum and the best static setting, and nothing else; an
// artefact is judged as it is, and what made it beside it where data are held out.
func TestArtefactsAreJudgedBesideTheOptimumAndStatic(t *testing.T) {
	m := tinyMesh(t)
	d := tinyData(m)
	trained, err := train.EnumerateTabularAt(m, d, train.LoadGrid(d), fewTrees, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	table, err := trained.Table.Encode()
	if err != nil {
		t.Fatal(err)
	}
	artefacts := map[string]*train.Artefact{"tabular-0": {Card: trained.Card, Policy: table}}
	r, err := Evaluate(context.Background(), Options{Rules: m, Dataset: d, Artefacts: artefacts, Seeds: 1, Trees: fewTrees, intervals: 100, factors: []float64{1}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range r.Rows[:6] {
		got = append(got, row.On+" "+row.Policy+" "+row.Artefact)
	}
	want := []string{"model optimum ", "model tabular tabular-0", "model static ", "held_out optimum ", "held_out tabular ", "held_out static "}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

func TestEvaluateRefuses(t *testing.T) {
	m := tinyMesh(t)
	d := tinyData(m)
	other, err := rules.Parse("rules.toml", []byte(strings.ReplaceAll(tinyRules, "d/v", "d/w")))
	if err != nil {
		t.Fatal(err)
	}
	unbounded, _, _ := strings.Cut(tinyRules, "[[service]]")
	unbounded += "[[service]]\nname = \"a\"\n[[service.route]]\nvirtual_service = \"d/v\"\nhttp = \"a\"\ndestinations = [\"v1\", \"v2\"]\n" +
		"[service.blocking]\nmaximum = 1.0\n[[service]]\nname = \"b\"\n[service.blocking]\nmaximum = 0.5\n"
	nothing, err := rules.Parse("rules.toml", []byte(unbounded))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"other knobs":      {Options{Rules: other, Dataset: d}, "weight:d/w/a"},
		"no bounds":        {Options{Rules: nothing, Dataset: d}, "no service has a latency objective"},
		"unknown policy":   {Options{Rules: m, Dataset: d, Policies: []string{"tabulated"}}, "no such policy"},
		"damaged artefact": {Options{Rules: m, Dataset: d, Artefacts: map[string]*train.Artefact{"x": {}}}, "artefact x"},
	} {
		c.o.Seeds, c.o.Trees = 1, fewTrees
		if _, err := Evaluate(context.Background(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not say %q", name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Evaluate(ctx, Options{Rules: m, Dataset: d, Policies: []string{Tabular}, Seeds: 1, Trees: fewTrees}); err == nil {
		t.Error("went on after it was cancelled")
	}
	if _, err := NewTrial(nothing, d, nil, 1); err == nil || !strings.Contains(err.Error(), "no service has a latency objective") {
		t.Errorf("a trial without bounds: %v", err)
	}
}
