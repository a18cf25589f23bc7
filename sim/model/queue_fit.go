package model

import (
	"math"
	"slices"

	"github.com/windvane/windvane/sim/dataset"
)

// queueProblem is the least squares problem behind FitQueue.
type queueProblem struct {
	law      *queueLaw
	rows     [][]float64 // settings, then offered loads
	measured [][]float64 // logarithm of each service's latency; NaN: unknown
	capacity []float64
	center   []float64 // of the parameters' logarithms
}

// queueRows are the most rows that are fitted.
const queueRows = 1500

// huber is the error, of the logarithm, beyond which a row counts in proportion only.
const huber = .15

// priorWeight is that of a parameter's squared distance from where it started: what
// the data do not tell stays there.
const priorWeight = .02

func (l *queueLaw) problem(d *dataset.Dataset) *queueProblem {
	p := &queueProblem{law: l, capacity: slices.Repeat([]float64{1}, len(l.parts)+1)}
	rows := slices.DeleteFunc(knownLoads(d), func(row int) bool {
		return !slices.ContainsFunc(d.Latency, func(c []float64) bool { return c[row] > 0 })
	})
	for i := range min(len(rows), queueRows) {
		row := rows[i*len(rows)/min(len(rows), queueRows)]
		var x, y []float64
		for _, c := range d.Settings {
			x = append(x, c[row])
		}
		for s, c := range d.Offered {
			x = append(x, c[row])
			v := math.NaN()
			if d.Latency[s][row] > 0 {
				v = math.Log(d.Latency[s][row])
			}
			y = append(y, v)
		}
		p.rows, p.measured = append(p.rows, x), append(p.measured, y)
	}
	return p
}

// every returns the problem with one of so many rows.
func (p *queueProblem) every(n int) *queueProblem {
	out := &queueProblem{law: p.law, capacity: p.capacity}
	for i := 0; i < len(p.rows); i += n {
		out.rows, out.measured = append(out.rows, p.rows[i]), append(out.measured, p.measured[i])
	}
	return out
}

// prior is where the fit starts and what it is drawn to: the utilisation of each queue
// at the most of its flow in the data is as given.
func (l *queueLaw) prior(p *queueProblem, utilisation float64) []float64 {
	theta := make([]float64, l.size)
	flow, all := make([]float64, len(l.parts)), 0.0
	for _, x := range p.rows {
		of, total := make([]float64, len(l.parts)), 0.0
		for _, r := range l.routes {
			a := x[l.settings+r.service] * r.share(x)
			if b := l.blocking[r.service]; b >= 0 {
				a *= 1 - x[b]
			}
			of[r.part] += a
			total += a
		}
		all = max(all, total)
		for q, v := range of {
			flow[q] = max(flow[q], v)
		}
	}
	for i, r := range l.routes {
		theta[ofRoute*i] = math.Log(p.quantile(r.service, .2))
		theta[ofRoute*i+1] = math.Log(.5)
		theta[ofRoute*i+2] = math.Log(utilisation / max(flow[r.part], 1e-9))
	}
	for s := range l.services {
		most := 0.0
		for _, x := range p.rows {
			most = max(most, x[l.settings+s])
		}
		at := theta[l.serviceAt(s):]
		at[0], at[1] = math.Log(.1), math.Log(.5/max(all, 1e-9))
		at[2], at[3] = math.Log(3), math.Log(.3)
		at[4], at[5] = math.Log(2*p.quantile(s, 1)), math.Log(2*max(most, 1e-9))
	}
	p.center = slices.Clone(theta)
	return theta
}

// quantile is that of a service's latency.
func (p *queueProblem) quantile(service int, q float64) float64 {
	var v []float64
	for _, y := range p.measured {
		if !math.IsNaN(y[service]) {
			v = append(v, y[service])
		}
	}
	if len(v) == 0 {
		return 1
	}
	slices.Sort(v)
	return math.Exp(v[int(q*float64(len(v)-1))])
}

// residuals writes measured - predicted, 0 where unknown.
func (p *queueProblem) residuals(out, theta []float64) {
	values := exponentials(theta)
	n := p.law.services
	for i, x := range p.rows {
		at := out[i*n : (i+1)*n]
		p.law.latency(at, values, p.capacity, x[:p.law.settings], x[p.law.settings:])
		for s, y := range p.measured[i] {
			if at[s] = y - at[s]; math.IsNaN(at[s]) {
				at[s] = 0
			}
		}
	}
}

func (p *queueProblem) cost(residuals, theta []float64) float64 {
	sum := 0.0
	for _, r := range residuals {
		if a := math.Abs(r); a > huber {
			sum += huber * (2*a - huber)
		} else {
			sum += r * r
		}
	}
	for i, v := range theta {
		sum += priorWeight * (v - p.center[i]) * (v - p.center[i])
	}
	return sum
}

// descend improves theta by Levenberg's and Marquardt's method, rows reweighted by
// their error (Huber), and returns the cost reached.
func (p *queueProblem) descend(theta []float64, most int) float64 {
	n := len(theta)
	now, next := make([]float64, len(p.rows)*p.law.services), make([]float64, len(p.rows)*p.law.services)
	jacobian := make([][]float64, n)
	p.residuals(now, theta)
	cost, damping := p.cost(now, theta), 1e-2
	for range most {
		parallel(n, func(i int) { jacobian[i] = p.slope(now, theta, i) })
		normal, gradient := p.normal(jacobian, now, theta)
		improved := false
		for range 8 {
			step := solveDamped(normal, gradient, damping)
			trial := slices.Clone(theta)
			for i, v := range step {
				trial[i] += max(-1, min(1, v))
			}
			p.residuals(next, trial)
			if c := p.cost(next, trial); c < cost {
				improved = cost-c > 1e-6*cost
				cost, damping = c, damping/3
				copy(theta, trial)
				now, next = next, now
				break
			}
			damping *= 4
		}
		if !improved {
			break
		}
	}
	return cost
}

// slope is the derivative of the prediction with respect to one parameter.
func (p *queueProblem) slope(now, theta []float64, i int) []float64 {
	const h = 1e-5
	moved, out := slices.Clone(theta), make([]float64, len(now))
	moved[i] += h
	p.residuals(out, moved)
	for row := range out {
		out[row] = (now[row] - out[row]) / h
	}
	return out
}

// normal returns the normal equations, rows weighted.
func (p *queueProblem) normal(jacobian [][]float64, residuals, theta []float64) (matrix [][]float64, gradient []float64) {
	n := len(jacobian)
	matrix, gradient = make([][]float64, n), make([]float64, n)
	weight := make([]float64, len(residuals))
	for row, r := range residuals {
		weight[row] = huber / max(huber, math.Abs(r))
	}
	parallel(n, func(i int) {
		matrix[i] = make([]float64, i+1)
		for row, d := range jacobian[i] {
			d *= weight[row]
			gradient[i] += d * residuals[row]
			for j := range matrix[i] {
				matrix[i][j] += d * jacobian[j][row]
			}
		}
		matrix[i][i] += priorWeight
		gradient[i] -= priorWeight * (theta[i] - p.center[i])
	})
	return matrix, gradient
}

// solveDamped solves (A + damping diag(A)) x = b by Cholesky's decomposition; A is
// positive definite, given by its lower triangle.
func solveDamped(a [][]float64, b []float64, damping float64) []float64 {
	n := len(b)
	l, x := make([][]float64, n), slices.Clone(b)
	for i := range n {
		l[i] = slices.Clone(a[i])
		l[i][i] *= 1 + damping
		for j := range i + 1 {
			for k := range j {
				l[i][j] -= l[i][k] * l[j][k]
			}
			if j < i {
				l[i][j] /= l[j][j]
			}
		}
		l[i][i] = math.Sqrt(max(l[i][i], 1e-12))
	}
	for i := range n {
		for k := range i {
			x[i] -= l[i][k] * x[k]
		}
		x[i] /= l[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= l[k][i] * x[k]
		}
		x[i] /= l[i][i]
	}
	return x
}
