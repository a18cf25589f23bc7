package eval

import (
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

// validation is one cross-validation of all models: every row is predicted by models
// that have not seen its fold.
type validation struct {
	data      *dataset.Dataset
	knobs     []policy.Knob
	folds     model.HoldOut
	predicted map[string][][]float64 // by model: [service][row], NaN where nothing is known
	supported float64                // rows that the table has a cell for
	rows      float64
}

func newValidation(o ModelOptions, folds model.HoldOut) *validation {
	v := &validation{data: o.Dataset, knobs: o.Rules.Knobs(), folds: folds, predicted: map[string][][]float64{}}
	for _, name := range modelNames {
		for range o.Dataset.Services {
			column := make([]float64, o.Dataset.Rows())
			for row := range column {
				column[row] = math.NaN()
			}
			v.predicted[name] = append(v.predicted[name], column)
		}
	}
	return v
}

// hold fits without a fold, and predicts it.
func (v *validation) hold(fold int) error {
	fitted, err := fitModels(v.data.Select(func(row int) bool { return v.folds.Of(row) != fold }), v.knobs)
	if err != nil {
		return err
	}
	out := make([]float64, len(v.data.Services))
	eachRow(v.data, func(row int, settings, offered []float64) {
		if v.folds.Of(row) != fold {
			return
		}
		for _, name := range modelNames {
			predict, ok := fitted.by[name]
			if !ok {
				continue
			}
			predict(out, settings, offered)
			for s, y := range out {
				v.predicted[name][s][row] = y
			}
		}
		v.rows++
		if fitted.cells.Latency(out, settings, offered) {
			v.supported++
		}
	})
	return nil
}

// modelRun is what is averaged over seeds.
type modelRun struct{ r2, log, r2Last, logLast, supported []float64 }

// modelRuns are by what is held out, service and model.
type modelRuns map[[3]string]*modelRun

// score adds the cross-validation's figures. Services whose latency was never known
// have none.
func (v *validation) score(heldOut string, to modelRuns) {
	for s, service := range v.data.Services {
		for _, name := range modelNames {
			errors := v.errors(name, s)
			r2, log, ok := goodness(v.data.Latency[s], errors)
			if !ok {
				continue
			}
			key := [3]string{heldOut, service, name}
			if to[key] == nil {
				to[key] = &modelRun{}
			}
			run := to[key]
			run.r2, run.log = append(run.r2, r2), append(run.log, log)
			r2, log, _ = goodness(v.data.Latency[s], v.lessLast(errors))
			run.r2Last, run.logLast = append(run.r2Last, r2), append(run.logLast, log)
			run.supported = append(run.supported, v.supported/v.rows)
		}
	}
}

// errors are log(measured/predicted) of one service by row; NaN where either is unknown.
func (v *validation) errors(name string, service int) []float64 {
	out := make([]float64, v.data.Rows())
	for row := range out {
		if out[row] = math.NaN(); v.data.Latency[service][row] > 0 {
			out[row] = math.Log(v.data.Latency[service][row] / v.predicted[name][service][row])
		}
	}
	return out
}

// lessLast takes off each error as much of the row before's as the other folds say comes
// again: the slope of the regression of one on the other, through zero.
func (v *validation) lessLast(errors []float64) []float64 {
	products, squares := make([]float64, v.folds.Count), make([]float64, v.folds.Count)
	both := func(row int) bool { return row > 0 && !math.IsNaN(errors[row]) && !math.IsNaN(errors[row-1]) }
	for row := range errors {
		if both(row) {
			for fold := range products {
				if v.folds.Of(row) != fold {
					products[fold] += errors[row] * errors[row-1]
					squares[fold] += errors[row-1] * errors[row-1]
				}
			}
		}
	}
	out := append([]float64(nil), errors...)
	for row := range out {
		if fold := v.folds.Of(row); both(row) && squares[fold] > 0 {
			out[row] -= products[fold] / squares[fold] * errors[row-1]
		}
	}
	return out
}

// goodness returns the share of the latency's variance that is explained, and the root
// mean square of the errors, which are logarithms. Of no errors, or of latencies without
// variance, nothing is known: ok is false.
func goodness(latency, errors []float64) (r2, log float64, ok bool) {
	n, sum, squares, within := 0., 0., 0., 0.
	for row, e := range errors {
		if math.IsNaN(e) {
			continue
		}
		y := latency[row]
		missed := y * (1 - math.Exp(-e))
		n++
		sum += y
		squares += y * y
		within += missed * missed
		log += e * e
	}
	variance := squares - sum*sum/n
	return 1 - within/variance, math.Sqrt(log / n), variance > 0
}

func (m modelRuns) scores(services []string) []ModelScore {
	var out []ModelScore
	for _, heldOut := range []string{HeldOutConfigurations, HeldOutLoads} {
		for _, service := range services {
			for _, name := range modelNames {
				run, ok := m[[3]string{heldOut, service, name}]
				if !ok {
					continue
				}
				s := ModelScore{
					HeldOut: heldOut, Service: service, Model: name, R2: estimate(run.r2), Log: estimate(run.log),
					R2Last: estimate(run.r2Last), LogLast: estimate(run.logLast),
				}
				if name == ModelTable {
					s.Supported = new(estimate(run.supported))
				}
				out = append(out, s)
			}
		}
	}
	return out
}

// faultKey is what is averaged over seeds.
type faultKey struct {
	live, model, correction string
	intervals               int
}

type faultRuns map[faultKey][]faultMiss

func (r faultRuns) add(key faultKey, m faultMiss) { r[key] = append(r[key], m) }

func (r faultRuns) error(key faultKey) FaultError {
	var log, wrong []float64
	for _, m := range r[key] {
		log, wrong = append(log, m.log), append(wrong, m.wrong)
	}
	return FaultError{Intervals: key.intervals, Log: estimate(log), Wrong: estimate(wrong)}
}

func (r faultRuns) scores(after []int) []FaultScore {
	var out []FaultScore
	for _, c := range faultCases {
		for _, name := range faultModels {
			for _, correction := range faultCorrections {
				s := FaultScore{Live: c.name, Model: name, Correction: correction}
				for _, intervals := range after {
					s.Errors = append(s.Errors, r.error(faultKey{c.name, name, correction, intervals}))
				}
				out = append(out, s)
			}
		}
	}
	return out
}
