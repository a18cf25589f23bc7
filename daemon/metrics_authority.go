package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/rules"
)

// authorityMetrics are what may be done, and who allows less than the rules file does: an
// alert can tell a demotion from a person's stop.
type authorityMetrics struct {
	inForce *prometheus.GaugeVec // mesh, authority
	lowered *prometheus.GaugeVec // mesh, source
}

func newAuthorityMetrics(gauge func(name, help string, labels ...string) *prometheus.GaugeVec) authorityMetrics {
	return authorityMetrics{
		inForce: gauge("windvane_authority", "1 for the authority in force.", "mesh", "authority"),
		lowered: gauge("windvane_authority_lowered", "1 where a source allows less than the ceiling of the rules file.", "mesh", "source"),
	}
}

func (m authorityMetrics) forget() {
	m.inForce.Reset()
	m.lowered.Reset()
}

// set takes up the authority of a cycle.
func (m authorityMetrics) set(mesh string, i journal.Intent) {
	for _, a := range authority.Levels() {
		m.inForce.WithLabelValues(mesh, string(a)).Set(is(string(a) == i.Authority))
	}
	ceiling := rules.Authority(i.Authority)
	for _, s := range i.Sources {
		if s.Source == authority.SourceFile {
			ceiling = rules.Authority(s.Level)
		}
	}
	for _, source := range authority.Lowering() {
		lowers := false
		for _, s := range i.Sources {
			lowers = lowers || s.Source == source && authority.Above(ceiling, rules.Authority(s.Level))
		}
		m.lowered.WithLabelValues(mesh, source).Set(is(lowers))
	}
}

func is(v bool) float64 {
	if v {
		return 1
	}
	return 0
}
