package daemon

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
)

// Intervals with nothing feasible, and how often they were violated, are counted apart.
func TestInfeasibleIntervalsAreCountedApart(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newMetrics(registry)
	for i, flagged := range []bool{false, true, true, true} {
		broken := float64(i % 2)
		m.cycle(loop.Report{
			Mesh: "shop", At: time.Unix(int64(i), 0), Flagged: flagged,
			Outcome: &journal.Outcome{Result: journal.ResultConverged, Errors: []journal.ObjectiveError{
				{Service: "a", Signal: "latency", Error: broken, Known: true, Counted: true},
				{Service: "b", Signal: "latency"},
			}},
		}, time.Second, 0)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, x := range f.GetMetric() {
			if c := x.GetCounter(); c.GetValue() > 0 && len(x.GetLabel()) > 0 {
				got[f.GetName()] += c.GetValue()
			}
		}
	}
	want := map[string]float64{
		"windvane_slo_intervals_total": 4, "windvane_slo_violations_total": 2,
		"windvane_slo_infeasible_intervals_total": 3, "windvane_slo_infeasible_violations_total": 2,
		"windvane_loop_iterations_total": 4, "windvane_actuations_total": 4,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestStatusTellsOfInfeasibleIntervalsAndOfRisks(t *testing.T) {
	e := margin.Entry{Service: "a", Signal: "latency", State: margin.State{Intervals: 200, Spent: 20, Flagged: 8, FlaggedSpent: 6}}
	a := policy.Service{Name: "a", Objectives: []policy.Objective{{Signal: "latency"}}}
	r := &loop.Report{Control: margin.Control{e}}
	o := service(a, r).Objectives[0]
	if o.Intervals != 200 || o.Infeasible != 8 || o.Unmet == nil || *o.Unmet != .75 || *o.Violated != .1 {
		t.Errorf("%+v", o)
	}
	if o.RiskBias != nil {
		t.Errorf("nothing was expected, but the bias is %v", *o.RiskBias)
	}
	a.Objectives[0].Calibrated = true
	r.Control[0].Forecasts, r.Control[0].Bias = 50, -.01
	if o = service(a, r).Objectives[0]; o.RiskBias == nil || *o.RiskBias != -.01 || !o.Calibrated {
		t.Errorf("calibrated: %+v", o)
	}
	r.Control[0].State = margin.State{Intervals: 200}
	if o = service(a, r).Objectives[0]; o.Infeasible != 0 || o.Unmet != nil {
		t.Errorf("without such intervals: %+v", o)
	}
}

// counted returns the value of a counter or a gauge.
func counted(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}
