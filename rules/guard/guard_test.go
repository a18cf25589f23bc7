package guard

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
)

func mesh(live ...float64) policy.Observation {
	knobs := []policy.Knob{
		{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "compute"}, Service: "compute", Max: .8, Levels: 5},
		{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "information"}, Service: "information", Max: .8, Levels: 5},
		{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "default/node"}, Min: 1, Max: 5, Levels: 5},
		{KnobID: policy.KnobID{Kind: policy.Weight, Target: "default/front/compute", Part: "v1"}, Service: "compute", Max: 1, Levels: 6},
		{KnobID: policy.KnobID{Kind: policy.Weight, Target: "default/front/compute", Part: "v2"}, Service: "compute", Max: 1, Levels: 6},
	}
	o := policy.Observation{
		Knobs: knobs, Live: action(knobs, live...),
		Limits: policy.Limits{MaxStep: .2, TotalBlocking: .5},
	}
	for _, name := range []string{"compute", "information"} {
		o.Services = append(o.Services, policy.Service{
			Name: name, Value: 1, Floor: 2,
			Objectives: []policy.Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .1, Budget: .05}},
		})
		for signal, v := range map[string]float64{"offered": 10, "carried": 9, "latency": .05} {
			o.State = append(o.State, policy.Signal{Name: signal, Service: name, Role: policy.Role(signal), Value: v, Status: policy.Valid})
		}
	}
	o.State.Sort()
	return o
}

func action(knobs []policy.Knob, values ...float64) policy.Action {
	var a policy.Action
	for i, k := range knobs {
		a = append(a, policy.Setting{KnobID: k.KnobID, Value: values[i]})
	}
	return a
}

func values(a policy.Action) []float64 {
	var out []float64
	for _, s := range a {
		out = append(out, math.Round(s.Value*1e9)/1e9)
	}
	return out
}

func TestCheck(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name       string
		live, want []float64
		result     []float64
		reasons    []Reason
	}{
		{"within limits", []float64{0, 0, 1, .5, .5}, []float64{.2, .1, 2, .6, .4}, []float64{.2, .1, 2, .6, .4}, nil},
		{"blocking rises at once", []float64{0, 0, 1, .5, .5}, []float64{.8, 0, 1, .5, .5}, []float64{.8, 0, 1, .5, .5}, nil},
		{"blocking falls by a step", []float64{.8, 0, 1, .5, .5}, []float64{0, 0, 1, .5, .5}, []float64{.6, 0, 1, .5, .5}, []Reason{Step}},
		{"weights move by a step", []float64{0, 0, 1, .5, .5}, []float64{0, 0, 1, 1, 0}, []float64{0, 0, 1, .7, .3}, []Reason{Step, Step}},
		{"weights that do not sum to 1", []float64{0, 0, 1, .5, .5}, []float64{0, 0, 1, .6, .5}, []float64{0, 0, 1, .5, .5}, []Reason{Malformed}},
		{"not a number", []float64{.4, 0, 1, .5, .5}, []float64{nan, 0, nan, nan, .5}, []float64{.4, 0, 1, .5, .5}, []Reason{Malformed, Malformed, Malformed}},
		{"replicas", []float64{0, 0, 1, .5, .5}, []float64{0, 0, 9.3, .5, .5}, []float64{0, 0, 5, .5, .5}, []Reason{Bounds}},
		{"total blocking", []float64{0, 0, 1, .5, .5}, []float64{.8, .8, 1, .5, .5}, []float64{.5, .5, 1, .5, .5}, []Reason{TotalBlocking, TotalBlocking}},
		{"beyond the range", []float64{0, 0, 1, .5, .5}, []float64{.9, -.1, 1, .5, .5}, []float64{.8, 0, 1, .5, .5}, []Reason{Bounds, Bounds}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := mesh(tt.live...)
			r := Check(o, action(o.Knobs, tt.want...))
			if d := cmp.Diff(tt.result, values(r.Action)); d != "" {
				t.Errorf("action (-want +got):\n%s", d)
			}
			var reasons []Reason
			for _, e := range r.Edits {
				reasons = append(reasons, e.Reason)
			}
			if d := cmp.Diff(tt.reasons, reasons); d != "" {
				t.Errorf("reasons (-want +got):\n%s", d)
			}
		})
	}
}

func TestShedKeepsToTheLimits(t *testing.T) {
	for _, tc := range []struct {
		cap, floor float64
		services   []int
		want       []float64
	}{
		{1, 0, []int{1}, []float64{.2, .8, 3, .3, .7}},
		{1, 0, []int{0, 1}, []float64{.8, .8, 3, .3, .7}},
		{1, 5, []int{0}, []float64{.5, 0, 3, .3, .7}},         // of 10 requests/s
		{.3, 0, []int{0, 1}, []float64{.3, .3, 3, .3, .7}},    // of all that is offered
		{.05, 0, []int{0, 1}, []float64{.05, .05, 3, .3, .7}}, // less than is blocked now
		{1, 0, nil, []float64{.2, 0, 3, .3, .7}},
	} {
		o := mesh(.2, 0, 3, .3, .7)
		o.Limits.TotalBlocking = tc.cap
		for i := range o.Services {
			o.Services[i].Floor = tc.floor
		}
		got := Shed(o, tc.services)
		if d := cmp.Diff(tc.want, values(got)); d != "" {
			t.Errorf("%+v (-want +got):\n%s", tc, d)
		}
		if edits := Check(o, got).Edits; len(edits) > 0 {
			t.Errorf("%+v: edited: %+v", tc, edits)
		}
	}
}

func TestFloorLimitsBlocking(t *testing.T) {
	o := mesh(0, 0, 1, .5, .5)
	o.Services[0].Floor = 5
	r := Check(o, action(o.Knobs, .8, 0, 1, .5, .5))
	if d := cmp.Diff([]float64{.5, 0, 1, .5, .5}, values(r.Action)); d != "" {
		t.Errorf("action (-want +got):\n%s", d)
	}
}

func TestMissingDataHold(t *testing.T) {
	for _, status := range []policy.Status{policy.Absent, policy.Stale, policy.Invalid} {
		for _, signal := range []string{"latency", "offered"} {
			o := mesh(.4, 0, 1, .5, .5)
			for i := range o.State {
				if o.State[i].Name == signal && o.State[i].Service == "compute" {
					o.State[i].Status = status
				}
			}
			r := Check(o, action(o.Knobs, 0, 0, 1, 1, 0))
			if r.Refused != NoData || !r.Action.Equal(o.Live, 0) {
				t.Errorf("%s %s: refused %q, action %v; want no_data and the live action", signal, status, r.Refused, r.Action)
			}
		}
	}
}

func TestNoTrafficIsNoReasonToHold(t *testing.T) {
	o := mesh(.4, 0, 1, .5, .5)
	for i := range o.State {
		if o.State[i].Service == "compute" {
			switch o.State[i].Name {
			case "carried", "offered":
				o.State[i].Value = 0
			case "latency":
				o.State[i].Status = policy.Invalid
			}
		}
	}
	if r := Check(o, o.Live); r.Refused != "" {
		t.Errorf("refused %q (%s) without traffic", r.Refused, r.Detail)
	}
}
