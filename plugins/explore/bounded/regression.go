package bounded

import "math"

// The regression is linear in the flows that the objective's service meets, each with
// bends: queues grow slowly at first and then fast. Flows are in parts of the largest seen.
var bends = [...]float64{0, .3, .5, .7, .85}

const (
	priorSpread = 1.5 // of a coefficient
	priorNoise  = .2  // of the distance in one interval, standard deviation
	priorRows   = 5   // that the prior of the noise is worth
)

// regression is Bayesian, for one objective: of its signal's distance from the bound, which
// it knows with a standard deviation.
type regression struct {
	objective
	flows []int     // that it is about
	scale []float64 // of those
	root  []float64 // Cholesky factor of the scaled precision, lower, by row
	mean  []float64
	noise float64   // standard deviation of one interval
	x, z  []float64 // of the point looked at last
}

// model has the regressions of all objectives.
type model struct {
	flows flows
	at    []regression
	flow  []float64 // of the point looked at last
}

func newModel(f flows, rows []Row, objectives []objective) *model {
	m := &model{flows: f, flow: make([]float64, f.len())}
	n := f.len()
	all, most := make([]float64, n*len(rows)), make([]float64, n)
	for i, r := range rows {
		f.fill(all[i*n:(i+1)*n], r.Settings, r.Offered)
		for k, v := range all[i*n : (i+1)*n] {
			most[k] = math.Max(most[k], v)
		}
	}
	for k, o := range objectives {
		r := regression{objective: o, flows: f.of(o.service)}
		for _, i := range r.flows {
			r.scale = append(r.scale, most[i])
		}
		r.fit(rows, k, all, n)
		m.at = append(m.at, r)
	}
	return m
}

// fit fits the k-th objective to the rows that say something of their settings; all has
// their flows, n each.
func (r *regression) fit(rows []Row, k int, all []float64, n int) {
	size := 1 + len(bends)*len(r.flows)
	r.x, r.z = make([]float64, size), make([]float64, size)
	gram, right := make([]float64, size*size), make([]float64, size)
	var design, target []float64
	for i := range rows {
		y, ok := r.distance(rows[i].Signals[k])
		if !ok || rows[i].Queue {
			continue
		}
		r.fill(all[i*n : (i+1)*n])
		design, target = append(design, r.x...), append(target, y)
		for a, v := range r.x {
			right[a] += v * y
			for c := 0; c <= a; c++ {
				gram[a*size+c] += v * r.x[c]
			}
		}
	}
	r.noise = priorNoise
	for range 2 { // with the prior's noise, and with the one that shows then
		r.root, r.mean = append(r.root[:0], gram...), append(r.mean[:0], right...)
		for a := range size {
			r.root[a*size+a] += r.noise * r.noise / (priorSpread * priorSpread)
		}
		cholesky(r.root, size)
		forward(r.root, r.mean)
		backward(r.root, r.mean)
		sum := priorRows * priorNoise * priorNoise
		for i, y := range target {
			d := y - dot(r.mean, design[i*size:(i+1)*size])
			sum += d * d
		}
		r.noise = math.Sqrt(sum / float64(priorRows+len(target)))
	}
}

// fill writes the terms of a point with these flows into x.
func (r *regression) fill(flow []float64) {
	r.x[0] = 1
	for i, f := range r.flows {
		v := 0.0
		if r.scale[i] > 0 {
			v = flow[f] / r.scale[i]
		}
		for j, bend := range bends {
			r.x[1+len(bends)*i+j] = math.Max(0, v-bend)
		}
	}
}

// look has the next questions be about a point.
func (m *model) look(settings, offered []float64) {
	m.flows.fill(m.flow, settings, offered)
	for k := range m.at {
		m.at[k].fill(m.flow)
	}
}

// ask is the mean of the distance at the point looked at, and the standard deviation of
// that mean.
func (r *regression) ask() (mean, spread float64) {
	copy(r.z, r.x)
	forward(r.root, r.z)
	return dot(r.mean, r.x), r.noise * math.Sqrt(dot(r.z, r.z))
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// cholesky replaces the lower triangle of a positive definite matrix by its factor.
func cholesky(m []float64, n int) {
	for j := range n {
		for i := j; i < n; i++ {
			v := m[i*n+j] - dot(m[i*n:i*n+j], m[j*n:j*n+j])
			if i == j {
				m[j*n+j] = math.Sqrt(math.Max(v, 1e-12))
			} else {
				m[i*n+j] = v / m[j*n+j]
			}
		}
	}
}

// forward solves root x = v in place.
func forward(root, v []float64) {
	n := len(v)
	for i := range v {
		v[i] = (v[i] - dot(root[i*n:i*n+i], v[:i])) / root[i*n+i]
	}
}

// backward solves the transposed system in place.
func backward(root, v []float64) {
	n := len(v)
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			v[i] -= root[k*n+i] * v[k]
		}
		v[i] /= root[i*n+i]
	}
}
