package model

import (
	"math"
	"math/bits"
)

// sums is the sum of the residuals of some rows, in units of the fit, in the upper
// bits, and the number of these rows in the lower ones: one addition counts a row.
// Whole numbers add up to the same whatever the order, so that what is left of a
// histogram after a subtraction is exact.
type sums int64

// histogram has the sums of the rows in each bin, by column.
type histogram [][maxBins + 1]sums

// leaf is a set of rows that may be split further.
type leaf struct {
	node     int32
	from, to int // in grower.rows
	hist     histogram
	total    sums
	gain     float64
	column   int
	bin      uint8
	left     sums // of the best split
}

// grower holds the buffers of one fit.
type grower struct {
	*design
	params   TreeParams
	all      []int32 // the rows that are fitted
	residual []sums  // by row of the design: its residual, and a count of one
	rows     []int32 // all, those of a leaf together
	spare    []int32
	free     []histogram
	count    int     // lower bits of sums
	unit     float64 // of the residuals in sums
}

// newGrower is for targets y, by row of the design, less their base. The unit is such
// that no sum overflows: a tree does not increase the squares' sum, so that no sum of
// n residuals exceeds n times the largest at the start. With a million rows that one
// still has 21 bits.
func newGrower(d *design, y []float64, base float64, rows []int32, p TreeParams) *grower {
	g := &grower{
		design: d, params: p, all: rows, count: bits.Len(uint(len(rows))), unit: 1,
		residual: make([]sums, d.rows()), rows: make([]int32, len(rows)), spare: make([]int32, len(rows)),
	}
	most := 0.0
	for _, row := range rows {
		most = max(most, math.Abs(y[row]-base))
	}
	if most > 0 {
		_, exponent := math.Frexp(most) // most < 2^exponent
		g.unit = math.Ldexp(1, exponent-(62-2*g.count-1))
	}
	for _, row := range rows {
		g.residual[row] = g.whole(y[row]-base)<<g.count + 1
	}
	return g
}

// whole is a value in units.
func (g *grower) whole(v float64) sums { return sums(math.Floor(v/g.unit + .5)) }

// rowsOf is the number of rows in s, and sumOf their sum in units.
func (g *grower) rowsOf(s sums) float64 { return float64(s & (1<<g.count - 1)) }
func (g *grower) sumOf(s sums) float64  { return float64(s >> g.count) }

// tree grows one tree, best split first, and takes its values off the residuals.
func (g *grower) tree(e *Ensemble) int32 {
	copy(g.rows, g.all)
	root := &leaf{node: int32(len(e.Nodes)), to: len(g.rows), hist: g.histogram()}
	e.Nodes = append(e.Nodes, node{Feature: -1})
	g.fill(root)
	for _, row := range g.rows {
		root.total += g.residual[row]
	}
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
		value := g.whole(g.params.Rate * g.sumOf(l.total) * g.unit / (float64(l.to-l.from) + g.params.Lambda))
		e.Nodes[l.node].Value = float64(value) * g.unit
		for _, row := range g.rows[l.from:l.to] {
			g.residual[row] -= value << g.count
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
	return make(histogram, len(g.columns))
}

// fill fills a leaf's histogram from its rows.
func (g *grower) fill(l *leaf) {
	columns, residual, all := len(g.columns), g.residual, g.codes
	hist := l.hist[:columns]
	for _, row := range g.rows[l.from:l.to] {
		v := residual[row]
		codes := all[int(row)*columns:][:len(hist)]
		for c, code := range codes {
			// Neighbours are of different columns, so that no addition waits for another.
			hist[c][code] += v
		}
	}
}

// best finds the split with the largest decrease of squared error, in units squared.
func (g *grower) best(l *leaf) {
	l.gain = 0
	rows, sum := float64(l.to-l.from), g.sumOf(l.total)
	least, lambda := float64(g.params.MinLeafRows), g.params.Lambda
	if rows < 2*least {
		return
	}
	whole := sum * sum / (rows + lambda)
	beat := 1e-12 * whole // less is rounding
	for c := range g.columns {
		var left sums
		hist := &l.hist[c]
		for b := range g.columns[c].edges {
			if hist[b] == 0 {
				continue
			}
			left += hist[b]
			n, s := g.rowsOf(left), g.sumOf(left)
			if n < least {
				continue
			}
			if rows-n < least {
				break
			}
			gain := s*s/(n+lambda) + (sum-s)*(sum-s)/(rows-n+lambda) - whole
			if gain > beat {
				l.gain, l.column, l.bin, l.left = gain, c, uint8(b), left
				beat = gain * (1 + 1e-12) // of equals the first
			}
		}
	}
}

// split parts a leaf's rows in two, keeping their order. The larger child's
// histogram is the parent's less the smaller one's.
func (g *grower) split(e *Ensemble, l *leaf) (left, right *leaf) {
	columns := len(g.columns)
	mid, n := l.from, 0
	for _, row := range g.rows[l.from:l.to] {
		if g.codes[int(row)*columns+l.column] <= l.bin {
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
	column := g.columns[l.column]
	e.Nodes[l.node] = node{Feature: int16(column.feature), Threshold: column.edge(l.bin), Left: at, Right: at + 1}
	left = &leaf{node: at, from: l.from, to: mid, total: l.left}
	right = &leaf{node: at + 1, from: mid, to: l.to, total: l.total - l.left}
	small, large := left, right
	if right.to-right.from < left.to-left.from {
		small, large = right, left
	}
	small.hist = g.histogram()
	g.fill(small)
	large.hist = l.hist
	for c := range large.hist {
		from, less := &large.hist[c], &small.hist[c]
		for b := range len(g.columns[c].edges) + 1 {
			from[b] -= less[b]
		}
	}
	g.best(left)
	g.best(right)
	return left, right
}
