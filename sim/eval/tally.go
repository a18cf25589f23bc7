package eval

import "math"

// tally sums up intervals.
type tally struct {
	intervals int
	reward    float64
	value     float64
	offered   float64
	nominal   float64
	measured  float64 // NaN once a carried load was not known
	violated  []int   // by service
}

// add counts the interval that the asker was asked about last, and returns the
// latencies as they were measured.
func (y *tally) add(a *asker, offered, noise, measured []float64) []float64 {
	if y.violated == nil {
		y.violated = make([]int, len(offered))
	}
	y.intervals++
	y.reward += a.goal.Reward(a.seconds, offered, a.admitted, a.cost)
	y.value += a.goal.Value(offered, a.admitted, a.cost)
	for s, l := range offered {
		y.offered += l
		y.nominal += l * a.admitted[s]
		y.measured += math.Min(l, a.measured[s])
		if measured[s] = a.seconds[s] * (1 + noise[s]); measured[s] > a.goal.Bound[s] {
			y.violated[s]++
		}
	}
	return measured
}

// merge adds the intervals of another run.
func (y *tally) merge(other tally) {
	if y.violated == nil {
		y.violated = make([]int, len(other.violated))
	}
	y.intervals += other.intervals
	y.reward += other.reward
	y.value += other.value
	y.offered += other.offered
	y.nominal += other.nominal
	y.measured += other.measured
	for s, n := range other.violated {
		y.violated[s] += n
	}
}

// share is part of whole, nil where that is not a number.
func share(part, whole float64) *float64 {
	v := part / whole
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
