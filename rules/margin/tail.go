package margin

import (
	"math"
	"slices"
)

// Tail is the distribution of a model's relative residuals, in units of their Scale, as the
// chance that one is greater: the residuals smoothed by a Gaussian kernel, and beyond most of them an
// exponential tail, because a budget of one percent asks for more than a sample can
// say. The zero value knows of no residuals: see Known.
type Tail struct {
	low, width float64
	above      []float64 // at low + i*width
	mean       float64   // excess beyond the last of them
	scale      Scale
}

const (
	tailCells = 256
	tailFrom  = .95 // the quantile where the exponential tail begins
)

// Quantiles thins residuals to what NewTail needs of them: n values, ascending, each
// standing for as many.
func Quantiles(residuals []float64, n int) []float64 {
	sorted := slices.Sorted(slices.Values(residuals))
	if len(sorted) <= n {
		return sorted
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = sorted[int((float64(i)+.5)/float64(n)*float64(len(sorted)))]
	}
	return out
}

// NewTail takes residuals in units of the scale, in any order; it is unknown without any.
func NewTail(residuals []float64, scale Scale) Tail {
	n := len(residuals)
	if n == 0 {
		return Tail{}
	}
	sorted := slices.Sorted(slices.Values(residuals))
	mean, square := 0.0, 0.0
	for _, r := range sorted {
		mean += r / float64(n)
	}
	for _, r := range sorted {
		square += (r - mean) * (r - mean) / float64(n)
	}
	// Silverman's rule, by the middle half where a heavy tail makes the deviation too great.
	middle := (sorted[3*(n-1)/4] - sorted[(n-1)/4]) / 1.34
	h := math.Max(.9*math.Min(math.Sqrt(square), math.Max(middle, 1e-6))*math.Pow(float64(n), -.2), 1e-6)
	from := sorted[int(tailFrom*float64(n-1))]
	t := Tail{low: sorted[0] - 3*h, above: make([]float64, tailCells), scale: scale}
	t.width = (from - t.low) / (tailCells - 1)
	for i := range t.above {
		x := t.low + float64(i)*t.width
		for _, r := range sorted {
			t.above[i] += .5 * math.Erfc((x-r)/(h*math.Sqrt2)) / float64(n)
		}
	}
	beyond := 0
	for _, r := range sorted {
		if r > from {
			t.mean += r - from
			beyond++
		}
	}
	if beyond > 0 {
		t.mean /= float64(beyond)
	}
	t.mean = math.Max(t.mean, h)
	return t
}

// Known reports whether there were residuals.
func (t *Tail) Known() bool { return len(t.above) > 0 }

// Breaks is the chance that what is predicted comes out above a bound; 0 if nothing is known.
func (t *Tail) Breaks(predicted, bound float64) float64 {
	return t.Above((bound/predicted - 1) / t.scale.Of(predicted))
}

// Above is the chance that a residual is greater than r; 0 if nothing is known.
func (t *Tail) Above(r float64) float64 {
	if len(t.above) == 0 {
		return 0
	}
	at := (r - t.low) / t.width
	switch last := len(t.above) - 1; {
	case at <= 0:
		return 1
	case at >= float64(last):
		return t.above[last] * math.Exp(-(r-t.low-float64(last)*t.width)/t.mean)
	default:
		i := int(at)
		part := at - float64(i)
		return t.above[i]*(1-part) + t.above[i+1]*part
	}
}
