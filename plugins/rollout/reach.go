package rollout

import "math"

// Reach finds the best action within one interval of each action of a grid whose axes
// move independently. It is for one goroutine.
type Reach struct {
	sizes []int
	moves [][][]int32 // by axis, category: the categories that it gets to, ascending
	value []float64
	at    []int32
}

// NewReach is for a grid with so many categories on each axis, the last axis varying
// fastest. Set says what is within reach.
func NewReach(sizes []int) *Reach {
	r, actions := &Reach{sizes: sizes}, 1
	for _, n := range sizes {
		moves := make([][]int32, n)
		for from := range moves {
			moves[from] = make([]int32, 0, n)
		}
		r.moves = append(r.moves, moves)
		actions *= n
	}
	r.value, r.at = make([]float64, actions), make([]int32, actions)
	return r
}

// Len is the number of actions.
func (r *Reach) Len() int { return len(r.value) }

// Set says which categories of an axis are one interval from which.
func (r *Reach) Set(moves func(axis int, from, to int32) bool) {
	for axis, of := range r.moves {
		for from := range of {
			to := of[from][:0]
			for c := range int32(len(of)) {
				if moves(axis, int32(from), c) {
					to = append(to, c)
				}
			}
			of[from] = to
		}
	}
}

// Best replaces the worth of each action by that of the best action within reach of it,
// and writes which one it is to next; of equal ones it is the first of the grid. An axis
// that gets nowhere, not even to where it is, has a worth of -Inf. The axes move
// independently, so that one is maximised over after the other: the sum of their moves
// for each action, instead of the product.
func (r *Reach) Best(worth []float64, next []int32) {
	for i := range next {
		next[i] = int32(i)
	}
	stride := len(worth)
	for axis, size := range r.sizes {
		stride /= size
		for i := range worth {
			from := i / stride % size
			best, at := math.Inf(-1), int32(i)
			for _, to := range r.moves[axis][from] {
				j := i + (int(to)-from)*stride
				// Of equal ones the first in the order of the grid, whatever the axis.
				if worth[j] > best || worth[j] == best && next[j] < at {
					best, at = worth[j], next[j]
				}
			}
			r.value[i], r.at[i] = best, at
		}
		copy(worth, r.value)
		copy(next, r.at)
	}
}
