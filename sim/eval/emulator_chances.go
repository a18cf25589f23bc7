package eval

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
)

// chances are how likely each service is above its bound in an interval, by the
// emulator itself at fixed settings. Blocking thins a Poisson process, which leaves one:
// what is measured of the admitted requests depends on the settings and on the admitted
// loads alone, so these are the cells, and the chance at a blocked load is read off
// them. With callers that try again that does not hold, and there is no oracle.
type chances struct {
	routes []policy.Action // every setting but blocking; its knobs are at 0
	levels [][]float64     // by service of the rules: admitted loads, ascending, requests/s
	// above is the chance by [capacity][route][cell][service], monotone in the loads;
	// cells count with the last service's load varying fastest.
	above     [][][][]float64
	latency   [][][][]float64 // mean of the logarithm of the latency (seconds), in the same order
	intervals int             // that were emulated
}

// The sampling of the chances.
const (
	chanceLevels = 10    // of a service's admitted load
	chanceFirst  = 100   // intervals in every cell
	chanceMore   = 300   // where some of those were above a bound, and not nearly all
	chanceAll    = .6    // nearly all
	mostCells    = 20000 // with more there is no oracle
)

// The capacities that a scenario has.
const (
	wholeMesh = iota
	faultyMesh
	capacities
)

// cell writes the admitted loads of a cell.
func (c *chances) cell(index int, out []float64) {
	for s, levels := range slices.Backward(c.levels) {
		out[s] = levels[index%len(levels)]
		index /= len(levels)
	}
}

func (c *chances) cells() int {
	n := 1
	for _, l := range c.levels {
		n *= len(l)
	}
	return n
}

// newChances lists what would have to be sampled, nil where that is too much.
func (e *emulation) newChances() *chances {
	c := &chances{}
	routes, size := e.routes(), 1
	for i := range e.services {
		r := e.Graph.Loads[e.wiring.services[i]]
		low, high := r.Least*(1-e.mostBlocked(i)), growth*r.Most
		levels := make([]float64, chanceLevels)
		for k := range levels {
			levels[k] = low + (high-low)*float64(k)/(chanceLevels-1)
		}
		c.levels = append(c.levels, levels)
		if size *= chanceLevels; size*len(routes)*capacities > mostCells {
			return nil
		}
	}
	if e.Graph.Retried() {
		return nil
	}
	c.routes = routes
	for range capacities {
		above, latency := make([][][]float64, len(routes)), make([][][]float64, len(routes))
		for r := range routes {
			above[r], latency[r] = make([][]float64, size), make([][]float64, size)
		}
		c.above, c.latency = append(c.above, above), append(c.latency, latency)
	}
	return c
}

// routes are the products of all axes but blocking; nil where there are too many.
func (e *emulation) routes() []policy.Action {
	out := []policy.Action{e.action(make([]float64, len(e.knobs)))}
	for _, axis := range e.axes {
		if e.knobs[axis.First].Kind == policy.Blocking {
			continue
		}
		var next []policy.Action
		for _, a := range out {
			for _, values := range axis.Values {
				b := a.Clone()
				for k, v := range values {
					b[axis.First+k].Value = v
				}
				next = append(next, b)
			}
		}
		if out = next; len(out) > mostCells {
			return out
		}
	}
	return out
}

// mostBlocked is the largest share of a service's load that may be refused.
func (e *emulation) mostBlocked(service int) float64 {
	for _, k := range e.knobs {
		if k.Kind == policy.Blocking && k.Service == e.services[service].Name {
			return k.Max
		}
	}
	return 0
}

// measure samples every cell, each with requests of its own. A route at one capacity
// is one job.
func (e *emulation) measure(ctx context.Context, c *chances) error {
	jobs := len(c.routes) * capacities
	counts := make([]int, jobs)
	err := e.each(ctx, "sampling the oracle's chances, route", jobs, func(i int) error {
		var err error
		counts[i], err = e.measureRoute(ctx, c, i%capacities, i/capacities)
		return err
	})
	for _, n := range counts {
		c.intervals += n
	}
	return err
}

func (e *emulation) measureRoute(ctx context.Context, c *chances, capacity, route int) (int, error) {
	at, latency, sum := c.above[capacity][route], c.latency[capacity][route], 0
	loads := make([]float64, len(c.levels))
	for cell := range at {
		if ctx.Err() != nil {
			return sum, ctx.Err()
		}
		c.cell(cell, loads)
		if below := c.hopeless(at, cell); below >= 0 {
			at[cell], latency[cell] = at[below], latency[below]
			continue
		}
		seed := rand.New(rand.NewPCG(e.Seed, streamOracle+uint64(capacity+capacities*(route+len(c.routes)*cell))<<8)).Uint64()
		m, err := e.newCell(c.routes[route], capacity, loads, seed)
		if err != nil {
			return sum, err
		}
		m.run(chanceFirst)
		if m.undecided() {
			m.run(chanceMore)
		}
		at[cell], latency[cell] = m.means()
		sum += m.intervals
	}
	c.monotone(at)
	c.monotone(latency)
	return sum, nil
}

// hopeless is the cell below one in which every service is above its bound nearly
// always, so that it is so in this one; -1 where there is none.
func (c *chances) hopeless(at [][]float64, cell int) int {
	stride := 1
	for _, levels := range slices.Backward(c.levels) {
		if cell/stride%len(levels) > 0 && slices.Min(at[cell-stride]) > .97 {
			return cell - stride
		}
		stride *= len(levels)
	}
	return -1
}

// monotone makes the chances grow with each load: the mean of the greatest of all cells
// with less load and the least of all with more. Sampling errors of neighbours so even
// out, and no lucky cell stands alone for an optimum to find.
func (c *chances) monotone(at [][]float64) {
	n := len(c.levels)
	envelope := func(step func(i int) int, pick func(a, b float64) float64) [][]float64 {
		out := make([][]float64, len(at))
		for i := range at {
			cell := step(i)
			out[cell] = slices.Clone(at[cell])
			stride := 1
			for _, levels := range slices.Backward(c.levels) {
				size, position := len(levels), cell/stride%len(levels)
				for _, by := range []int{-1, 1} {
					if p := position + by; p >= 0 && p < size && out[cell+by*stride] != nil {
						for k, v := range out[cell+by*stride] {
							out[cell][k] = pick(out[cell][k], v)
						}
					}
				}
				stride *= size
			}
		}
		return out
	}
	up := envelope(func(i int) int { return i }, math.Max)
	down := envelope(func(i int) int { return len(at) - 1 - i }, math.Min)
	for i := range at {
		at[i] = make([]float64, n)
		for s := range at[i] {
			at[i][s] = (up[i][s] + down[i][s]) / 2
		}
	}
}

// cellRun is one emulator at fixed settings and loads.
type cellRun struct {
	meter     *Meter
	bounds    []float64 // by service of the rules
	at        []int     // service of the graph
	readings  []Reading
	broken    []int
	known     []int
	logs      []float64 // sum of the logarithms of the latency
	intervals int
}

func (e *emulation) newCell(route policy.Action, capacity int, loads []float64, seed uint64) (*cellRun, error) {
	g := e.mesh
	g.Services = append([]emulator.Service(nil), g.Services...)
	for i := range g.Services {
		g.Services[i].Load = load.Constant(0)
	}
	for i, l := range loads {
		g.Services[e.wiring.services[i]].Load = load.Constant(l)
	}
	if capacity == faultyMesh {
		fault := e.Graph.Fault
		fault.To = math.Inf(1)
		g.Faults = []emulator.Fault{fault}
	}
	initial, err := Settings(g, e.Rules, route)
	if err != nil {
		return nil, err
	}
	em, err := emulator.New(emulator.Options{Graph: g, Seed: seed, Initial: initial})
	if err != nil {
		return nil, err
	}
	m := &cellRun{at: e.wiring.services, bounds: e.goal.Bound, readings: make([]Reading, len(g.Services)), broken: make([]int, len(loads)), known: make([]int, len(loads)), logs: make([]float64, len(loads))}
	if m.meter, err = NewMeter(em, e.Rules.Interval, e.Graph.Scrape, emulatorQuantile); err != nil {
		return nil, err
	}
	m.meter.Skip(2 * e.Rules.Interval.Seconds())
	return m, nil
}

func (m *cellRun) run(intervals int) {
	for range intervals {
		m.meter.Advance(m.readings)
		m.intervals++
		for s, at := range m.at {
			v := m.readings[at].Latency
			if math.IsNaN(v) {
				continue
			}
			m.known[s]++
			m.logs[s] += math.Log(math.Max(v, leastLatency))
			if v > m.bounds[s] {
				m.broken[s]++
			}
		}
	}
}

func (m *cellRun) undecided() bool {
	some, all := false, true
	for s, n := range m.broken {
		some = some || n > 0
		all = all && float64(n) > chanceAll*float64(m.known[s])
	}
	return some && !all
}

// leastLatency is the least that is told from none, in seconds.
const leastLatency = 1e-4

// means are the chances and the mean logarithms of the latency, by service.
func (m *cellRun) means() (above, latency []float64) {
	for s, n := range m.broken {
		above = append(above, ratio(float64(n), m.known[s]))
		log := math.Log(leastLatency) // nobody asks for a service without requests
		if m.known[s] > 0 {
			log = m.logs[s] / float64(m.known[s])
		}
		latency = append(latency, log)
	}
	return above, latency
}

// corners calls f with the cells around admitted loads and their shares, which sum to 1.
// Beyond the levels the nearest counts.
func (c *chances) corners(loads []float64, f func(cell int, share float64)) {
	for corner := range 1 << len(c.levels) {
		cell, share, stride := 0, 1., 1
		for s, levels := range slices.Backward(c.levels) {
			step := levels[1] - levels[0]
			x := math.Max(0, math.Min(float64(len(levels)-1), (loads[s]-levels[0])/step))
			low := min(int(x), len(levels)-2)
			if part := x - float64(low); corner>>s&1 == 1 {
				cell, share = cell+(low+1)*stride, share*part
			} else {
				cell, share = cell+low*stride, share*(1-part)
			}
			stride *= len(levels)
		}
		if share > 0 {
			f(cell, share)
		}
	}
}

// at interpolates the chances of a route at admitted loads: multilinear in the normal
// quantile, in which a chance is nearly linear in the load; it is 0 only where it is at
// every corner.
func (c *chances) at(out []float64, capacity, route int, loads []float64) {
	cells := c.above[capacity][route]
	zero := make([]bool, len(out))
	for s := range out {
		out[s], zero[s] = 0, true
	}
	c.corners(loads, func(cell int, share float64) {
		for s, p := range cells[cell] {
			zero[s] = zero[s] && p == 0
			out[s] += share * probit(p)
		}
	})
	for s, z := range out {
		if out[s] = math.Erfc(-z/math.Sqrt2) / 2; zero[s] {
			out[s] = 0
		}
	}
}

// probit is the normal quantile of a chance, which is never quite 0 or 1: no more than
// half an interval of the sample is known.
func probit(p float64) float64 {
	const least = .5 / (chanceFirst + chanceMore)
	p = math.Max(least, math.Min(1-least, p))
	return math.Sqrt2 * math.Erfinv(2*p-1)
}
