package dataset

import "math"

// Effective is how many independent rows a service's latencies are worth. Intervals that
// follow each other resemble each other (bursts, queues, what no column has), and n of them
// tell less than n that do not.
//
// It is n / (1 + 2 (r1 + r2 + …)), where r1, r2, … are the autocorrelations of what settings
// and loads do not explain linearly, and the sum ends where two of them in a row sum to 0 or
// less (the initial positive sequence of Geyer, Practical Markov chain Monte Carlo,
// Statistical Science 7, 1992), or at maxLag. Rows are taken to follow each other as in the
// file, whatever was left out between them. What is not linear in settings and loads counts as
// resemblance as well, so that the figure is rather too small than too large.
type Effective struct {
	Service string  `json:"service"`
	Rows    int     `json:"rows"`            // with a latency
	Lag1    float64 `json:"autocorrelation"` // from row to row
	Worth   float64 `json:"effective_rows"`
	Wanted  float64 `json:"wanted_rows"` // rowsPerColumn for each knob and load
}

// rowsPerColumn is how many independent rows each explaining column takes, by the customary rule
// (Harrell, Regression Modeling Strategies, 2015, section 4.4: 10 to 20).
const rowsPerColumn = 10

// maxLag bounds the time that it takes. What is alike over so many rows is a trend.
const maxLag = 1000

func effectiveOf(service string, residuals []float64) Effective {
	e := Effective{Service: service}
	e.Rows, e.Lag1, e.Worth = Worth(residuals)
	return e
}

// Worth is how many independent values so many that follow each other are worth, as Effective
// has it: known is how many are not NaN, lag1 their autocorrelation from one to the next. Their
// mean is taken to be 0.
func Worth(values []float64) (known int, lag1, worth float64) {
	for _, v := range values {
		if !math.IsNaN(v) {
			known++
		}
	}
	if known == 0 {
		return 0, 0, 0
	}
	variance := covariance(values, 0)
	if !(variance > 0) {
		return known, 0, float64(known) // nothing is left to resemble each other
	}
	lag1 = covariance(values, 1) / variance
	sum := 0.0
	for lag := 0; lag < min(maxLag, len(values)/2); lag += 2 {
		pair := (covariance(values, lag) + covariance(values, lag+1)) / variance
		if !(pair > 0) {
			break
		}
		sum += pair
	}
	return known, lag1, float64(known) / math.Max(1, 2*sum-1)
}

// covariance is that of values, whose mean is 0, and those lag later; of those pairs that are
// known.
func covariance(values []float64, lag int) float64 {
	sum, n := 0.0, 0
	for i, v := range values[lag:] {
		if p := v * values[i]; !math.IsNaN(p) {
			sum += p
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}
