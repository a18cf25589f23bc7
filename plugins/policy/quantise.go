package policy

import (
	"cmp"
	"math"
	"slices"
)

// Rounding is more than Quantise moves a weight, and less than a whole percent: a
// setting that is nearer to the commanded one is it, one that is further was changed.
const Rounding = .01 - 1e-9

// BlockingSteps is, for a share, Istio's resolution of a fault's percentage: 0.0001 %.
const BlockingSteps = 1e6

// Quantise returns what an action reads as once it is applied: weights in whole
// percents by largest remainder, summing to 1 for each target, and blocking in steps of
// 1e-6. It is idempotent, and leaves other knobs alone.
func Quantise(want Action) Action {
	out := want.Clone()
	out.Sort()
	for i := 0; i < len(out); {
		j := i + 1
		switch out[i].Kind {
		case Weight:
			for j < len(out) && out[j].Kind == Weight && out[j].Target == out[i].Target {
				j++
			}
			weights := make([]float64, 0, j-i)
			for _, s := range out[i:j] {
				weights = append(weights, s.Value)
			}
			for k, p := range Percents(weights) {
				out[i+k].Value = float64(p) / 100
			}
		case Blocking:
			out[i].Value = math.Round(out[i].Value*BlockingSteps) / BlockingSteps
		case Replicas:
		}
		i = j
	}
	return out
}

// Percents rounds weights that sum to 1 to whole percents that sum to exactly 100, by
// largest remainder. Of equal remainders the first gets the percent. A weight that is
// one stays it, though 100 times it may be just below the whole number: its remainder
// is then the largest there is.
func Percents(weights []float64) []int {
	out := make([]int, len(weights))
	order := make([]int, len(weights))
	rest := 100
	for i, w := range weights {
		order[i] = i
		out[i] = int(math.Floor(100 * w))
		rest -= out[i]
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Compare(100*weights[j]-float64(out[j]), 100*weights[i]-float64(out[i]))
	})
	for k := range max(0, min(rest, len(order))) {
		out[order[k]]++
	}
	return out
}
