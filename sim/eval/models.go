package eval

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

// The system models that Models compares.
const (
	ModelTable    = "table"    // cell means, the nearest where there are none: the trivial one
	ModelTrees    = "trees"    // what train fits
	ModelQueues   = "queues"   // a queue behind each destination
	ModelCombined = "combined" // the queues, and trees on what they leave
)

// ModelOptions say what Models compares on.
type ModelOptions struct {
	Rules   *rules.Mesh
	Dataset *dataset.Dataset
	Seed    uint64 // of the first cross-validation
	Seeds   int

	// Progress is told how many of what are done; may be nil.
	Progress func(what string, done, of int)
}

// What is held out of a fit.
const (
	HeldOutConfigurations = "configurations"
	HeldOutLoads          = "loads"
)

// ModelReport compares system models where they were not fitted.
type ModelReport struct {
	Mesh           string       `json:"mesh"`
	Rows           int          `json:"rows"`
	Configurations int          `json:"configurations"`
	Scores         []ModelScore `json:"scores"`
	Splits         []ModelSplit `json:"splits"`
}

// ModelScore is how good one model is of one service, over cross-validations.
type ModelScore struct {
	HeldOut string   `json:"held_out"`
	Service string   `json:"service"`
	Model   string   `json:"model"`
	R2      Estimate `json:"r2"`
	Log     Estimate `json:"log_error"` // root mean square of log(measured/predicted)

	// The same with as much of the interval before's error, of the logarithm, as the
	// other folds say comes again.
	R2Last  Estimate `json:"r2_last_residual"`
	LogLast Estimate `json:"log_error_last_residual"`

	Supported *Estimate `json:"supported,omitempty"` // share of the rows whose cell was measured; of the table
}

// ModelSplit is one cross-validation: the groups that each fold holds out. A
// configuration is numbered by its first appearance in the dataset, a load by the
// nearest of the regions' centres, distances in spans of each service's loads.
type ModelSplit struct {
	Seed    uint64      `json:"seed"`
	HeldOut string      `json:"held_out"`
	Folds   [][]int     `json:"folds"`
	Regions [][]float64 `json:"regions,omitempty"` // centres, by service: requests/s
}

// Models compares system models by cross-validation, with whole configurations held
// out, and with whole regions of the offered load. The same options give the same report.
func Models(ctx context.Context, o ModelOptions) (ModelReport, error) {
	_, n := o.Dataset.Configurations()
	r := ModelReport{Mesh: o.Dataset.Mesh, Rows: o.Dataset.Rows(), Configurations: n}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	runs := modelRuns{}
	for seed := o.Seed; seed < o.Seed+uint64(o.Seeds); seed++ {
		configurations, loads := model.DrawHoldOuts(o.Dataset, seed)
		regions := model.NewLoadRegions(o.Dataset).Centres
		for _, out := range []struct {
			of      string
			folds   model.HoldOut
			regions [][]float64
		}{{HeldOutConfigurations, configurations, nil}, {HeldOutLoads, loads, regions}} {
			if out.folds.Count < 2 {
				continue // nothing would be left
			}
			r.Splits = append(r.Splits, newModelSplit(seed, out.of, out.folds, out.regions))
			v := newValidation(o, out.folds)
			for fold := range out.folds.Count {
				if ctx.Err() != nil {
					return r, ctx.Err()
				}
				o.Progress(fmt.Sprintf("folds of seed %d, %s held out", seed, out.of), fold, out.folds.Count)
				if err := v.hold(fold); err != nil {
					return r, err
				}
			}
			v.score(out.of, runs)
		}
	}
	r.Scores = runs.scores(o.Dataset.Services)
	return r, nil
}

func newModelSplit(seed uint64, of string, h model.HoldOut, regions [][]float64) ModelSplit {
	s := ModelSplit{Seed: seed, HeldOut: of, Folds: make([][]int, h.Count), Regions: regions}
	for group, fold := range h.Fold {
		s.Folds[fold] = append(s.Folds[fold], group)
	}
	return s
}

// latencyModel writes each service's expected latency (seconds) into out; NaN: it says
// nothing of it. It is for one goroutine.
type latencyModel func(out, settings, offered []float64)

// fittedModels are the models, fitted on the same rows.
type fittedModels struct {
	cells *model.Cells
	queue *model.Queue            // nil where the mesh has no place in one
	units []float64               // the queues' capacities in the data
	by    map[string]latencyModel // those that there are
}

// modelNames are in the order of reports.
var modelNames = []string{ModelTable, ModelTrees, ModelQueues, ModelCombined}

func fitModels(d *dataset.Dataset, knobs []policy.Knob) (fittedModels, error) {
	var m fittedModels
	var err error
	if m.cells, err = model.FitCells(d, knobs); err != nil {
		return m, err
	}
	params := model.TreeParamsFor(d.Rows())
	trees, err := model.FitMean(d, knobs, params)
	if err != nil {
		return m, err
	}
	m.by = map[string]latencyModel{
		ModelTable: func(out, settings, offered []float64) { m.cells.Latency(out, settings, offered) },
		ModelTrees: trees.Predictor().Latency,
	}
	m.queue, err = model.FitQueue(d, knobs)
	if errors.Is(err, model.ErrNoQueues) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	for range m.queue.Names {
		m.units = append(m.units, 1)
	}
	queue := func(out, settings, offered []float64) { m.queue.Latency(out, m.units, settings, offered) }
	// Trees on the ratio of what is measured to what the queues say: they see a dataset
	// whose latencies are these ratios.
	left := d.Select(func(int) bool { return true })
	out := make([]float64, len(d.Services))
	eachRow(d, func(row int, settings, offered []float64) {
		queue(out, settings, offered)
		for s, v := range out {
			left.Latency[s][row] /= v
		}
	})
	rest, err := model.FitMean(left, knobs, params)
	if err != nil {
		return m, err
	}
	p, factor := rest.Predictor(), make([]float64, len(d.Services))
	m.by[ModelQueues] = queue
	m.by[ModelCombined] = func(out, settings, offered []float64) {
		queue(out, settings, offered)
		p.Latency(factor, settings, offered)
		for s := range out {
			out[s] *= factor[s]
		}
	}
	return m, nil
}

// eachRow calls f with every row whose offered loads are known. The slices are reused.
func eachRow(d *dataset.Dataset, f func(row int, settings, offered []float64)) {
	settings, offered := make([]float64, len(d.Knobs)), make([]float64, len(d.Services))
	for row := range d.Rows() {
		known := true
		for k, c := range d.Settings {
			settings[k] = c[row]
		}
		for s, c := range d.Offered {
			offered[s] = c[row]
			known = known && !math.IsNaN(c[row])
		}
		if known {
			f(row, settings, offered)
		}
	}
}
