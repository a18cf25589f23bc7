package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/rules/margin"
)

// Fit says how good the model of one service is where it was not fitted.
type Fit struct {
	Service   string       `json:"service"`
	Rows      int          `json:"rows"`
	R2        float64      `json:"r2"`        // configurations held out
	R2Loads   *float64     `json:"r2_loads"`  // offered loads held out; nil where the data have too few of them
	Residuals []float64    `json:"residuals"` // measured/predicted - 1, configurations held out, in the order of the data
	Predicted []float64    `json:"predicted"` // of each residual, seconds
	At        []int32      `json:"at"`        // the row of each residual
	Scale     margin.Scale `json:"scale"`     // of the residuals
}

// Units returns the residuals in units of their scale.
func (f Fit) Units() []float64 { return f.Scale.Units(f.Predicted, f.Residuals) }

// Spread is the .9 quantile of their absolute values.
func (f Fit) Spread() float64 { return margin.SpreadOf(f.Units()) }

// Quantile returns the q quantile of a service's held-out relative residuals, 0 < q < 1, in
// units of their scale.
func (f Fit) Quantile(q float64) float64 {
	sorted := slices.Sorted(slices.Values(f.Units()))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))]
}

// nearest is the share of the rows in bounds that a first margin is judged by: those that lie
// nearest to the bound, because that is where a policy goes that carries what it can.
const nearest = .1

// FirstMargin is a margin to begin with, by the held-out rows: the least under which the bound
// (seconds; infinite: there is none) was broken in no greater share of the rows that are
// predicted within it, and of these nearest to it, than the budget; where that is under none,
// the one under which the share is the least. Under it a quarter of the rows are in bounds,
// whatever the share: a greater margin asks for what shedding does not give, such as an end to
// pauses. It is no greater than the (1-budget) quantile of the residuals, which looks at every
// row, at the bound or not.
func (f Fit) FirstMargin(bound, budget float64) float64 {
	quantile := f.Quantile(1 - budget)
	if math.IsInf(bound, 1) || quantile <= 0 {
		return quantile
	}
	n := len(f.Residuals)
	order, under := make([]int, n), make([]float64, n) // under: the greatest margin under which the row is in bounds
	for i, predicted := range f.Predicted {
		order[i], under[i] = i, margin.Feasible(predicted, bound, f.Scale.Of(predicted))
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(under[b], under[a]) })
	broken := make([]int, n+1) // among the first so many in that order
	for k, i := range order {
		broken[k+1] = broken[k]
		if f.Predicted[i]*(1+f.Residuals[i]) > bound {
			broken[k+1]++
		}
	}
	first, least := quantile, math.Inf(1)
	for k := n/4 + 1; k <= n; k++ {
		from := int((1 - nearest) * float64(k))
		share := math.Max(budget, float64(broken[k]-broken[from])/float64(k-from))
		if share <= least {
			first, least = under[order[k-1]], share
		}
	}
	return math.Max(0, math.Min(first, quantile))
}

// target is a quantity of one service that trees are fitted to.
type target struct {
	service   string
	values    []float64   // by row of the design
	rows      []int32     // of the design, those that have a value
	predicted [][]float64 // by what is held out: by row, in the unit of the values; nil where too little is left
}

// latencyTarget is the logarithm of the latency: latency grows by factors, and what a
// margin is made of is the relative error. Rows are those of the design in the column.
func latencyTarget(service string, latency []float64, rows []int) *target {
	t := &target{service: service, values: make([]float64, len(rows))}
	for i, row := range rows {
		if v := latency[row]; v > 0 { // else unknown, or answered at once: no latency to learn
			t.values[i] = math.Log(v)
			t.rows = append(t.rows, int32(i))
		}
	}
	return t
}

// carriedTarget is the carried load, in requests/s.
func carriedTarget(service string, carried []float64, rows []int) *target {
	t := &target{service: service, values: make([]float64, len(rows))}
	for i, row := range rows {
		if v := carried[row]; !math.IsNaN(v) {
			t.values[i] = v
			t.rows = append(t.rows, int32(i))
		}
	}
	return t
}

// carriedTrees are few: carried load is nearly a function of two features.
const carriedTrees = 60

// job is one ensemble to be fitted, and what it is to predict then.
type job struct {
	to      **Ensemble // nil: not kept
	service string
	target  []float64 // by row of the design
	rows    []int32   // that it is fitted on
	trees   int       // at most; 0: as the parameters say

	test      []int32 // rows to predict
	predicted []float64
}

// folds returns the fits without each fold of what is held out in turn; none where a
// fold leaves too few rows.
func (t *target) folds(rows []int, o HoldOut, p TreeParams) []job {
	out, predicted := make([]job, o.Count), make([]float64, len(t.values))
	for fold := range out {
		out[fold] = job{service: t.service + ": cross-validation", target: t.values, predicted: predicted}
	}
	for _, i := range t.rows {
		for fold := range out {
			if o.Of(rows[i]) == fold {
				out[fold].test = append(out[fold].test, i)
			} else {
				out[fold].rows = append(out[fold].rows, i)
			}
		}
	}
	if slices.ContainsFunc(out, func(f job) bool { return len(f.rows) < 2*p.MinLeafRows }) {
		t.predicted = append(t.predicted, nil)
		return nil
	}
	t.predicted = append(t.predicted, predicted)
	return out
}

// fitAll fits on all cores.
func (d *design) fitAll(jobs []job, p TreeParams) error {
	errs := make([]error, len(jobs))
	parallel(len(jobs), func(i int) {
		if err := d.fitOne(jobs[i], p); err != nil {
			errs[i] = fmt.Errorf("service %s: %w", jobs[i].service, err)
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *design) fitOne(j job, p TreeParams) error {
	if j.trees > 0 {
		p.Trees = min(p.Trees, j.trees)
	}
	e, err := d.fit(j.target, j.rows, p)
	if err != nil {
		return err
	}
	if j.to != nil {
		*j.to = e
	}
	if len(j.test) == 0 {
		return nil
	}
	predict := newEvaluator(e, newMasks(e))
	for _, i := range j.test {
		j.predicted[i] = predict.at(d.row(int(i)))
	}
	return nil
}

// judge compares the latencies with what was predicted of them: first with the
// configurations held out, then with the loads.
func (t *target) judge(rows []int) (Fit, error) {
	if t.predicted[0] == nil {
		return Fit{}, fmt.Errorf("service %s: cross-validation: %d rows are too few to hold out a configuration; collect data of more settings", t.service, len(t.rows))
	}
	f := Fit{Service: t.service, Rows: len(t.rows), R2: t.r2(t.predicted[0])}
	if t.predicted[1] != nil {
		f.R2Loads = new(t.r2(t.predicted[1]))
	}
	for _, i := range t.rows {
		f.Residuals = append(f.Residuals, math.Exp(t.values[i]-t.predicted[0][i])-1)
		f.Predicted = append(f.Predicted, math.Exp(t.predicted[0][i]))
		f.At = append(f.At, int32(rows[i]))
	}
	f.Scale = margin.NewScale(f.Predicted, f.Residuals)
	return f, nil
}

// r2 is the share of the latency's variance that the prediction explains.
func (t *target) r2(predicted []float64) float64 {
	mean, within, all := 0.0, 0.0, 0.0
	for _, i := range t.rows {
		mean += math.Exp(t.values[i]) / float64(len(t.rows))
	}
	for _, i := range t.rows {
		v := math.Exp(t.values[i])
		missed := v - math.Exp(predicted[i])
		within += missed * missed
		all += (v - mean) * (v - mean)
	}
	if all == 0 {
		return 0
	}
	return 1 - within/all
}
