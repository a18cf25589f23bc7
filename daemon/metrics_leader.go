package daemon

import "github.com/prometheus/client_golang/prometheus"

// leaderMetrics tell of several daemons with one lease the one that acts; read when they are
// asked for. Without a lease there are none.
type leaderMetrics struct{ lease *sharedLease }

var (
	descLeader      = describe("windvane_leader", "Whether this daemon holds the lease, and may write.", "lease")
	descTransitions = describe("windvane_leader_transitions_total", "Times that this daemon began to hold the lease: also again, after it could not renew it in time.", "lease")
)

// register has the registry tell of the lease, if there is one.
func (s *sharedLease) register(r prometheus.Registerer) {
	if s != nil {
		r.MustRegister(leaderMetrics{s})
	}
}

// Describe implements prometheus.Collector.
func (m leaderMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- descLeader
	ch <- descTransitions
}

// Collect implements prometheus.Collector.
func (m leaderMetrics) Collect(ch chan<- prometheus.Metric) {
	name := m.lease.lease.Namespace + "/" + m.lease.lease.Name
	term, held := m.lease.Term()
	ch <- prometheus.MustNewConstMetric(descLeader, prometheus.GaugeValue, is(held), name)
	ch <- prometheus.MustNewConstMetric(descTransitions, prometheus.CounterValue, float64(term), name)
}
