package model

import (
	"fmt"
	"math"
)

// TreeParams are the constants of gradient boosting.
type TreeParams struct {
	Trees       int
	Leaves      int     // per tree
	Rate        float64 // learning rate
	MinLeafRows int
	Lambda      float64 // ridge on a leaf's value, in rows
}

// TreeParamsFor returns the parameters for a number of rows. With few of them, leaves
// of 20 rows are too coarse to tell settings apart: smaller trees of smaller leaves,
// each trusted less, predict better what they have not seen.
func TreeParamsFor(rows int) TreeParams {
	if rows < fewRows {
		return TreeParams{Trees: 150, Leaves: 6, Rate: .05, MinLeafRows: 8}
	}
	return DefaultTreeParams()
}

// fewRows is where the parameters for few rows end. They were compared at about 400.
const fewRows = 2000

// DefaultTreeParams are scikit-learn's HistGradientBoostingRegressor's, but for the number of trees.
func DefaultTreeParams() TreeParams {
	return TreeParams{Trees: 150, Leaves: 31, Rate: .1, MinLeafRows: 20}
}

// node is one split, or a leaf where feature is negative. Left and Right index Ensemble.Nodes.
type node struct {
	Feature     int16
	Threshold   float64 // left: value <= Threshold
	Left, Right int32
	Value       float64 // of a leaf
}

// Ensemble is a sum of regression trees, fitted by least-squares gradient boosting
// over binned features (Friedman 2001; histograms as in LightGBM, Ke et al. 2017).
type Ensemble struct {
	Features int
	Base     float64
	Nodes    []node
	Roots    []int32
}

// Predict returns the value at x, which has Features values.
func (e *Ensemble) Predict(x []float64) float64 {
	y := e.Base
	for _, at := range e.Roots {
		n := &e.Nodes[at]
		for n.Feature >= 0 {
			next := n.Right
			if x[n.Feature] <= n.Threshold {
				next = n.Left
			}
			n = &e.Nodes[next]
		}
		y += n.Value
	}
	return y
}

// FitTrees fits y on the columns ([feature][row]). It is deterministic. It is an
// error if there are too few rows to split once, or a value is not finite.
func FitTrees(columns [][]float64, y []float64, p TreeParams) (*Ensemble, error) {
	if len(y) < 2*p.MinLeafRows {
		return nil, fmt.Errorf("model: %d rows are too few; want at least %d", len(y), 2*p.MinLeafRows)
	}
	g := grower{params: p, bins: make([]binning, len(columns)), codes: make([]uint8, len(columns)*len(y))}
	buckets := 0
	for f, c := range columns {
		for row, v := range c {
			if math.IsNaN(v + y[row]) {
				return nil, fmt.Errorf("model: row %d is not finite", row)
			}
		}
		g.bins[f] = newBinning(c)
		g.first = append(g.first, buckets)
		buckets += len(g.bins[f].edges) + 1
		for row, v := range c {
			g.codes[row*len(columns)+f] = g.bins[f].bin(v)
		}
	}
	g.first = append(g.first, buckets)
	e := &Ensemble{Features: len(columns)}
	for _, v := range y {
		e.Base += v / float64(len(y))
	}
	g.residual = make([]float64, len(y))
	for i, v := range y {
		g.residual[i] = v - e.Base
	}
	g.rows = make([]int32, len(y))
	g.spare = make([]int32, len(y))
	for range p.Trees {
		e.Roots = append(e.Roots, g.tree(e))
	}
	return e, nil
}

// bucket sums the residuals of the rows in one bin.
type bucket struct {
	sum  float64
	rows float64
}

// histogram has the buckets of all features, one feature after the other.
type histogram []bucket

// leaf is a set of rows that may be split further.
type leaf struct {
	node        int32
	from, to    int // in grower.rows
	hist        histogram
	sum         float64
	gain        float64
	feature     int
	bin         uint8
	left, right bucket
}

// grower holds the buffers of one fit.
type grower struct {
	params   TreeParams
	bins     []binning
	first    []int   // by feature: its first bucket in a histogram; at the end, their number
	codes    []uint8 // [row][feature]: one row's codes share a cache line
	residual []float64
	rows     []int32 // rows, those of a leaf together
	spare    []int32
	free     []histogram
}

// tree grows one tree, best split first, and takes its values off the residuals.
func (g *grower) tree(e *Ensemble) int32 {
	for i := range g.rows {
		g.rows[i] = int32(i)
	}
	root := &leaf{node: int32(len(e.Nodes)), to: len(g.rows), hist: g.histogram()}
	e.Nodes = append(e.Nodes, node{Feature: -1})
	g.count(root)
	g.best(root)
	leaves := []*leaf{root}
	for len(leaves) < g.params.Leaves {
		pick := -1
		for i, l := range leaves {
			if l.gain > 0 && (pick < 0 || l.gain > leaves[pick].gain) {
				pick = i
			}
		}
		if pick < 0 {
			break
		}
		left, right := g.split(e, leaves[pick])
		leaves[pick] = left
		leaves = append(leaves, right)
	}
	for _, l := range leaves {
		value := g.params.Rate * l.sum / (float64(l.to-l.from) + g.params.Lambda)
		e.Nodes[l.node].Value = value
		for _, row := range g.rows[l.from:l.to] {
			g.residual[row] -= value
		}
		g.free = append(g.free, l.hist)
	}
	return root.node
}

func (g *grower) histogram() histogram {
	if n := len(g.free); n > 0 {
		h := g.free[n-1]
		g.free = g.free[:n-1]
		clear(h)
		return h
	}
	return make(histogram, g.first[len(g.bins)])
}

// count fills a leaf's histogram from its rows.
func (g *grower) count(l *leaf) {
	features, first, hist := len(g.bins), g.first, l.hist
	l.sum = 0
	for _, row := range g.rows[l.from:l.to] {
		r := g.residual[row]
		l.sum += r
		codes := g.codes[int(row)*features:][:features]
		for f, code := range codes {
			// Neighbours are of different features, so that no addition waits for another.
			b := &hist[first[f]+int(code)]
			b.sum += r
			b.rows++
		}
	}
}

// best finds the split with the largest decrease of squared error.
func (g *grower) best(l *leaf) {
	l.gain = 0
	total := bucket{l.sum, float64(l.to - l.from)}
	least := float64(g.params.MinLeafRows)
	if total.rows < 2*least {
		return
	}
	lambda := g.params.Lambda
	whole := total.sum * total.sum / (total.rows + lambda)
	for f := range g.bins {
		var left bucket
		for b := range g.bins[f].edges {
			h := l.hist[g.first[f]+b]
			left.sum += h.sum
			left.rows += h.rows
			right := bucket{total.sum - left.sum, total.rows - left.rows}
			if left.rows < least || h.rows == 0 {
				continue
			}
			if right.rows < least {
				break
			}
			gain := left.sum*left.sum/(left.rows+lambda) + right.sum*right.sum/(right.rows+lambda) - whole
			if gain > l.gain*(1+1e-12)+1e-15 {
				l.gain, l.feature, l.bin, l.left, l.right = gain, f, uint8(b), left, right
			}
		}
	}
}

// split parts a leaf's rows in two, keeping their order. The larger child's
// histogram is the parent's less the smaller one's.
func (g *grower) split(e *Ensemble, l *leaf) (left, right *leaf) {
	features := len(g.bins)
	mid, n := l.from, 0
	for _, row := range g.rows[l.from:l.to] {
		if g.codes[int(row)*features+l.feature] <= l.bin {
			g.rows[mid] = row
			mid++
		} else {
			g.spare[n] = row
			n++
		}
	}
	copy(g.rows[mid:l.to], g.spare[:n])
	at := int32(len(e.Nodes))
	e.Nodes = append(e.Nodes, node{Feature: -1}, node{Feature: -1})
	e.Nodes[l.node] = node{Feature: int16(l.feature), Threshold: g.bins[l.feature].edge(l.bin), Left: at, Right: at + 1}
	left = &leaf{node: at, from: l.from, to: mid, sum: l.left.sum}
	right = &leaf{node: at + 1, from: mid, to: l.to, sum: l.right.sum}
	small, large := left, right
	if right.to-right.from < left.to-left.from {
		small, large = right, left
	}
	small.hist = g.histogram()
	g.count(small)
	large.hist = l.hist
	for i := range large.hist {
		large.hist[i].sum -= small.hist[i].sum
		large.hist[i].rows -= small.hist[i].rows
	}
	g.best(left)
	g.best(right)
	return left, right
}
