package eval

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/windvane/windvane/sim/emulator"
)

// Reading is what the recording rules say of one service at one instant. A value
// that they would not give, or give as NaN, is NaN.
type Reading struct {
	Offered float64 // requests/s
	Carried float64 // requests/s
	Latency float64 // seconds; the meter's quantile over admitted requests
}

// Meter reads an emulator as a Prometheus with deploy/prometheus/istio.rules.yml
// would: counters sampled at each scrape, rate() and histogram_quantile() over the
// samples of the look-back, with Prometheus' arithmetic. It is for one goroutine.
type Meter struct {
	emulator *emulator.Emulator
	scrape   float64 // seconds
	quantile float64
	slots    int // samples in a look-back
	n        int // of the last scrape; its time is n*scrape

	samples [][]float64 // [scrape modulo slots][series]
	born    []int       // by series: its first scrape; -1: none
	groups  []meterGroup
	cells   []cell // of the buckets in use
	width   int    // buckets of a histogram
	bounds  []float64
	order   []string // services, as the emulator has them
}

// meterGroup is a set of labels: what its requests count as, and where its series are.
type meterGroup struct {
	service int
	blocked bool // shed: the flag FI
	failed  bool // 5xx
	total   int  // series of the counter
	bucket  int  // first series of the histogram
}

// cell is one service's histogram over all its groups.
type cell struct {
	counts []float64
	known  bool
}

// NewMeter makes a meter with the given look-back, a whole number of scrape intervals.
func NewMeter(e *emulator.Emulator, lookBack, scrape time.Duration, quantile float64) (*Meter, error) {
	if scrape <= 0 || lookBack < 2*scrape || lookBack%scrape != 0 {
		return nil, fmt.Errorf("meter: look-back %v with a scrape interval of %v; want a multiple, at least 2", lookBack, scrape)
	}
	if !(quantile > 0 && quantile < 1) {
		return nil, fmt.Errorf("meter: quantile %v; want a number between 0 and 1", quantile)
	}
	m := &Meter{emulator: e, scrape: scrape.Seconds(), quantile: quantile, slots: int(lookBack / scrape)}
	series := e.Series()
	m.born = make([]int, len(series))
	for i := range m.born {
		m.born[i] = -1
	}
	for range m.slots {
		m.samples = append(m.samples, make([]float64, len(series)))
	}
	if err := m.index(series); err != nil {
		return nil, err
	}
	for range m.order {
		m.cells = append(m.cells, cell{counts: make([]float64, m.width)})
	}
	return m, nil
}

// index finds the counters and the histograms among the series.
func (m *Meter) index(series []emulator.Series) error {
	for i, s := range series {
		switch s.Name {
		case emulator.RequestsTotal:
			m.groups = append(m.groups, m.groupOf(s, i))
		case emulator.RequestDurationBase + "_bucket":
			if len(m.groups) == 0 {
				return fmt.Errorf("meter: series %d is a bucket before any counter", i)
			}
			g := &m.groups[len(m.groups)-1]
			if g.bucket == 0 {
				g.bucket = i
			}
			if len(m.groups) > 1 {
				continue
			}
			le, err := strconv.ParseFloat(labelOf(s, "le"), 64)
			if err != nil {
				return fmt.Errorf("meter: series %d: %w", i, err)
			}
			m.bounds = append(m.bounds, le)
		}
	}
	m.width = len(m.bounds)
	return nil
}

func (m *Meter) groupOf(s emulator.Series, at int) meterGroup {
	name := labelOf(s, "destination_service_name")
	if n := len(m.order); n == 0 || m.order[n-1] != name {
		m.order = append(m.order, name)
	}
	return meterGroup{
		service: len(m.order) - 1,
		blocked: labelOf(s, "response_flags") == "FI",
		failed:  strings.HasPrefix(labelOf(s, "response_code"), "5"),
		total:   at,
	}
}

func labelOf(s emulator.Series, name string) string {
	for _, l := range s.Labels {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// Services returns the services in the order of the readings.
func (m *Meter) Services() []string { return m.order }

// Now returns the time of the last scrape, in seconds.
func (m *Meter) Now() float64 { return float64(m.n) * m.scrape }

// Skip lets the emulator run to the scrape at or before the given time without reading it.
func (m *Meter) Skip(to float64) {
	m.n = int(to/m.scrape + 1e-9)
	m.emulator.Advance(m.Now())
}

// Advance lets one look-back pass, scraping, and writes what the rules say at its
// end into out, by service.
func (m *Meter) Advance(out []Reading) {
	for range m.slots {
		m.n++
		m.emulator.Advance(m.Now())
		row := m.samples[m.n%m.slots]
		m.emulator.Collect(func(series int, value float64) {
			row[series] = value
			if m.born[series] < 0 {
				m.born[series] = m.n
			}
		})
	}
	m.read(out)
}

// rate is Prometheus' rate() of a series over the look-back, and whether it has one.
func (m *Meter) rate(series int) (float64, bool) {
	born := m.born[series]
	first := max(born, m.n-m.slots+1)
	if born < 0 || first >= m.n {
		return 0, false
	}
	from := m.samples[first%m.slots][series]
	increase := m.samples[m.n%m.slots][series] - from
	sampled := float64(m.n-first) * m.scrape
	start := float64(first-(m.n-m.slots)) * m.scrape
	if start >= 1.1*m.scrape {
		start = m.scrape / 2
	}
	// A counter is not extrapolated to below zero.
	if increase > 0 {
		start = math.Min(start, sampled*(from/increase))
	}
	return increase * ((sampled + start) / sampled / (float64(m.slots) * m.scrape)), true
}

func (m *Meter) read(out []Reading) {
	for i := range m.order {
		out[i] = Reading{math.NaN(), math.NaN(), math.NaN()}
		clear(m.cells[i].counts)
		m.cells[i].known = false
	}
	for _, g := range m.groups {
		v, ok := m.rate(g.total)
		if !ok {
			continue
		}
		r, c := &out[g.service], &m.cells[g.service]
		add(&r.Offered, v)
		if g.blocked {
			continue
		}
		if !g.failed {
			add(&r.Carried, v)
		}
		c.known = true
		for b := range c.counts {
			v, _ := m.rate(g.bucket + b)
			c.counts[b] += v
		}
	}
	for i := range m.order {
		r := &out[i]
		// Something is offered and nothing is carried yet: that is 0.
		if math.IsNaN(r.Carried) && !math.IsNaN(r.Offered) {
			r.Carried = 0
		}
		if m.cells[i].known {
			r.Latency = quantileOf(m.quantile, m.bounds, m.cells[i].counts) / 1000
		}
	}
}

func add(to *float64, v float64) {
	if math.IsNaN(*to) {
		*to = 0
	}
	*to += v
}

// quantileOf is Prometheus' histogram_quantile() of cumulative counts; the last
// bound is +Inf. It smooths the counts in place.
func quantileOf(q float64, bounds, counts []float64) float64 {
	last := len(counts) - 1
	for i := 1; i <= last; i++ {
		const tolerance = 1e-12 // differences below are rounding
		if d := counts[i] - counts[i-1]; d < 0 || d <= tolerance*(counts[i]+counts[i-1]) {
			counts[i] = counts[i-1]
		}
	}
	if last < 1 || counts[last] == 0 {
		return math.NaN()
	}
	rank, b := q*counts[last], 0
	for b < last && counts[b] < rank {
		b++
	}
	if b == last {
		return bounds[last-1]
	}
	low, below := 0.0, 0.0
	if b > 0 {
		low, below = bounds[b-1], counts[b-1]
	}
	return low + (bounds[b]-low)*((rank-below)/(counts[b]-below))
}
