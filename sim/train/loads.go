package train

import (
	"math"
	"slices"

	"github.com/windvane/windvane/sim/dataset"
)

// maxLoads bounds the loads of one service in a table.
const maxLoads = 16

// LoadGrid returns, by service, the loads (requests/s) at which a table is made: the
// rungs where the load was a ladder that was visited again and again, with noise,
// else maxLoads evenly spaced ones over the data.
func LoadGrid(d *dataset.Dataset) [][]float64 {
	out := make([][]float64, len(d.Services))
	for s, column := range d.Offered {
		sorted := make([]float64, 0, len(column))
		for _, v := range column {
			if !math.IsNaN(v) {
				sorted = append(sorted, v)
			}
		}
		slices.Sort(sorted)
		out[s] = gridOf(sorted)
	}
	return out
}

func gridOf(sorted []float64) []float64 {
	if len(sorted) == 0 {
		return nil
	}
	if rungs := ladder(sorted); rungs != nil {
		return rungs
	}
	low, high := sorted[0], sorted[len(sorted)-1]
	even := make([]float64, maxLoads)
	for i := range even {
		even[i] = low + (high-low)*float64(i)/float64(maxLoads-1)
	}
	return slices.Compact(even)
}

// Constants of the search for a ladder.
const (
	ladderBins  = 200 // resolution of the loads
	maxRungs    = 12
	ladderSkill = .25 // scatter about the rungs, against that of a uniform load about as many
)

// ladder returns the medians of the least number of clusters (3 to maxRungs) about
// which the loads scatter no more than ladderSkill of what a uniform load would: n
// clusters leave it 1/n^2 of its variance. It returns nil if there is no such number.
func ladder(sorted []float64) []float64 {
	low, high := sorted[0], sorted[len(sorted)-1]
	if !(high > low) {
		return sorted[:1:1]
	}
	starts, all := cluster(sorted, low, (high-low)/ladderBins), 0.0
	for rungs := 1; rungs <= maxRungs; rungs++ {
		within, from := starts.cost[rungs][ladderBins], ladderBins
		if rungs == 1 {
			all = within
		}
		if rungs < 3 || within*float64(rungs*rungs) > ladderSkill*all {
			continue
		}
		medians := make([]float64, rungs)
		for r := rungs; r > 0; r-- {
			to := from
			from = starts.from[r][to]
			members := sorted[starts.rows[from]:starts.rows[to]]
			if len(members) == 0 {
				return nil
			}
			medians[r-1] = members[len(members)/2]
		}
		return medians
	}
	return nil
}

// clusters are the best partitions of the first bins into a number of clusters.
type clusters struct {
	rows []int       // rows below each bin's lower edge
	cost [][]float64 // [clusters][bins]: least sum of squared distances to the cluster's mean
	from [][]int     // [clusters][bins]: where the last of them starts
}

// cluster solves one-dimensional k-means exactly, by dynamic programming over bins
// (Wang and Song 2011).
func cluster(sorted []float64, low, width float64) clusters {
	c := clusters{rows: make([]int, ladderBins+1)}
	sum, squares := make([]float64, ladderBins+1), make([]float64, ladderBins+1)
	for row, b := 0, 1; b <= ladderBins; b++ {
		sum[b], squares[b] = sum[b-1], squares[b-1]
		for row < len(sorted) && (b == ladderBins || sorted[row] < low+float64(b)*width) {
			v := sorted[row] - low
			sum[b] += v
			squares[b] += v * v
			row++
		}
		c.rows[b] = row
	}
	scatter := func(from, to int) float64 {
		n := float64(c.rows[to] - c.rows[from])
		if n == 0 {
			return 0
		}
		v := sum[to] - sum[from]
		return math.Max(0, squares[to]-squares[from]-v*v/n)
	}
	c.cost, c.from = make([][]float64, maxRungs+1), make([][]int, maxRungs+1)
	for k := range c.cost {
		c.cost[k], c.from[k] = make([]float64, ladderBins+1), make([]int, ladderBins+1)
		for b := 1; b <= ladderBins; b++ {
			c.cost[k][b] = math.Inf(1)
			for from := k - 1; k > 0 && from < b; from++ {
				if v := c.cost[k-1][from] + scatter(from, b); v < c.cost[k][b] {
					c.cost[k][b], c.from[k][b] = v, from
				}
			}
		}
	}
	return c
}
