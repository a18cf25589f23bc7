package emulator

import (
	"slices"
	"strconv"
)

// The names of Istio's standard metrics that the emulator exposes
// (istio.io/latest/docs/reference/config/metrics).
const (
	RequestsTotal       = "istio_requests_total"
	RequestDurationBase = "istio_request_duration_milliseconds" // + _bucket, _sum, _count
)

// istioBounds are the bounds of Istio's histograms, in milliseconds.
var istioBounds = []float64{
	.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
}

// Label is a label of a series.
type Label struct{ Name, Value string }

// Series names a series, as a scraped proxy would show it.
type Series struct {
	Name   string
	Labels []Label
}

// metrics are Istio's counters, as the callers' proxies report them.
type metrics struct {
	bounds []float64
	series []Series
	groups []group
	first  []int // per service: its first group, that of blocked requests
}

// group is what shares one set of labels: a counter and a histogram.
type group struct {
	count   uint64
	sum     float64  // milliseconds
	buckets []uint64 // not cumulative; the last is +Inf
}

func newMetrics(g Graph) metrics {
	m := metrics{bounds: slices.Concat(istioBounds, g.BucketBounds)}
	slices.Sort(m.bounds)
	m.bounds = slices.Compact(m.bounds)
	for _, s := range g.Services {
		m.first = append(m.first, len(m.groups))
		// The proxy refuses before it picks an upstream, so no version is known.
		m.addGroup(s.Name, "unknown", "429", "FI")
		for _, d := range s.Destinations {
			m.addGroup(s.Name, d.Name, "200", "-")
			m.addGroup(s.Name, d.Name, "504", "UT")
		}
	}
	return m
}

func (m *metrics) addGroup(service, version, code, flags string) {
	m.groups = append(m.groups, group{buckets: make([]uint64, len(m.bounds)+1)})
	labels := []Label{
		{"reporter", "source"},
		{"destination_service_name", service},
		{"destination_service_namespace", "default"},
		{"destination_version", version},
		{"request_protocol", "http"},
		{"response_code", code},
		{"response_flags", flags},
	}
	m.series = append(m.series, Series{Name: RequestsTotal, Labels: labels})
	for _, b := range m.bounds {
		le := Label{"le", strconv.FormatFloat(b, 'f', -1, 64)}
		m.series = append(m.series, Series{Name: RequestDurationBase + "_bucket", Labels: append(slices.Clip(labels), le)})
	}
	m.series = append(m.series,
		Series{Name: RequestDurationBase + "_bucket", Labels: append(slices.Clip(labels), Label{"le", "+Inf"})},
		Series{Name: RequestDurationBase + "_sum", Labels: labels},
		Series{Name: RequestDurationBase + "_count", Labels: labels})
}

func (m *metrics) blocked(service int) { m.observe(m.first[service], 0) }

func (m *metrics) answered(service, destination int, milliseconds float64, timedOut bool) {
	g := m.first[service] + 1 + 2*destination
	if timedOut {
		g++
	}
	m.observe(g, milliseconds)
}

func (m *metrics) observe(i int, milliseconds float64) {
	g := &m.groups[i]
	g.count++
	g.sum += milliseconds
	b := 0
	for b < len(m.bounds) && milliseconds > m.bounds[b] {
		b++
	}
	g.buckets[b]++
}

// Series lists every series that Collect may report, by its number. The caller must not change it.
func (e *Emulator) Series() []Series { return e.metrics.series }

// Collect reports the present value of each series that exists by its number in
// Series. As in a proxy, the series of a set of labels exist from its first
// request on.
func (e *Emulator) Collect(report func(series int, value float64)) {
	per := len(e.metrics.bounds) + 4
	for i := range e.metrics.groups {
		g := &e.metrics.groups[i]
		if g.count == 0 {
			continue
		}
		at := i * per
		report(at, float64(g.count))
		below := uint64(0)
		for _, n := range g.buckets {
			at++
			below += n
			report(at, float64(below))
		}
		report(at+1, g.sum)
		report(at+2, float64(g.count))
	}
}
