package promotion

import "math"

// A Ratios is the distribution of measured/predicted: a histogram of its logarithm. The zero
// value is empty.
type Ratios struct {
	n       int
	squares float64 // sum of the logarithms' squares
	bins    [ratioBins]int32
}

const (
	ratioBins  = 81
	ratioWidth = .025 // of the logarithm, in one bin
	ratioFirst = -ratioWidth * ratioBins / 2

	// farthest logarithm that is counted as what it is: one request that hung for a minute is to
	// speak once.
	farthest = 2
)

// logRatio is log(measured/predicted), bounded; NaN: one of them is no positive number.
func logRatio(measured, predicted float64) float64 {
	v := math.Log(measured / predicted)
	if !(measured > 0) || !(predicted > 0) || math.IsInf(v, 0) {
		return math.NaN()
	}
	return math.Max(-farthest, math.Min(farthest, v))
}

// Add counts the logarithm of a ratio. NaN is none.
func (r *Ratios) Add(v float64) {
	if math.IsNaN(v) {
		return
	}
	r.n++
	r.squares += v * v
	i := int(math.Floor((v - ratioFirst) / ratioWidth))
	r.bins[max(0, min(ratioBins-1, i))]++
}

// N is how many there are.
func (r *Ratios) N() int { return r.n }

// Quantile is that of measured/predicted - 1, to within half a bin; NaN: there is none.
func (r *Ratios) Quantile(q float64) float64 {
	left := q * float64(r.n)
	for i, n := range r.bins {
		if left -= float64(n); left <= 0 && r.n > 0 {
			return math.Exp(ratioFirst+(float64(i)+.5)*ratioWidth) - 1
		}
	}
	return math.NaN()
}

// Above is the chance that measured/predicted is above a ratio: the share of those so far, as if
// there had been half a one on either side. NaN or not positive: it always is.
func (r *Ratios) Above(ratio float64) float64 {
	if !(ratio > 0) {
		return 1
	}
	at := (math.Log(ratio) - ratioFirst) / ratioWidth
	above := 0.
	for i, n := range r.bins {
		above += float64(n) * math.Max(0, math.Min(1, float64(i+1)-at))
	}
	return (above + .5) / (float64(r.n) + 1)
}

// MeanSquare is the mean of the logarithms' squares, with that of a model which is off by a
// tenth in place of a few that were not seen.
func (r *Ratios) MeanSquare() float64 {
	const few, tenth = 5, .01
	return (r.squares + few*tenth) / (float64(r.n) + few)
}
