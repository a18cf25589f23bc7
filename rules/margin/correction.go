package margin

import (
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
)

// Correction is the state of a factor on the model's predictions, whose logarithm is
// linear in an action's terms: recursive least squares with forgetting (Haykin,
// Adaptive Filter Theory), in the form that keeps the moments and solves for the
// coefficients, so that the ridge does not fade with them. A node that lost a third
// of its capacity is so learned once, for every action over it. The zero value has
// learned nothing.
type Correction struct {
	Moments      []float32 `json:"moments,omitempty"` // decayed sum of terms x terms, upper triangle by rows
	Targets      []float32 `json:"targets,omitempty"` // decayed sum of terms x log(measured/predicted)
	Coefficients []float32 `json:"coefficients,omitempty"`
	Seen         int       `json:"seen"`      // intervals
	Raw          float64   `json:"raw"`       // decayed sum of squares of log(measured/predicted)
	Corrected    float64   `json:"corrected"` // the same one interval ahead, less what the coefficients said of it
}

// The range of what is learned from one interval, and of what is said of one, as
// factors: one interval's stall is no fault, and no fault makes an action free.
const (
	leastRatio = .3
	mostRatio  = 3
	leastLog   = -.7
	mostLog    = 1.5
)

// Gate is the share of the correction that is used: by what it took off the squared
// error one interval ahead.
func (c Correction) Gate() float64 {
	if c.Seen < leastSeen || !(c.Raw > 0) {
		return 0
	}
	return gate(1 - c.Corrected/c.Raw)
}

// Log is the logarithm of the factor for an action with the given terms, under the gate.
func (c Correction) Log(terms []float64) float64 { return clipLog(c.Gate() * c.dot(terms)) }

// Factor is what a correction, as Hand gives its coefficients, makes of the predictions for an
// action at offered loads by service, requests/s; 1 without coefficients.
func Factor(terms *policy.Terms, coefficients, offered []float64, a policy.Action) float64 {
	if len(coefficients) == 0 {
		return 1
	}
	return math.Exp(clipLog(terms.Dot(coefficients, offered, a)))
}

// clipLog keeps the logarithm of a correction within its range.
func clipLog(v float64) float64 { return clip(v, leastLog, mostLog) }

// Hand returns the coefficients under the gate, for flows in requests/s; unit is what
// one of those that were learned from is in requests/s. Nil: no correction.
func (c Correction) Hand(unit float64) []float64 {
	g := c.Gate()
	if g == 0 || !(unit > 0) {
		return nil
	}
	out := make([]float64, len(c.Coefficients))
	for i, v := range c.Coefficients {
		out[i] = g * float64(v)
	}
	for i := range flows(out) {
		flows(out)[i] /= unit
	}
	return out
}

// flows are the flows among terms, or their coefficients: see policy.Terms.
func flows(terms []float64) []float64 { return terms[1 : 1+len(terms)/2] }

func (c Correction) dot(terms []float64) float64 {
	if len(terms) != len(c.Coefficients) {
		return 0
	}
	sum := 0.0
	for i, v := range c.Coefficients {
		sum += float64(v) * terms[i]
	}
	return sum
}

// Learn returns the correction after an interval that measured ratio times what the
// model predicted. Terms of another number than before begin anew.
func (c Correction) Learn(p Params, ratio float64, terms []float64) Correction {
	n := len(terms)
	if len(c.Targets) != n || len(c.Moments) != n*(n+1)/2 || len(c.Coefficients) != n {
		c = Correction{Moments: make([]float32, n*(n+1)/2), Targets: make([]float32, n), Coefficients: make([]float32, n)}
	}
	y := math.Log(clip(ratio, leastRatio, mostRatio))
	missed := y - clipLog(c.dot(terms))
	c.Raw = p.Forget*c.Raw + y*y
	c.Corrected = p.Forget*c.Corrected + missed*missed
	c.Seen++
	c.Moments, c.Targets = slices.Clone(c.Moments), slices.Clone(c.Targets)
	at := 0
	for i, x := range terms {
		c.Targets[i] = float32(p.Forget*float64(c.Targets[i]) + x*y)
		for _, z := range terms[i:] {
			c.Moments[at] = float32(p.Forget*float64(c.Moments[at]) + x*z)
			at++
		}
	}
	c.Coefficients = c.solve(p.Ridge)
	return c
}

// solve returns the coefficients of ridge regression on the moments, by Cholesky's
// decomposition; without a ridge, zero where the moments are singular.
func (c Correction) solve(ridge float64) []float32 {
	n := len(c.Targets)
	l, x, at := make([]float64, n*n), make([]float64, n), 0
	for i := range n {
		for j := i; j < n; j++ {
			l[j*n+i] = float64(c.Moments[at])
			at++
		}
		l[i*n+i] += ridge
	}
	for j := range n {
		for k := range j {
			for i := j; i < n; i++ {
				l[i*n+j] -= l[i*n+k] * l[j*n+k]
			}
		}
		pivot := math.Sqrt(l[j*n+j])
		if !(pivot > 0) {
			return make([]float32, n)
		}
		for i := j; i < n; i++ {
			l[i*n+j] /= pivot
		}
	}
	for i := range n {
		x[i] = float64(c.Targets[i])
		for k := range i {
			x[i] -= l[i*n+k] * x[k]
		}
		x[i] /= l[i*n+i]
	}
	out := make([]float32, n)
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= l[k*n+i] * x[k]
		}
		x[i] /= l[i*n+i]
		out[i] = float32(x[i])
	}
	return out
}
