package rollout

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// random is a grid with moves and scores drawn at random; some actions must not be taken.
func random(rng *rand.Rand) (r *Reach, moves func(axis int, from, to int32) bool, score []float64) {
	sizes := make([]int, 1+rng.IntN(3))
	for i := range sizes {
		sizes[i] = 1 + rng.IntN(5)
	}
	most := max(1, int32(rng.IntN(3)))
	moves = func(axis int, from, to int32) bool { return to-from <= most && (axis == 0 || from-to <= 1) }
	r = NewReach(sizes)
	r.Set(moves)
	for range r.Len() {
		v := float64(rng.IntN(20)) // so that some are equal
		if rng.IntN(4) == 0 {
			v = math.Inf(-1)
		}
		score = append(score, v)
	}
	return r, moves, score
}

// within lists the actions within one interval of another, one after the other.
func within(sizes []int, moves func(axis int, from, to int32) bool, from int) []int {
	n := 1
	for _, size := range sizes {
		n *= size
	}
	var out []int
	for to := range n {
		ok, a, b := true, from, to
		for axis, size := range slices.Backward(sizes) {
			ok = ok && moves(axis, int32(a%size), int32(b%size))
			a, b = a/size, b/size
		}
		if ok {
			out = append(out, to)
		}
	}
	return out
}

func TestBestIsThatOfAllWithinReach(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		r, moves, score := random(rng)
		worth, next := slices.Clone(score), make([]int32, len(score))
		r.Best(worth, next)
		for from := range score {
			best := from
			most := math.Inf(-1)
			for _, to := range within(r.sizes, moves, from) {
				if score[to] > most {
					best, most = to, score[to]
				}
			}
			if worth[from] != most || !math.IsInf(most, -1) && int(next[from]) != best {
				t.Fatalf("sizes %v, from %d: %d is worth %v, want %d worth %v", r.sizes, from, next[from], worth[from], best, most)
			}
		}
	}
}

// Each value is what one gets who takes the action and then the best step, step by step.
func TestValuesAreThoseOfFollowingTheBasePolicy(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		r, moves, score := random(rng)
		horizon := 1 + rng.IntN(6)
		got := NewLookahead(r).Values(score, horizon)
		for start := range score {
			sum, at := 0.0, start
			for range horizon {
				sum += score[at]
				best := at
				for _, to := range within(r.sizes, moves, at) {
					if score[to] > score[best] || score[to] == score[best] && to < best {
						best = to
					}
				}
				at = best
			}
			if want := sum / float64(horizon); got[start] != want && math.Abs(got[start]-want) > 1e-9 {
				t.Fatalf("action %d over %d intervals: %v, want %v", start, horizon, got[start], want)
			}
		}
	}
}

func TestWhatAnAxisCannotKeepIsWorthNothing(t *testing.T) {
	r := NewReach([]int{2})
	r.Set(func(_ int, from, to int32) bool { return from == 1 && to == 1 })
	worth, next := []float64{1, 2}, make([]int32, 2)
	r.Best(worth, next)
	if !math.IsInf(worth[0], -1) || worth[1] != 2 || next[1] != 1 {
		t.Errorf("worth %v, next %v", worth, next)
	}
}
