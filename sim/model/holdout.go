package model

import (
	"math"
	"math/rand/v2"

	"github.com/windvane/windvane/sim/dataset"
)

// folds of a cross-validation.
const folds = 5

// loadRegions is how many regions the offered loads are parted into.
const loadRegions = 16

// holdOut parts the rows of a dataset into folds, each of which is held out once.
type holdOut struct {
	fold  []int // by row
	count int
}

// drawHoldOuts returns the folds of the configurations, and those of the loads.
func drawHoldOuts(d *dataset.Dataset, seed uint64) []holdOut {
	config, n := d.Configurations()
	load, m := LoadRegions(d)
	return []holdOut{drawFolds(config, n, seed), drawFolds(load, m, seed)}
}

// drawFolds parts the groups, which count so many, at random into folds of about as many.
func drawFolds(group []int, groups int, seed uint64) holdOut {
	order := rand.New(rand.NewPCG(seed, 0)).Perm(groups)
	out := holdOut{fold: make([]int, len(group)), count: min(folds, groups)}
	for row, g := range group {
		out.fold[row] = order[g] % folds
	}
	return out
}

// LoadRegions parts the rows by their offered loads: the first row and those that lie
// farthest from all before them (Gonzalez 1985) are centres, and a row is of the
// region whose centre is the nearest. Distances are in spans of each service's loads.
// There are at most 16 regions, as many as there are different loads if that is less.
// A row without one of the loads is of region 0, and no centre.
func LoadRegions(d *dataset.Dataset) (ofRow []int, count int) {
	ofRow = make([]int, d.Rows())
	rows := knownLoads(d)
	if len(rows) == 0 {
		return ofRow, 0
	}
	spans := make([]float64, len(d.Services))
	for s, c := range d.Offered {
		spans[s] = spanOf(c).width()
	}
	nearest := make([]float64, d.Rows())
	centre := rows[0]
	for count < loadRegions {
		farthest := 0.0
		next := centre
		for _, row := range rows {
			away := 0.0
			for s, c := range d.Offered {
				by := (c[row] - c[centre]) / spans[s]
				away += by * by
			}
			if count == 0 || away < nearest[row] {
				ofRow[row], nearest[row] = count, away
			}
			if nearest[row] > farthest {
				farthest, next = nearest[row], row
			}
		}
		count++
		if farthest == 0 {
			break
		}
		centre = next
	}
	return ofRow, count
}

// width is the length of a span; one without length counts as 1.
func (s Span) width() float64 {
	if w := s.Max - s.Min; w > 0 && !math.IsInf(w, 0) {
		return w
	}
	return 1
}
