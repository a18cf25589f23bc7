package promise

import (
	"errors"
	"math"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

const rulesText = `
mesh = "one"
[signals]
offered = 'a'
carried = 'b'
latency = 'c'
[[service]]
name = "only"
  [[service.objective]]
  signal = "latency"
  bound = "100ms"
  target = 0.9
  [service.blocking]
  maximum = 0.8
  levels = 5
[[service]]
name = "other"
  [service.blocking]
  maximum = 0.8
  levels = 2
`

// question is about a service whose latency falls by a fifth with each level of blocking, from
// 120 ms, and whose residuals are spread evenly over a half below and above.
func question(t *testing.T) Question {
	t.Helper()
	m, err := rules.Parse("rules.toml", []byte(rulesText))
	if err != nil {
		t.Fatal(err)
	}
	goal, err := train.NewGoal(m, []string{"only", "other"})
	if err != nil {
		t.Fatal(err)
	}
	table := &model.Table{Knobs: m.Knobs(), Services: []string{"only", "other"}, Signals: goal.Signals, Loads: [][]float64{{10}, {5}}}
	residuals := make([]float64, 201)
	for i := range residuals {
		residuals[i] = -.5 + float64(i)/200
	}
	table.Residuals = [][]float64{residuals, residuals}
	for level := range 5 {
		for range 2 {
			table.Values = append(table.Values, float32(.12*math.Pow(.8, float64(level))), .01)
		}
	}
	return Question{Goal: goal, Table: table, Offered: []float64{10, 5}, Configurations: 200}
}

func TestFrontierFalls(t *testing.T) {
	q := question(t)
	points, inside, err := Frontier(q)
	if err != nil || !inside {
		t.Fatal(err, inside)
	}
	last, some := math.Inf(1), false
	for _, p := range points {
		if p.Carried == nil {
			last = -1
			continue
		}
		some = true
		if *p.Carried > last {
			t.Errorf("target %g carries %g, more than a lower one", p.Target, *p.Carried)
		}
		last = *p.Carried
		if *p.Broken > 1-p.Target || p.High == nil || *p.High < *p.All || p.Low != nil && *p.Low > *p.All || p.Replicas != nil {
			t.Errorf("%+v", p)
		}
		if *p.All != *p.Carried+5 {
			t.Errorf("target %g: %g in all, but nothing is gained by blocking the other service", p.Target, *p.All)
		}
	}
	if !some || *points[0].Carried != 8 { // 96 ms is broken in 46 % of the intervals
		t.Errorf("target .5 carries %v", points[0].Carried)
	}
	if p := points[len(points)-1]; p.Carried != nil && *p.Carried > 5 {
		t.Errorf("target %g carries %g", p.Target, *p.Carried)
	}
}

// What was learned of the model since is in it: twice the latency costs load.
func TestFrontierIsCorrected(t *testing.T) {
	q := question(t)
	q.Services = []policy.Service{{Name: "only", Objectives: []policy.Objective{{Signal: q.Goal.Signals[0], Correction: []float64{math.Log(1.5), 0, 0, 0, 0}}}}, {Name: "other"}}
	points, _, err := Frontier(q)
	if err != nil {
		t.Fatal(err)
	}
	if points[0].Carried == nil || *points[0].Carried >= 8 {
		t.Errorf("target .5 carries %v", points[0].Carried)
	}
}

func TestLive(t *testing.T) {
	q := question(t)
	live := policy.Action{{KnobID: q.Table.Knobs[0].KnobID, Value: .41}, {KnobID: q.Table.Knobs[1].KnobID}}
	e, err := Live(q, live)
	if err != nil || math.Abs(e.Carried-6) > 1e-9 || e.Broken <= 0 || e.Broken >= .5 {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := Live(q, live[:1]); err == nil {
		t.Error("settings of another mesh are judged")
	}
}

func TestNothingIsPromised(t *testing.T) {
	q := question(t)
	q.Service = 1
	if _, _, err := Frontier(q); !errors.Is(err, ErrNoBound) {
		t.Error(err)
	}
	q = question(t)
	q.Table.Residuals = nil
	if _, _, err := Frontier(q); err == nil {
		t.Error("a model that does not say how far it is off promises something")
	}
}

func TestWilson(t *testing.T) {
	// .1 of 100 samples, 90 %: as in any table.
	low, high := wilson(.1, 100, -1.645), wilson(.1, 100, 1.645)
	if math.Abs(low-.0607) > 1e-3 || math.Abs(high-.1604) > 1e-3 {
		t.Errorf("%g to %g", low, high)
	}
	if wilson(0, 10, -1.645) != 0 || wilson(.2, 0, 1.645) != .2 {
		t.Error("at the ends")
	}
}
