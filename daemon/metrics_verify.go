package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/verify"
)

// verifyMetrics say whether meshes follow, and what follows from it.
type verifyMetrics struct {
	services  *prometheus.GaugeVec   // mesh, verdict
	harm      *prometheus.GaugeVec   // mesh
	reverts   *prometheus.CounterVec // mesh
	demotions *prometheus.CounterVec // mesh
}

func newVerifyMetrics(counter func(name, help string, labels ...string) *prometheus.CounterVec, gauge func(name, help string, labels ...string) *prometheus.GaugeVec) verifyMetrics {
	return verifyMetrics{
		services:  gauge("windvane_verify_services", "Services by whether their requests follow the settings in force.", "mesh", "verdict"),
		harm:      gauge("windvane_verify_harm_ratio", "How near the evidence that the policy does harm is to a demotion, on a logarithmic scale.", "mesh"),
		reverts:   counter("windvane_verify_reverts_total", "Cycles in which a change was found not to be followed, and put back as far as that takes no protection away.", "mesh"),
		demotions: counter("windvane_verify_demotions_total", "Times that windvane has lowered a mesh to observe by itself.", "mesh"),
	}
}

func (m *verifyMetrics) forget() {
	m.services.Reset()
	m.harm.Reset()
}

func (m *verifyMetrics) set(r loop.Report) {
	m.harm.WithLabelValues(r.Mesh).Set(r.Harm)
	m.reverts.WithLabelValues(r.Mesh)
	m.demotions.WithLabelValues(r.Mesh)
	if v := r.Intent.Revert; v != nil && v.Cycles > 0 {
		m.reverts.WithLabelValues(r.Mesh).Inc()
	}
	if r.Demoted != "" {
		m.demotions.WithLabelValues(r.Mesh).Inc()
	}
	v := r.Verified
	if v == nil {
		m.services.DeletePartialMatch(prometheus.Labels{"mesh": r.Mesh})
		return
	}
	for verdict, n := range map[verify.Verdict]int{
		verify.Converged: v.Converged, verify.NotYet: v.NotYet, verify.Failed: v.Failed, verify.Undecided: v.Undecided,
	} {
		m.services.WithLabelValues(r.Mesh, string(verdict)).Set(float64(n))
	}
}
