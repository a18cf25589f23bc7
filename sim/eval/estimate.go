package eval

import "math"

// Estimate is a mean over runs with seeds of their own, and the half-width of its 95 %
// confidence interval: Student's t over one figure a run. A run counts once however
// many intervals it has, because its intervals are not independent: noise comes in
// bursts, and a controller answers to what it has just seen. Between runs the split of
// the configurations, the loads' phases and the piece of noise are drawn anew; the data
// are the same, so the interval says nothing of other data.
type Estimate struct {
	Mean float64  `json:"mean"`
	Half *float64 `json:"half_width"` // nil for a single run
}

// estimate is the Estimate of one figure a run.
func estimate(runs []float64) Estimate {
	n := float64(len(runs))
	e := Estimate{}
	for _, v := range runs {
		e.Mean += v / n
	}
	if len(runs) < 2 {
		return e
	}
	square := 0.0
	for _, v := range runs {
		square += (v - e.Mean) * (v - e.Mean)
	}
	half := studentT(len(runs)-1) * math.Sqrt(square/(n-1)/n)
	e.Half = &half
	return e
}

// studentT is the .975 quantile of Student's t: exact for 1 and 2 degrees of freedom,
// then the expansion about the normal quantile (Abramowitz and Stegun, 26.7.5), within
// .005 from 3 on.
func studentT(freedom int) float64 {
	switch freedom {
	case 1:
		return math.Tan(.475 * math.Pi)
	case 2:
		return .95 * math.Sqrt(2/(1-.95*.95))
	}
	const z = 1.959963984540054
	n, z2 := float64(freedom), z*z
	return z + z*(z2+1)/(4*n) +
		z*(3+z2*(16+5*z2))/(96*n*n) +
		z*(-15+z2*(17+z2*(19+3*z2)))/(384*n*n*n) +
		z*(-945+z2*(-1920+z2*(1482+z2*(776+79*z2))))/(92160*n*n*n*n)
}
