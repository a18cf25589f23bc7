package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/rules/margin"
)

// near draws the rows of a service whose errors grow towards a full mesh: at predictions from
// .05 to .3 s, with a bound of .2 s; pauses break it now and then whatever is predicted.
func near(rng *rand.Rand, n int, pauses float64) Fit {
	var f Fit
	for range n {
		p := .05 + .25*rng.Float64()
		r := (.1 + 2*math.Max(0, p-.12)) * rng.NormFloat64()
		if rng.Float64() < pauses {
			r = 12
		}
		f.Predicted, f.Residuals = append(f.Predicted, p), append(f.Residuals, math.Max(r, -.9))
	}
	f.Scale = margin.NewScale(f.Predicted, f.Residuals)
	return f
}

// inBounds lists the rows that are under a margin, and shareOf those of them, from a
// prediction on, that were broken.
func inBounds(f Fit, bound, m float64) (rows []int) {
	for i, p := range f.Predicted {
		if p*margin.Allow(m, f.Scale.Of(p)) <= bound+1e-9 {
			rows = append(rows, i)
		}
	}
	return rows
}

func brokenOf(f Fit, bound float64, rows []int, from float64) float64 {
	broken, n := 0., 0.
	for _, i := range rows {
		if f.Predicted[i] < from {
			continue
		}
		n++
		if f.Predicted[i]*(1+f.Residuals[i]) > bound {
			broken++
		}
	}
	return broken / math.Max(n, 1)
}

// A policy that goes up to the bound under the first margin finds it broken about as often as
// the budget says.
func TestFirstMarginKeepsTheBudgetAtTheBound(t *testing.T) {
	const bound = .2
	for _, budget := range []float64{.02, .05, .1} {
		f := near(rand.New(rand.NewPCG(1001, 1)), 6000, 0)
		m := f.FirstMargin(bound, budget)
		rows := inBounds(f, bound, m)
		edge := 0.
		for _, i := range rows {
			edge = math.Max(edge, f.Predicted[i])
		}
		if share := brokenOf(f, bound, rows, edge-.01); share > 1.6*budget+.01 || len(rows) < 1500 || !(m > 0) || m > f.Quantile(1-budget) {
			t.Errorf("budget %v: a margin of %v (quantile %v), %d rows in bounds, broken next to it %v", budget, m, f.Quantile(1-budget), len(rows), share)
		}
	}
}

// Pauses that no setting avoids do not make the first margin one that nothing can keep: the
// quantile of a budget that they exceed is the size of a pause.
func TestFirstMarginDoesNotAskForAnEndToPauses(t *testing.T) {
	const bound, budget = .2, .01
	f := near(rand.New(rand.NewPCG(1001, 2)), 4000, .02)
	m := f.FirstMargin(bound, budget)
	if q := f.Quantile(1 - budget); len(inBounds(f, bound, q)) > 0 {
		t.Fatalf("under the quantile %v there are rows in bounds: that tests nothing", q)
	}
	if rows := inBounds(f, bound, m); len(rows) < len(f.Residuals)/4 {
		t.Errorf("under a first margin of %v %d of %d rows are in bounds, want a quarter", m, len(rows), len(f.Residuals))
	}
}

func TestFirstMarginWithoutABound(t *testing.T) {
	f := near(rand.New(rand.NewPCG(1001, 3)), 1000, 0)
	if got := f.FirstMargin(math.Inf(1), .05); got != f.Quantile(.95) {
		t.Errorf("%v, want the quantile %v", got, f.Quantile(.95))
	}
	if got := (Fit{}).FirstMargin(.2, .05); got != 0 {
		t.Errorf("%v where there are no residuals", got)
	}
}
