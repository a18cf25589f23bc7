package eval

import "math"

// tally sums up the intervals of one run.
type tally struct {
	intervals int
	reward    float64
	value     float64
	offered   float64
	nominal   float64
	measured  float64   // NaN once a carried load was not known
	violated  []int     // by service
	broken    [][]bool  // by service and interval: the latency was above the bound; nil once closed
	worst     []float64 // by service: share of violations in the worst window; once closed
}

// window is the length, in intervals, of the windows whose violations are looked at by
// themselves.
const window = 100

// add counts the interval that the asker was asked about last, and returns the
// latencies as they were measured.
func (y *tally) add(a *asker, offered, noise, measured []float64) []float64 {
	if y.violated == nil {
		y.violated, y.broken = make([]int, len(offered)), make([][]bool, len(offered))
	}
	y.intervals++
	y.reward += a.goal.Reward(a.seconds, offered, a.admitted, a.cost)
	y.value += a.goal.Value(offered, a.admitted, a.cost)
	for s, l := range offered {
		y.offered += l
		y.nominal += l * a.admitted[s]
		y.measured += math.Min(l, a.measured[s])
		measured[s] = a.seconds[s] * (1 + noise[s])
		bad := measured[s] > a.goal.Bound[s]
		if bad {
			y.violated[s]++
		}
		y.broken[s] = append(y.broken[s], bad)
	}
	return measured
}

// closed is the tally of a run that has ended, without its single intervals.
func (y tally) closed() tally {
	y.worst = nil
	for _, b := range y.broken {
		y.worst = append(y.worst, worstWindow(b))
	}
	y.broken = nil
	return y
}

// violatedRatio is the share of the intervals that broke a service's bound.
func (y tally) violatedRatio(service int) float64 {
	return float64(y.violated[service]) / float64(y.intervals)
}

// sumOf adds one figure up over runs.
func sumOf(runs []tally, figure func(tally) float64) float64 {
	sum := 0.0
	for _, y := range runs {
		sum += figure(y)
	}
	return sum
}

// estimateOf is the estimate of one figure a run.
func estimateOf(runs []tally, figure func(tally) float64) Estimate {
	each := make([]float64, len(runs))
	for i, y := range runs {
		each[i] = figure(y)
	}
	return estimate(each)
}

// share is part of whole, nil where that is not a number.
func share(part, whole float64) *float64 {
	v := part / whole
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
