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
	for _, v := range residuals {
		if !math.IsNaN(v) {
			e.Rows++
		}
	}
	if e.Rows == 0 {
		return e
	}
	variance := covariance(residuals, 0)
	if !(variance > 0) {
		e.Worth = float64(e.Rows) // nothing is left to resemble each other
		return e
	}
	e.Lag1 = covariance(residuals, 1) / variance
	sum := 0.0
	for lag := 0; lag < min(maxLag, len(residuals)/2); lag += 2 {
		pair := (covariance(residuals, lag) + covariance(residuals, lag+1)) / variance
		if !(pair > 0) {
			break
		}
		sum += pair
	}
	e.Worth = float64(e.Rows) / math.Max(1, 2*sum-1)
	return e
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
