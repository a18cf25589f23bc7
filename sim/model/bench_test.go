package model_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/windvane/windvane/internal/bench"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

// TestBench is part of `make bench`: trees of 31 leaves for both services, 100 of them,
// without the cross-validation and with it, and predictions of both services one after
// the other on one core.
func TestBench(t *testing.T) {
	b := bench.Start(t)
	d, knobs := trace(t)
	if d.Rows() > 40_000 {
		b.Peers = bench.Recorded
	}
	b.Section(fmt.Sprintf("system model of %d rows; peers: LightGBM and scikit-learn on the full trace, as recorded", d.Rows()))
	p := model.DefaultTreeParams()
	p.Trees = 100
	const n = 5
	var wall, cpu, validated []float64
	var m *model.System
	for i := range n {
		b.Stage("fits", i, n)
		var err error
		start, used := time.Now(), bench.CPUTime()
		if m, err = model.FitMean(d, knobs, p); err != nil {
			t.Fatal(err)
		}
		wall, cpu = append(wall, time.Since(start).Seconds()), append(cpu, (bench.CPUTime()-used).Seconds())
		start = time.Now()
		if _, err := model.FitSystem(d, knobs, p, 1); err != nil {
			t.Fatal(err)
		}
		validated = append(validated, time.Since(start).Seconds())
	}
	b.Add("model_fit", bench.Median(wall), "s", n)
	b.Add("model_fit_cpu", bench.Median(cpu), "s", n)
	b.Add("model_fit_validated", bench.Median(validated), "s", n)
	b.Add("model_predict", predict(m, d), "us", n)
	heldOut(t, b, d, knobs)
}

// heldOut is how good the shipped trees are where the configuration was held out, and
// where the load was. The folds of each seed are written into the directory BENCH_SPLITS,
// if there is one, so that a peer can be judged on the same: the fold of each row a line.
func heldOut(t *testing.T, b *bench.Report, d *dataset.Dataset, knobs []policy.Knob) {
	const seeds = 3
	r2, loads := make([][]float64, len(d.Services)), make([][]float64, len(d.Services))
	for seed := uint64(1); seed <= seeds; seed++ {
		b.Stage("cross-validations", int(seed)-1, seeds)
		m, err := model.FitSystem(d, knobs, model.TreeParamsFor(d.Rows()), seed)
		if err != nil {
			t.Fatal(err)
		}
		for s, f := range m.Fit {
			r2[s] = append(r2[s], f.R2)
			loads[s] = append(loads[s], *f.R2Loads)
		}
		if dir := os.Getenv("BENCH_SPLITS"); dir != "" {
			var folds bytes.Buffer
			configurations, _ := model.DrawHoldOuts(d, seed)
			for row := range d.Rows() {
				_, _ = fmt.Fprintln(&folds, configurations.Of(row))
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("seed%d-folds.txt", seed)), folds.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for s, service := range d.Services {
		b.Add("model_r2_"+service, bench.Median(r2[s]), "1", seeds)
		b.Add("model_r2_loads_"+service, bench.Median(loads[s]), "1", seeds)
	}
}

// predict is the median time of a row's prediction, of all services; of the CPU, so that
// what else the machine does is not counted.
func predict(m *model.System, d *dataset.Dataset) float64 {
	p := m.Predictor()
	out, settings, offered := make([]float64, len(d.Services)), make([]float64, len(d.Knobs)), make([]float64, len(d.Services))
	var micros []float64
	for range 5 {
		start := bench.CPUTime()
		for row := range d.Rows() {
			for k, c := range d.Settings {
				settings[k] = c[row]
			}
			for s, c := range d.Offered {
				offered[s] = c[row]
			}
			p.Latency(out, settings, offered)
		}
		micros = append(micros, 1e6*(bench.CPUTime()-start).Seconds()/float64(d.Rows()))
	}
	return bench.Median(micros)
}

// trace is the trace of examples/mo1.
func trace(t *testing.T) (*dataset.Dataset, []policy.Knob) {
	const dir = "../../examples/mo1/"
	file := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	mapping, err := dataset.ReadMapping("mapping.toml", file(dir+"mapping.toml"))
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := mapping.Import("trace", bytes.NewReader(file(bench.Trace(dir+"trace-sample.csv"))))
	if err != nil {
		t.Fatal(err)
	}
	r, err := rules.Load(dir + "rules.toml")
	if err != nil {
		t.Fatal(err)
	}
	return d, r.Knobs()
}
