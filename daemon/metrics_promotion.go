package daemon

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/windvane/windvane/daemon/promotion"
)

// promotionMetrics are what shadows and canaries have shown, and how far the model of the active
// policy is from what is measured. They are set when a block of cycles is whole.
type promotionMetrics struct {
	gates    *prometheus.GaugeVec // mesh, policy, item, state
	ratio    *prometheus.GaugeVec // mesh, service, signal, region, figure
	carried  *prometheus.GaugeVec // mesh, service, signal, region
	violated *prometheus.GaugeVec // mesh, service, signal, region
}

func newPromotionMetrics(gauge func(name, help string, labels ...string) *prometheus.GaugeVec) promotionMetrics {
	return promotionMetrics{
		gates:    gauge("windvane_policy_gate_info", "1 for what an item of the gate says of a shadow or a canary: pass, fail, not_enough_data or not_required.", "mesh", "policy", "item", "state"),
		ratio:    gauge("windvane_model_gap_ratio", "Median and .95 quantile (upper) of measured/predicted - 1 of an objective's signal, by the active policy's model as it was trained.", "mesh", "service", "signal", "region", "figure"),
		carried:  gauge("windvane_model_carried_gap_ratio", "Carried load over the load that the settings admit, less 1.", "mesh", "service", "signal", "region"),
		violated: gauge("windvane_model_violated_gap_ratio", "Share of intervals in which an objective was broken, less the share that the active policy expected.", "mesh", "service", "signal", "region"),
	}
}

func (m *promotionMetrics) forget() {
	m.gates.Reset()
	m.ratio.Reset()
	m.carried.Reset()
	m.violated.Reset()
}

// forgetMesh drops what was said of policies that have other roles now.
func (m *promotionMetrics) forgetMesh(mesh string) {
	for _, v := range []*prometheus.GaugeVec{m.gates, m.ratio, m.carried, m.violated} {
		v.DeletePartialMatch(prometheus.Labels{"mesh": mesh})
	}
}

// gate says what each item of a policy's gate says.
func (m *promotionMetrics) gate(mesh, policy string, items []promotion.Item) {
	for _, i := range items {
		m.gates.DeletePartialMatch(prometheus.Labels{"mesh": mesh, "policy": policy, "item": i.Code})
		m.gates.WithLabelValues(mesh, policy, i.Code, i.State).Set(1)
	}
}

// gap says how far the model is off. What is not known is not shown.
func (m *promotionMetrics) gap(mesh string, regions []*promotion.Region) {
	for _, r := range regions {
		for name, q := range map[string]float64{"median": .5, "upper": .95} {
			set(m.ratio, r.Ratios.Quantile(q), mesh, r.Service, r.Signal, r.Name, name)
		}
		set(m.carried, r.CarriedGap(), mesh, r.Service, r.Signal, r.Name)
		set(m.violated, r.ViolatedGap(), mesh, r.Service, r.Signal, r.Name)
	}
}

func set(g *prometheus.GaugeVec, v float64, labels ...string) {
	if !math.IsNaN(v) {
		g.WithLabelValues(labels...).Set(v)
	}
}
