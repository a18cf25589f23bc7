package model

import (
	"fmt"
	"math"
	"slices"
)

// maxBins is how many values a feature is reduced to; a bin fits a byte.
const maxBins = 255

// binning maps the values of one feature to bins: bin i holds the values in
// (edges[i-1], edges[i]]; the last bin is open.
type binning struct {
	edges []float64
}

// newBinning puts edges midway between distinct values, or between quantiles
// where there are more distinct values than bins. It sorts the column.
func newBinning(sorted []float64) binning {
	slices.Sort(sorted)
	distinct := slices.Compact(slices.Clone(sorted))
	var b binning
	if len(distinct) <= maxBins {
		for i := 1; i < len(distinct); i++ {
			b.edges = append(b.edges, (distinct[i-1]+distinct[i])/2)
		}
		return b
	}
	for i := 1; i < maxBins; i++ {
		at := i * len(sorted) / maxBins
		edge := (sorted[at-1] + sorted[at]) / 2
		if sorted[at-1] != sorted[at] && (len(b.edges) == 0 || edge > b.edges[len(b.edges)-1]) {
			b.edges = append(b.edges, edge)
		}
	}
	return b
}

func (b binning) bin(v float64) uint8 {
	i, _ := slices.BinarySearch(b.edges, v)
	return uint8(i)
}

// edge is the threshold of a split that keeps bins up to i on the left.
func (b binning) edge(i uint8) float64 {
	if int(i) < len(b.edges) {
		return b.edges[i]
	}
	return math.Inf(1)
}

// design is what trees are fitted on: the features of every row, and the same in bins.
// It is made once for all services and folds; nothing of a target is in it.
type design struct {
	features int
	x        []float64 // [row][feature]
	columns  []column  // those that trees split on
	codes    []uint8   // [row][column]: one row's codes share a cache line
}

// column is a feature that tells something that no column before it tells.
type column struct {
	feature int
	binning
}

// newDesign bins the features x, [row][feature]. It is an error if one is NaN.
func newDesign(x []float64, features int) (*design, error) {
	d := &design{features: features, x: x}
	for i, v := range x {
		if math.IsNaN(v) {
			return nil, fmt.Errorf("model: row %d is not finite", i/features)
		}
	}
	bins, codes := make([]binning, features), make([][]uint8, features)
	parallel(features, func(f int) {
		values := make([]float64, d.rows())
		for row := range values {
			values[row] = x[row*features+f]
		}
		bins[f], codes[f] = newBinning(values), make([]uint8, len(values))
		for row := range values {
			codes[f][row] = bins[f].bin(x[row*features+f])
		}
	})
	var kept [][]uint8
	for f := range features {
		if len(bins[f].edges) > 0 && !slices.ContainsFunc(kept, func(c []uint8) bool { return sameOrder(c, codes[f]) }) {
			d.columns, kept = append(d.columns, column{f, bins[f]}), append(kept, codes[f])
		}
	}
	d.codes = make([]uint8, d.rows()*len(kept))
	for c, of := range kept {
		for row, code := range of {
			d.codes[row*len(kept)+c] = code
		}
	}
	return d, nil
}

// rows is the number of rows.
func (d *design) rows() int { return len(d.x) / d.features }

// row returns the features of a row.
func (d *design) row(i int) []float64 { return d.x[i*d.features : (i+1)*d.features] }

// sameOrder reports whether two columns of codes, each of them dense, order the rows
// alike or in reverse, as two weights that sum to one do: whatever splits the rows by
// one splits them by the other.
func sameOrder(a, b []uint8) bool {
	most := slices.Max(a)
	return slices.Equal(a, b) || slices.EqualFunc(a, b, func(x, y uint8) bool { return x == most-y })
}
