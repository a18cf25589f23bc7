package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/windvane/windvane/plugins/policy"
)

// settingMetrics are the settings in force, as the last cycle read them. What could not be
// read has no sample.
type settingMetrics struct {
	weight   *prometheus.GaugeVec // mesh, route, destination
	blocking *prometheus.GaugeVec // mesh, service
	replicas *prometheus.GaugeVec // mesh, deployment
}

func newSettingMetrics(gauge func(name, help string, labels ...string) *prometheus.GaugeVec) settingMetrics {
	return settingMetrics{
		weight:   gauge("windvane_route_weight_ratio", "Share of a route's requests that goes to a destination.", "mesh", "route", "destination"),
		blocking: gauge("windvane_blocking_ratio", "Share of a service's offered requests that is refused.", "mesh", "service"),
		replicas: gauge("windvane_replicas", "Pods that a deployment is scaled to.", "mesh", "deployment"),
	}
}

func (m settingMetrics) forget() {
	m.weight.Reset()
	m.blocking.Reset()
	m.replicas.Reset()
}

func (m settingMetrics) set(mesh string, live policy.Action) {
	if live == nil {
		for _, g := range []*prometheus.GaugeVec{m.weight, m.blocking, m.replicas} {
			g.DeletePartialMatch(prometheus.Labels{"mesh": mesh})
		}
		return
	}
	for _, s := range live {
		switch s.Kind {
		case policy.Weight:
			m.weight.WithLabelValues(mesh, s.Target, s.Part).Set(s.Value)
		case policy.Blocking:
			m.blocking.WithLabelValues(mesh, s.Target).Set(s.Value)
		case policy.Replicas:
			m.replicas.WithLabelValues(mesh, s.Target).Set(s.Value)
		}
	}
}
