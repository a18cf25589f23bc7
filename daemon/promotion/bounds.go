package promotion

import (
	"math"
	"slices"

	"github.com/windvane/windvane/sim/dataset"
)

// Bounds are a mean and how far it is known.
type Bounds struct {
	Mean, Low, High float64
	Effective       float64 // independent blocks that it is known from
}

const (
	// leastBlocks are as many as a variance is believed of.
	leastBlocks = 8
	// few is by how much more bounds are wider that are known from one block, as the variance is
	// known from as few: chosen so that they hold for blocks that resemble each other.
	few = 6
	// still is so little that values which never moved by more are where they are, however alike.
	still = .01
)

// bounds returns the mean of what consecutive blocks say, within bounds that hold with the given
// confidence at all times at once (the asymptotic confidence sequence of Waudby-Smith, Arbour,
// Sinha, Kennedy and Ramdas, Time-uniform central limit theory and asymptotic confidence
// sequences, Annals of Statistics 52, 2024, theorem 2.2). Blocks that resemble each other count
// as fewer: by all their autocorrelations, or by the first one, which is too small for short series
// and is corrected for that (Kendall, Note on bias in the estimation of autocorrelation, Biometrika
// 41, 1954), if that is less. They are narrowest at about so many blocks as wanted. Too few blocks have no bounds.
func bounds(values []float64, confidence float64, wanted int) Bounds {
	n := float64(len(values))
	b := Bounds{Mean: math.NaN(), Low: math.Inf(-1), High: math.Inf(1)}
	if n == 0 {
		return b
	}
	sum := 0.
	for _, v := range values {
		sum += v
	}
	b.Mean = sum / n
	centred, squares := make([]float64, len(values)), 0.
	for i, v := range values {
		centred[i] = v - b.Mean
		squares += centred[i] * centred[i]
	}
	_, lag1, worth := dataset.Worth(centred)
	lag1 = math.Min(.99, math.Max(0, lag1+(1+3*lag1)/n))
	if b.Effective = math.Min(worth, n*(1-lag1)/(1+lag1)); b.Effective < leastBlocks {
		if low, high := slices.Min(values), slices.Max(values); len(values) >= leastBlocks && high-low <= still {
			b.Low, b.High = low, high
		}
		return b
	}
	alpha := 1 - confidence
	rho := (-2*math.Log(alpha) + math.Log(1-2*math.Log(alpha)) + 1) / float64(max(leastBlocks, wanted)) // squared
	t := b.Effective*rho + 1
	half := (1 + few/b.Effective) * math.Sqrt(squares/(n-1)) * math.Sqrt(2*t/(b.Effective*b.Effective*rho)*math.Log(math.Sqrt(t)/alpha))
	b.Low, b.High = b.Mean-half, b.Mean+half
	return b
}
