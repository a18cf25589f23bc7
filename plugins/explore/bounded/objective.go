package bounded

import (
	"math"

	"github.com/windvane/windvane/plugins/policy"
)

// objective is one promise, with whose it is.
type objective struct {
	policy.Objective
	service int
	name    string // of the service
}

func objectivesOf(services []policy.Service) []objective {
	var out []objective
	for i, s := range services {
		for _, o := range s.Objectives {
			out = append(out, objective{o, i, s.Name})
		}
	}
	return out
}

// A signal's distance is the logarithm of it over its bound, or its budget where it is a
// ratio. What is further off than these counts as no further: how much slower than its
// bound a service becomes is the business of timeouts.
const (
	farBelow = -1.
	farAbove = .7
)

// distance is that of a signal; false: the signal is not known.
func (o objective) distance(signal float64) (float64, bool) {
	scale := o.Bound
	if o.Kind == policy.RatioObjective {
		scale = o.Budget
	}
	if math.IsNaN(signal) || !(scale > 0) {
		return 0, false
	}
	return math.Max(farBelow, math.Min(farAbove, math.Log(math.Max(signal, 0)/scale))), true
}

// measured is the error of an interval, 0 to 1; false: the signal is not known.
func (o objective) measured(signal float64) (float64, bool) {
	switch {
	case math.IsNaN(signal):
		return 0, false
	case o.Kind == policy.RatioObjective:
		return math.Max(0, math.Min(1, signal)), true
	case signal > o.Bound:
		return 1, true
	}
	return 0, true
}

// expected is the mean error where the distance has a mean and a standard deviation.
func (o objective) expected(mean, spread float64) float64 {
	if o.Kind == policy.RatioObjective {
		return math.Min(1, o.Budget*math.Exp(mean+spread*spread/2))
	}
	return math.Erfc(-mean/spread/math.Sqrt2) / 2
}
