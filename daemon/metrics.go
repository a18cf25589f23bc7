package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"

	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
)

// metrics are windvane's own. Label values come from the configuration, never from data.
type metrics struct {
	reloadOK, reloadAt prometheus.Gauge

	cycles     *prometheus.CounterVec   // mesh, outcome
	seconds    *prometheus.HistogramVec // mesh
	last       *prometheus.GaugeVec     // mesh
	interval   *prometheus.GaugeVec     // mesh
	decisions  *prometheus.CounterVec   // mesh, policy, outcome
	fallbacks  *prometheus.CounterVec   // mesh
	woken      *prometheus.CounterVec   // mesh, reason
	edits      *prometheus.CounterVec   // mesh, reason
	problems   *prometheus.CounterVec   // mesh, kind
	stages     *prometheus.HistogramVec // mesh, stage
	missed     *prometheus.CounterVec   // mesh
	holds      *prometheus.CounterVec   // mesh, reason
	drift      *prometheus.CounterVec   // mesh
	dropped    *prometheus.CounterVec   // mesh, policy
	results    *prometheus.CounterVec   // mesh, outcome
	intervals  *prometheus.CounterVec   // mesh, service, signal
	violations *prometheus.CounterVec   // mesh, service, signal
	infeasible *prometheus.CounterVec   // mesh
	unmet      *prometheus.CounterVec   // mesh, service, signal
	budget     *prometheus.GaugeVec     // mesh, service, signal
	margin     *prometheus.GaugeVec     // mesh, service, signal
	debt       *prometheus.GaugeVec     // mesh, service, signal
	budgets    budgetMetrics
	authority  authorityMetrics
	settings   settingMetrics
	sources    queryMetrics
	verify     verifyMetrics
	promotion  promotionMetrics
}

func newMetrics(r *prometheus.Registry) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	m := &metrics{
		reloadOK:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "windvane_config_last_reload_successful", Help: "Whether the last reload of the configuration succeeded."}),
		reloadAt:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "windvane_config_last_reload_success_timestamp_seconds", Help: "When the configuration in force was loaded."}),
		cycles:     counter("windvane_loop_iterations_total", "Cycles by what came of them: a hold, a plan applied, a plan not applied, nothing to change.", "mesh", "outcome"),
		last:       gauge("windvane_loop_last_timestamp_seconds", "Time of the last cycle.", "mesh"),
		interval:   gauge("windvane_loop_interval_seconds", "Configured interval between cycles.", "mesh"),
		decisions:  counter("windvane_decisions_total", "Decisions by the role of the policy that made them.", "mesh", "policy", "role"),
		woken:      counter("windvane_loop_woken_total", "Cycles that came between two that were due.", "mesh", "reason"),
		fallbacks:  counter("windvane_policy_fallbacks_total", "Cycles that the fallback policy decided.", "mesh"),
		edits:      counter("windvane_guard_edits_total", "Changes that the guard made to decisions.", "mesh", "reason"),
		problems:   counter("windvane_signal_problems_total", "Signals that could not be used.", "mesh", "kind"),
		missed:     counter("windvane_loop_missed_total", "Cycles that were due and did not take place, because the one before took too long.", "mesh"),
		holds:      counter("windvane_holds_total", "Cycles in which nothing was to be changed, by the reason.", "mesh", "reason"),
		drift:      counter("windvane_actuation_drift_total", "Cycles in which settings were found that somebody else has changed.", "mesh"),
		dropped:    counter("windvane_shadow_answers_dropped_total", "Cycles in which a shadow policy had no usable answer in time.", "mesh", "policy"),
		results:    counter("windvane_actuations_total", "Plans by what became of them.", "mesh", "outcome"),
		intervals:  counter("windvane_slo_intervals_total", "Intervals in which an objective was measured.", "mesh", "service", "signal"),
		violations: counter("windvane_slo_violations_total", "Sum of the errors of an objective over those intervals.", "mesh", "service", "signal"),
		infeasible: counter("windvane_slo_infeasible_intervals_total", "Intervals with nothing feasible: what a policy sheds then was in force.", "mesh"),
		unmet:      counter("windvane_slo_infeasible_violations_total", "Sum of the errors of an objective over those intervals.", "mesh", "service", "signal"),
		budget:     gauge("windvane_slo_error_budget_ratio", "Allowed share of bad intervals.", "mesh", "service", "signal"),
		margin:     gauge("windvane_slo_margin_ratio", "Margin on the prediction of an objective's signal, where the model's errors are of their usual size.", "mesh", "service", "signal"),
		debt:       gauge("windvane_slo_debt_intervals", "Debt against the error budget, in bad intervals.", "mesh", "service", "signal"),
		budgets:    newBudgetMetrics(gauge),
		authority:  newAuthorityMetrics(gauge),
		settings:   newSettingMetrics(gauge),
		sources:    newQueryMetrics(r, counter, gauge),
		verify:     newVerifyMetrics(counter, gauge),
		promotion:  newPromotionMetrics(gauge),
	}
	m.seconds = newHistogram(r, "windvane_loop_duration_seconds", "How long a cycle took.", "mesh")
	m.stages = newHistogram(r, "windvane_loop_stage_duration_seconds",
		"The latency budget by stage of a cycle; settle: from an action to its first measurement; sample_age: of the newest sample.", "mesh", "stage")
	r.MustRegister(m.reloadOK, m.reloadAt, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), versioncollector.NewCollector("windvane"))
	return m
}

func (m *metrics) reloaded(err error, at time.Time) {
	if err != nil {
		m.reloadOK.Set(0)
		return
	}
	m.reloadOK.Set(1)
	m.reloadAt.Set(float64(at.UnixNano()) / 1e9)
}

// forget drops the gauges of meshes and services that a reload may have removed.
func (m *metrics) forget() {
	for _, g := range []*prometheus.GaugeVec{m.last, m.interval, m.budget, m.margin, m.debt} {
		g.Reset()
	}
	m.budgets.forget()
	m.authority.forget()
	m.settings.forget()
	m.verify.forget()
	m.promotion.forget()
	m.sources.last.Reset()
}

func (m *metrics) cycle(r loop.Report, interval, took time.Duration) {
	i := r.Intent
	m.cycles.WithLabelValues(r.Mesh, outcomeOf(r)).Inc()
	m.seconds.WithLabelValues(r.Mesh).Observe(took.Seconds())
	m.last.WithLabelValues(r.Mesh).Set(float64(r.At.UnixMilli()) / 1000)
	m.interval.WithLabelValues(r.Mesh).Set(interval.Seconds())
	m.authority.set(r.Mesh, i)
	m.verify.set(r)
	if i.Policy != "" {
		m.decisions.WithLabelValues(r.Mesh, i.Policy, i.PolicyRole).Inc()
	}
	if i.PolicyRole == "fallback" {
		m.fallbacks.WithLabelValues(r.Mesh).Inc()
	}
	for _, why := range []string{loop.WokenByAlert, loop.WokenByApproval} {
		if woken := m.woken.WithLabelValues(r.Mesh, why); i.Woken == why {
			woken.Inc()
		}
	}
	for _, e := range i.Edits {
		m.edits.WithLabelValues(r.Mesh, e.Reason).Inc()
	}
	for _, p := range r.Problems {
		m.problems.WithLabelValues(r.Mesh, string(p.Kind)).Inc()
	}
	for _, a := range r.Shadows {
		if a.Error != "" {
			m.dropped.WithLabelValues(r.Mesh, a.Policy).Inc()
			continue
		}
		m.decisions.WithLabelValues(r.Mesh, a.Policy, string(rules.RoleShadow)).Inc()
	}
	if i.Hold != "" {
		m.holds.WithLabelValues(r.Mesh, i.Hold).Inc()
	}
	if len(i.Drift) > 0 {
		m.drift.WithLabelValues(r.Mesh).Inc()
	}
	m.settings.set(r.Mesh, i.Live)
	m.objectives(r)
}

func (m *metrics) objectives(r loop.Report) {
	for _, s := range r.Intent.Services {
		for _, o := range s.Objectives {
			m.budget.WithLabelValues(r.Mesh, s.Name, o.Signal).Set(o.Budget)
		}
	}
	for _, e := range r.Control {
		m.state(r.Mesh, e)
	}
	if r.Outcome == nil {
		return
	}
	m.results.WithLabelValues(r.Mesh, r.Outcome.Result).Inc()
	if r.Flagged {
		m.infeasible.WithLabelValues(r.Mesh).Inc()
	}
	for _, e := range r.Outcome.Errors {
		if !e.Known {
			continue
		}
		m.intervals.WithLabelValues(r.Mesh, e.Service, e.Signal).Inc()
		m.violations.WithLabelValues(r.Mesh, e.Service, e.Signal).Add(e.Error)
		if r.Flagged {
			m.unmet.WithLabelValues(r.Mesh, e.Service, e.Signal).Add(e.Error)
		}
	}
}

func (m *metrics) state(mesh string, e margin.Entry) {
	m.margin.WithLabelValues(mesh, e.Service, e.Signal).Set(e.Margin)
	m.debt.WithLabelValues(mesh, e.Service, e.Signal).Set(e.Debt)
}

// outcomeOf is what came of a cycle, in a word.
func outcomeOf(r loop.Report) string {
	switch {
	case r.Intent.Hold != "":
		return "hold"
	case r.Intent.Act:
		return "applied"
	case len(r.Intent.Plan) > 0:
		return "planned"
	}
	return "unchanged"
}
