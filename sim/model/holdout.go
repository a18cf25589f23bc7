package model

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/windvane/windvane/sim/dataset"
)

// folds of a cross-validation.
const folds = 5

// HoldOut parts the rows of a dataset into folds, each of which is held out once. Rows
// of one group are never in two folds: their neighbours would tell their answer.
type HoldOut struct {
	Group []int // by row: its configuration, or the region of its loads
	Fold  []int // by group
	Count int   // of folds
}

// Of returns the fold of a row.
func (h HoldOut) Of(row int) int { return h.Fold[h.Group[row]] }

// DrawHoldOuts parts the configurations, numbered as the dataset numbers them, and the
// regions of the offered loads into folds of about as many.
func DrawHoldOuts(d *dataset.Dataset, seed uint64) (configurations, loads HoldOut) {
	config, n := d.Configurations()
	regions := NewLoadRegions(d)
	return drawFolds(config, n, seed), drawFolds(regions.Rows(d), len(regions.Centres), seed)
}

func drawFolds(group []int, groups int, seed uint64) HoldOut {
	h := HoldOut{Group: group, Fold: rand.New(rand.NewPCG(seed, 0)).Perm(groups), Count: min(folds, groups)}
	for g := range h.Fold {
		h.Fold[g] %= folds
	}
	return h
}

// LoadRegions parts the offered loads into regions: a load is of the region whose
// centre is the nearest, distances in spans of each service's loads.
type LoadRegions struct {
	Centres [][]float64 // by region, by service: requests/s
	spans   []float64   // by service
}

// mostRegions bounds the regions of the loads.
const mostRegions = 16

// NewLoadRegions takes as centres the first row with all loads and those that lie
// farthest from all before them (Gonzalez 1985): 16, or as many as there are different
// loads if that is less.
func NewLoadRegions(d *dataset.Dataset) LoadRegions {
	r := LoadRegions{spans: make([]float64, len(d.Services))}
	for s, c := range d.Offered {
		r.spans[s] = spanOf(c).width()
	}
	rows := knownLoads(d)
	if len(rows) == 0 {
		return r
	}
	away := slices.Repeat([]float64{math.Inf(1)}, len(rows))
	for next, farthest := 0, math.Inf(1); farthest > 0 && len(r.Centres) < mostRegions; {
		centre := at(d.Offered, rows[next])
		r.Centres = append(r.Centres, centre)
		farthest = 0
		for i, row := range rows {
			square := 0.0
			for s, c := range d.Offered {
				by := (c[row] - centre[s]) / r.spans[s]
				square += by * by
			}
			if away[i] = min(away[i], square); away[i] > farthest {
				farthest, next = away[i], i
			}
		}
	}
	return r
}

// At is the region of the offered loads; the first one where a load is not known.
func (r LoadRegions) At(offered []float64) int {
	best, least := 0, math.Inf(1)
	for i, c := range r.Centres {
		square := 0.0
		for s, v := range offered {
			by := (v - c[s]) / r.spans[s]
			square += by * by
		}
		if square < least {
			best, least = i, square
		}
	}
	return best
}

// Rows returns the region of each row.
func (r LoadRegions) Rows(d *dataset.Dataset) []int {
	out := make([]int, d.Rows())
	for row := range out {
		out[row] = r.At(at(d.Offered, row))
	}
	return out
}

// at returns one row of columns.
func at(columns [][]float64, row int) []float64 {
	out := make([]float64, len(columns))
	for i, c := range columns {
		out[i] = c[row]
	}
	return out
}

// width is the length of a span; one without length counts as 1.
func (s Span) width() float64 {
	if w := s.Max - s.Min; w > 0 && !math.IsInf(w, 0) {
		return w
	}
	return 1
}
