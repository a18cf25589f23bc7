package eval

import (
	"cmp"
	"math"
	"slices"

	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// wholeRun is the optimum of a run as a linear programme: in each interval a mixture
// of actions, so that the value of the run is greatest while the expected share of
// violations of each service over the run is its budget. It knows the truth, the
// loads and the distribution of the run's noise, but has no memory: who uses the last
// residual can beat it.
//
// The optimum of the programme is the least of its dual function over the prices of a
// violation (Lagrange; there is no gap, because mixtures are allowed), so no mixture
// has to be found.
type wholeRun struct {
	at []sampled // by stretch of equal loads
	n  int       // services
}

func newWholeRun(g *train.Goal, c *train.Choices, s series) *wholeRun {
	o := &oracle{goal: g, choices: c, price: make([]float64, len(g.Services))}
	for j := range g.Services {
		residuals := make([]float64, len(s.noise))
		for t, r := range s.noise {
			residuals[t] = r[j]
		}
		o.tails = append(o.tails, train.NewTail(residuals))
	}
	w := &wholeRun{n: len(g.Services)}
	eachLoad(c, s.offered, func(from, to int, corners []model.Corner) {
		w.at = append(w.at, o.lookUp(s.offered[from], corners, float64(to-from)))
	})
	return w
}

// dual is the dual function: the value of the run when violations are paid for, less
// the budget's worth of them; and its gradient.
func (w *wholeRun) dual(price, budget, gradient []float64) float64 {
	sum := 0.0
	clear(gradient)
	for _, at := range w.at {
		best, most := prospect{}, math.Inf(-1)
		for _, p := range at.prospects {
			v := p.value
			if v <= most {
				break // they are in descending order of value, and a price only takes away
			}
			for s, price := range price {
				v -= price * p.broken[s]
			}
			if v > most {
				best, most = p, v
			}
		}
		sum += at.weight * most
		for s := range gradient {
			gradient[s] += at.weight * (budget[s] - best.broken[s])
			sum += at.weight * price[s] * budget[s]
		}
	}
	return sum
}

// value is the optimum for the given budgets (by service): the dual function is convex
// in the prices, and the ellipsoid method (Shor; Yudin and Nemirovski) needs nothing
// but a gradient.
func (w *wholeRun) value(budget []float64) float64 {
	most := 0.0
	for _, at := range w.at {
		most = math.Max(most, at.prospects[0].value)
	}
	const rounds = 60 // per service: each takes a constant factor off the volume
	// A price at which one budget's worth of violations is worth all there is suffices.
	radius := most / slices.Min(budget)
	e := newEllipsoid(w.n, radius)
	best, gradient := math.Inf(1), make([]float64, w.n)
	for range rounds * w.n {
		for s, v := range e.centre {
			if clear(gradient); v < 0 { // no price is negative: cut that away first
				gradient[s] = -1
				break
			}
		}
		if slices.Min(e.centre) >= 0 {
			best = math.Min(best, w.dual(e.centre, budget, gradient))
		}
		if !e.cut(gradient) {
			break
		}
	}
	return best
}

// ellipsoid holds the set in which a minimum lies.
type ellipsoid struct {
	centre []float64
	shape  [][]float64
}

func newEllipsoid(n int, radius float64) *ellipsoid {
	e := &ellipsoid{centre: make([]float64, n), shape: make([][]float64, n)}
	for i := range n {
		e.centre[i] = radius / 2
		e.shape[i] = make([]float64, n)
		e.shape[i][i] = radius * radius * float64(n) / 4
	}
	return e
}

// cut keeps the half in which a function with this gradient at the centre is smaller.
// It reports false when there is nothing left to cut.
func (e *ellipsoid) cut(gradient []float64) bool {
	n := len(gradient)
	direction, length := make([]float64, n), 0.0
	for i, row := range e.shape {
		for j, v := range row {
			direction[i] += v * gradient[j]
		}
		length += direction[i] * gradient[i]
	}
	if !(length > 1e-18) {
		return false
	}
	length = math.Sqrt(length)
	if n == 1 { // the formula of more dimensions divides by zero
		half := math.Sqrt(e.shape[0][0]) / 2
		e.centre[0] -= direction[0] / length / 2
		e.shape[0][0] = half * half
		return true
	}
	d := float64(n)
	for i := range n {
		e.centre[i] -= direction[i] / length / (d + 1)
		for j := range n {
			e.shape[i][j] = d * d / (d*d - 1) * (e.shape[i][j] - 2/(d+1)*direction[i]*direction[j]/(length*length))
		}
	}
	return true
}

// worstWindow is the greatest share of true values in a window.
func worstWindow(broken []bool) float64 { return slices.Max(windowShares([][]bool{broken})) }

// summary is the mean and the extremes of figures.
type summary struct{ mean, least, most float64 }

func summarise(v []float64) summary {
	if len(v) == 0 {
		return summary{}
	}
	s := summary{least: slices.MinFunc(v, cmp.Compare[float64]), most: slices.MaxFunc(v, cmp.Compare[float64])}
	for _, x := range v {
		s.mean += x / float64(len(v))
	}
	return s
}
