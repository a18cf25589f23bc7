package nn

import "math"

// Adam is the optimiser of Kingma and Ba (2015), with its bias corrections.
type Adam struct {
	Beta1, Beta2, Epsilon float64

	first, second []float32
	steps         int
}

// NewAdam returns an optimiser of that many parameters. Epsilon is 1e-5, as in the
// published implementations of PPO.
func NewAdam(params int) *Adam {
	return &Adam{Beta1: .9, Beta2: .999, Epsilon: 1e-5, first: make([]float32, params), second: make([]float32, params)}
}

// State returns what the optimiser remembers, for a checkpoint. The slices are its own.
func (a *Adam) State() (first, second []float32, steps int) { return a.first, a.second, a.steps }

// Restore puts back what State returned; it reports whether that is of as many
// parameters.
func (a *Adam) Restore(first, second []float32, steps int) bool {
	if len(first) != len(a.first) || len(second) != len(a.second) || steps < 0 {
		return false
	}
	copy(a.first, first)
	copy(a.second, second)
	a.steps = steps
	return true
}

// Step moves the parameters against the gradient.
func (a *Adam) Step(params, gradient []float32, rate float64) {
	a.steps++
	c1 := 1 - math.Pow(a.Beta1, float64(a.steps))
	c2 := math.Sqrt(1 - math.Pow(a.Beta2, float64(a.steps)))
	// params -= rate * (first/c1) / (sqrt(second)/c2 + epsilon)
	step, epsilon := float32(rate*c2/c1), float32(a.Epsilon*c2)
	b1, b2 := float32(a.Beta1), float32(a.Beta2)
	first, second, gradient := a.first[:len(params)], a.second[:len(params)], gradient[:len(params)]
	for i := range params {
		g := gradient[i]
		m := b1*first[i] + (1-b1)*g
		v := b2*second[i] + (1-b2)*g*g
		first[i], second[i] = m, v
		params[i] -= step * m / (float32(math.Sqrt(float64(v))) + epsilon)
	}
}

// Clip scales gradients so that their common norm is at most most, and returns the
// norm that they had.
func Clip(most float64, gradients ...[]float32) float64 {
	sum := 0.
	for _, g := range gradients {
		sum += square(g)
	}
	norm := math.Sqrt(sum)
	if !(norm > most) {
		return norm
	}
	scale := float32(most / norm)
	for _, g := range gradients {
		for i := range g {
			g[i] *= scale
		}
	}
	return norm
}

func square(g []float32) float64 {
	var s0, s1, s2, s3 float32
	for len(g) >= 4 {
		s0 += g[0] * g[0]
		s1 += g[1] * g[1]
		s2 += g[2] * g[2]
		s3 += g[3] * g[3]
		g = g[4:]
	}
	for _, v := range g {
		s0 += v * v
	}
	return float64(s0) + float64(s1) + float64(s2) + float64(s3)
}
