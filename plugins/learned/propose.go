package learned

import (
	"cmp"
	"math"
	"slices"
)

// proposals finds the actions that a network holds most probable: the best ones of the
// product of its axes.
type proposals struct {
	sizes  []int
	stride []int      // by axis, of the position in policy.Grid
	ranked []category // of one axis
	best   []proposal // the most probable first
	next   []proposal
}

type category struct {
	index int
	logp  float64
}

type proposal struct {
	action int // position in policy.Grid
	logp   float64
}

// most is how many proposals are held against the table. On MO1, at random loads and
// margins, the most probable action alone breaks a margin in 4 to 5 % of the cases and is
// worth .93 of the best; the best of 64 (of 1,296) is worth .995 of it, and .1 % of the
// cases are left to protect.
const most = 64

func newProposals(sizes, stride []int) proposals {
	p := proposals{sizes: sizes, stride: stride, ranked: make([]category, 0, slices.Max(sizes))}
	p.best, p.next = make([]proposal, 0, most), make([]proposal, 0, most*slices.Max(sizes))
	return p
}

// find fills best from logits (of one axis after the other), with admit(axis,
// category) only. It returns the first axis of which nothing is admitted; -1: none.
//
// Both lists of each round are sorted, so the product of the first i of one and the
// first j of the other can be among the most probable only if i*j is at most as many.
func (p *proposals) find(logits []float32, admit func(axis, category int) bool) (stuck int) {
	p.best = append(p.best[:0], proposal{})
	for axis, n := range p.sizes {
		p.rank(logits[:n], axis, admit)
		logits = logits[n:]
		if len(p.ranked) == 0 {
			return axis
		}
		p.next = p.next[:0]
		for i, b := range p.best {
			for j, c := range p.ranked {
				if (i+1)*(j+1) > most {
					break
				}
				p.next = append(p.next, proposal{b.action + c.index*p.stride[axis], b.logp + c.logp})
			}
		}
		slices.SortStableFunc(p.next, func(a, b proposal) int { return cmp.Compare(b.logp, a.logp) })
		p.best = append(p.best[:0], p.next[:min(most, len(p.next))]...)
	}
	return -1
}

// rank sorts the admitted categories of an axis by their logits. What is not admitted
// takes no share of the probability, which the order does not need.
func (p *proposals) rank(logits []float32, axis int, admit func(axis, category int) bool) {
	p.ranked = p.ranked[:0]
	top := math.Inf(-1)
	for _, v := range logits {
		top = math.Max(top, float64(v))
	}
	for c, v := range logits {
		if admit(axis, c) {
			p.ranked = append(p.ranked, category{c, float64(v) - top})
		}
	}
	slices.SortStableFunc(p.ranked, func(a, b category) int { return cmp.Compare(b.logp, a.logp) })
}
