package model

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// masks evaluate an ensemble without walking its trees, whose branches no processor can
// foresee. A tree's leaves are the bits of a number, from left to right. A node whose
// test fails excludes the leaves to its left; the leaf that a row gets to is the first
// one left when every failed node has had its say (Lucchese et al. 2015, QuickScorer).
// What the nodes of one feature exclude depends on which of their thresholds the
// feature is above, and is tabulated: a row takes one AND for each feature and pair of
// trees. Values are summed in the order of the trees, so that the sum is Predict's to
// the last bit.
type masks struct {
	base     float64
	features []maskFeature
	words    int       // two trees in each
	values   []float64 // [tree][maskLeaves]
}

// maskFeature is one feature that some node asks for.
type maskFeature struct {
	feature    int
	thresholds []uint64 // keys of order, ascending, distinct
	rows       []uint64 // [thresholds the feature is above][word]: the leaves that are left
}

// maskLeaves bounds the leaves of a tree.
const maskLeaves = 32

// failed is what a node says when its test fails.
type failed struct {
	threshold float64
	tree      int
	left      uint32 // leaves that are still possible
}

// newMasks returns the masks of an ensemble, nil if one of its trees has too many leaves.
func newMasks(e *Ensemble) *masks {
	words := (len(e.Roots) + 1) / 2
	m := &masks{base: e.Base, words: words, values: make([]float64, 2*maskLeaves*words)}
	nodes := make([][]failed, e.Features)
	for tree, root := range e.Roots {
		if m.number(e, nodes, tree, root, 0) > maskLeaves {
			return nil
		}
	}
	for f, of := range nodes {
		if len(of) > 0 {
			m.features = append(m.features, newMaskFeature(f, of, words))
		}
	}
	return m
}

// number numbers the leaves below a node from first on, and returns the number after
// the last; more than maskLeaves, and nothing of use, if there are too many.
func (m *masks) number(e *Ensemble, nodes [][]failed, tree int, at int32, first int) int {
	n := e.Nodes[at]
	if first >= maskLeaves {
		return maskLeaves + 1
	}
	if n.Feature < 0 {
		m.values[tree*maskLeaves+first] = n.Value
		return first + 1
	}
	next := m.number(e, nodes, tree, n.Left, first)
	if next > maskLeaves {
		return next
	}
	nodes[n.Feature] = append(nodes[n.Feature], failed{n.Threshold, tree, ^(uint32(1<<(next-first)-1) << first)})
	return m.number(e, nodes, tree, n.Right, next)
}

// newMaskFeature tabulates what the nodes of one feature exclude.
func newMaskFeature(feature int, nodes []failed, words int) maskFeature {
	slices.SortFunc(nodes, func(a, b failed) int { return cmp.Compare(a.threshold, b.threshold) })
	f := maskFeature{feature: feature}
	row := slices.Repeat([]uint64{^uint64(0)}, words)
	for i, n := range nodes {
		if i == 0 || n.threshold != nodes[i-1].threshold {
			f.thresholds = append(f.thresholds, orderKey(n.threshold))
			f.rows = append(f.rows, row...)
		}
		shift := 32 * (n.tree % 2)
		row[n.tree/2] &= uint64(n.left)<<shift | ^(uint64(1<<32-1) << shift)
	}
	f.rows = append(f.rows, row...)
	return f
}

// above counts the thresholds that a number is above, given its key. Where it is above
// is foreseen by no processor, so that it is not asked by a branch.
func (f *maskFeature) above(key uint64) int {
	at, n := 0, len(f.thresholds)
	for n > 1 {
		half := n / 2
		_, above := bits.Sub64(f.thresholds[at+half-1], key, 0)
		at += half & -int(above)
		n -= half
	}
	_, above := bits.Sub64(f.thresholds[at], key, 0)
	return at + int(above)
}

// orderKey maps numbers to whole ones of the same order; NaN is above all, because no
// comparison holds for it in Predict either.
func orderKey(x float64) uint64 {
	if math.IsNaN(x) {
		return math.MaxUint64
	}
	b := math.Float64bits(x + 0) // -0 becomes 0
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

// predict is Ensemble.Predict at x; left is a buffer of so many words.
func (m *masks) predict(x []float64, left []uint64) float64 {
	left = left[:m.words]
	features := m.features
	for i := range left {
		left[i] = ^uint64(0)
	}
	row := func(i int) []uint64 {
		f := &features[i]
		return f.rows[f.above(orderKey(x[f.feature]))*m.words:][:m.words]
	}
	i := 0
	for ; i+4 <= len(features); i += 4 { // four at once: memory is asked less for what is left
		a, b, c, d := row(i), row(i+1), row(i+2), row(i+3)
		a, b, c, d = a[:len(left)], b[:len(left)], c[:len(left)], d[:len(left)]
		for w, v := range left {
			left[w] = v & a[w] & b[w] & c[w] & d[w]
		}
	}
	for ; i < len(features); i++ {
		for w, v := range row(i) {
			left[w] &= v
		}
	}
	y, values := m.base, m.values
	for _, w := range left {
		pair := values[:2*maskLeaves]
		values = values[2*maskLeaves:]
		y += pair[bits.TrailingZeros32(uint32(w))&(maskLeaves-1)]
		y += pair[maskLeaves+bits.TrailingZeros32(uint32(w>>32))&(maskLeaves-1)]
	}
	return y
}

// evaluator evaluates an ensemble, by its masks where it has some. It is for one goroutine.
type evaluator struct {
	trees *Ensemble
	masks *masks
	left  []uint64
}

// newEvaluator is for an ensemble and its masks, which may be nil.
func newEvaluator(e *Ensemble, m *masks) evaluator {
	v := evaluator{trees: e, masks: m}
	if m != nil {
		v.left = make([]uint64, m.words)
	}
	return v
}

// at is Ensemble.Predict.
func (v *evaluator) at(x []float64) float64 {
	if v.masks != nil {
		return v.masks.predict(x, v.left)
	}
	return v.trees.Predict(x)
}
