package margin

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// Scale is how large a model's relative errors are where it predicts so much, beside those
// of all its predictions: a mesh that is nearly full answers less evenly than one that is
// idle. It is the unit of a margin and of the residuals behind it, so that one margin asks
// little where the model is sure and much where it is not (locally weighted conformal
// prediction: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman 2018). It only rises with the
// prediction, and is 1 in the mean of its logarithm. The zero value is 1 everywhere.
type Scale struct {
	At    []float64 `json:"at,omitempty"`    // predictions, ascending, in the signal's unit
	Value []float64 `json:"value,omitempty"` // there, and straight on between them
}

const (
	scaleBins  = 8  // of as many residuals each
	scaleLeast = 20 // residuals in one: fewer have no .9 quantile
	leastScale = .05
)

// NewScale takes what was predicted (not seen by the model when it was fitted) and the
// relative residual of each prediction: the .9 quantile of their absolute values in bins of
// the prediction, made to rise by pooling adjacent violators (Ayer et al. 1955). Where there
// are too few residuals, or none, it is 1 everywhere.
func NewScale(predicted, residuals []float64) Scale {
	bins := min(scaleBins, len(residuals)/scaleLeast)
	if bins < 2 {
		return Scale{}
	}
	order := make([]int, len(residuals))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(predicted[a], predicted[b]) })
	whole := SpreadOf(residuals)
	if !(whole > 0) {
		return Scale{}
	}
	var s Scale
	var logs, abs []float64
	for b := range bins {
		of := order[b*len(order)/bins : (b+1)*len(order)/bins]
		at := 0.0
		abs = abs[:0]
		for _, i := range of {
			at += math.Log(predicted[i]) / float64(len(of))
			abs = append(abs, residuals[i])
		}
		s.At = append(s.At, math.Exp(at))
		logs = append(logs, math.Log(max(SpreadOf(abs)/whole, leastScale)))
	}
	rising(logs)
	mean := 0.0
	for _, v := range logs {
		mean += v / float64(bins)
	}
	for _, v := range logs {
		s.Value = append(s.Value, math.Exp(v-mean))
	}
	return s
}

// rising replaces values by the closest ones, in the sum of squares, that never fall.
func rising(values []float64) {
	type pool struct {
		mean float64
		of   int
	}
	var pools []pool
	for _, v := range values {
		pools = append(pools, pool{v, 1})
		for n := len(pools); n > 1 && pools[n-2].mean > pools[n-1].mean; n-- {
			a, b := pools[n-2], pools[n-1]
			pools[n-2] = pool{(a.mean*float64(a.of) + b.mean*float64(b.of)) / float64(a.of+b.of), a.of + b.of}
			pools = pools[:n-1]
		}
	}
	i := 0
	for _, p := range pools {
		for range p.of {
			values[i] = p.mean
			i++
		}
	}
}

// SpreadOf is the .9 quantile of the absolute values of residuals; 0 where there are none.
func SpreadOf(residuals []float64) float64 {
	if len(residuals) == 0 {
		return 0
	}
	abs := make([]float64, len(residuals))
	for i, r := range residuals {
		abs[i] = math.Abs(r)
	}
	slices.Sort(abs)
	return abs[int(.9*float64(len(abs)-1))]
}

// Of is the scale of a prediction.
func (s *Scale) Of(predicted float64) float64 {
	n := len(s.At)
	if n == 0 {
		return 1
	}
	i, _ := slices.BinarySearch(s.At, predicted)
	switch i {
	case 0:
		return s.Value[0]
	case n:
		return s.Value[n-1]
	}
	part := (predicted - s.At[i-1]) / (s.At[i] - s.At[i-1])
	return s.Value[i-1]*(1-part) + s.Value[i]*part
}

// Units divides residuals by the scale of what was predicted.
func (s *Scale) Units(predicted, residuals []float64) []float64 {
	out := make([]float64, len(residuals))
	for i, r := range residuals {
		out[i] = r / s.Of(predicted[i])
	}
	return out
}

// Check reports a scale that NewScale cannot have made.
func (s *Scale) Check() error {
	positive := func(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
	ok := len(s.At) == len(s.Value) && slices.IsSorted(s.At)
	for i := range s.At {
		ok = ok && positive(s.At[i]) && positive(s.Value[i])
	}
	if !ok {
		return errors.New("the scale of a model's errors is damaged")
	}
	return nil
}

// Allow is the factor that a margin puts on a prediction with errors of the given scale. A
// margin below zero says that more is kept than was promised, whatever the model is worth: it
// has no unit.
func Allow(margin, scale float64) float64 {
	if margin > 0 {
		return 1 + margin*scale
	}
	return 1 + margin
}

// Feasible is the greatest margin under which a prediction is in bounds.
func Feasible(predicted, bound, scale float64) float64 {
	room := bound/predicted - 1
	if room > 0 {
		return room / scale
	}
	return room
}
