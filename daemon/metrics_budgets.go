package daemon

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

// budgetMetrics are where the error budgets stand. What was not measured has no sample.
type budgetMetrics struct {
	left   *prometheus.GaugeVec // mesh, service, signal
	burn   *prometheus.GaugeVec // mesh, service, signal, window
	fast   *prometheus.GaugeVec // mesh, service, signal
	shared *prometheus.GaugeVec // mesh, budget
}

func newBudgetMetrics(gauge func(name, help string, labels ...string) *prometheus.GaugeVec) budgetMetrics {
	return budgetMetrics{
		left:   gauge("windvane_slo_error_budget_remaining_ratio", "Share of an objective's error budget that is left over its window; below 0: overspent.", "mesh", "service", "signal"),
		burn:   gauge("windvane_slo_burn_rate", "Mean error of an objective over a window, in error budgets.", "mesh", "service", "signal", "window"),
		fast:   gauge("windvane_slo_error_budget_burning", "1 where an objective burns its error budget too fast, over both windows of a pair.", "mesh", "service", "signal"),
		shared: gauge("windvane_slo_shared_budget_remaining_ratio", "Share that is left of an error budget that several objectives share.", "mesh", "budget"),
	}
}

func (m budgetMetrics) forget() {
	m.left.Reset()
	m.burn.Reset()
	m.fast.Reset()
	m.shared.Reset()
}

func (m budgetMetrics) set(mesh string, s *standing) {
	for _, o := range s.objectives {
		setKnown(m.left, o.Left, mesh, o.Service, o.Signal)
		m.fast.WithLabelValues(mesh, o.Service, o.Signal).Set(is(o.Burning != nil))
		for _, b := range o.Burn {
			setKnown(m.burn, b.Rate, mesh, o.Service, o.Signal, model.Duration(b.Window).String())
		}
	}
	for _, b := range s.shared {
		setKnown(m.shared, b.Left, mesh, b.Name)
	}
}

func setKnown(g *prometheus.GaugeVec, v *float64, labels ...string) {
	if v == nil {
		g.DeleteLabelValues(labels...)
		return
	}
	g.WithLabelValues(labels...).Set(*v)
}
