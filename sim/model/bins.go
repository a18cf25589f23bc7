package model

import (
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
// where there are more distinct values than bins.
func newBinning(column []float64) binning {
	sorted := slices.Clone(column)
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
