package plugintest

import (
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

// Knobs are those of services that may be blocked, each routed over the destinations
// v1 and v2, all in fifths.
func Knobs(services ...string) []policy.Knob {
	var out []policy.Knob
	for _, s := range services {
		out = append(out, policy.Knob{KnobID: policy.KnobID{Kind: policy.Blocking, Target: s}, Service: s, Max: 1, Levels: 6})
		for _, v := range []string{"v1", "v2"} {
			out = append(out, policy.Knob{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/" + s, Part: v}, Service: s, Max: 1, Levels: 6})
		}
	}
	policy.SortKnobs(out)
	return out
}

// Of returns a service's blocking and its weight of v1.
func Of(a policy.Action, service string) (blocked, first float64) {
	blocked, _ = a.Get(policy.KnobID{Kind: policy.Blocking, Target: service})
	first, _ = a.Get(policy.KnobID{Kind: policy.Weight, Target: "ns/vs/" + service, Part: "v1"})
	return blocked, first
}

// Shared are the latencies of services a and b whose destinations are on two shared
// nodes: linear in the loads, so that a table's interpolation is exact.
func Shared(a policy.Action, load []float64) []float64 {
	node, used, out := [2]float64{}, [2][2]float64{}, make([]float64, 2)
	for s, name := range []string{"a", "b"} {
		b, w := Of(a, name)
		for d, share := range []float64{w, 1 - w} {
			node[d] += load[s] * (1 - b) * share
			used[s][d] = share
		}
	}
	for s := range out {
		for d, capacity := range []float64{20, 30} {
			out[s] += used[s][d] * (.02 + .05*node[d]/capacity)
		}
	}
	return out
}

func name(service int) string { return string(rune('a' + service)) }

// Table tabulates the latencies of services a, b, ... over Knobs, at the given loads of
// each.
func Table(t TB, loads [][]float64, latency func(a policy.Action, load []float64) []float64) *model.Table {
	t.Helper()
	tb := &model.Table{Loads: loads}
	for i := range loads {
		tb.Services, tb.Signals = append(tb.Services, name(i)), append(tb.Signals, "latency")
		tb.Residuals = append(tb.Residuals, []float64{-.1, -.05, -.02, 0, .01, .03, .08, .15})
	}
	tb.Knobs = Knobs(tb.Services...)
	grid, err := policy.Grid(tb.Knobs)
	if err != nil {
		t.Fatal(err)
	}
	model.EachLoad(loads, func(load []float64) {
		for _, a := range grid {
			for _, v := range latency(a, load) {
				tb.Values = append(tb.Values, float32(v))
			}
		}
	})
	return tb
}

// Observation is of services a, b, ... at the given loads, without limits: nothing is
// blocked, all goes to v1, and 50 ms were measured.
func Observation(knobs []policy.Knob, bound float64, loads ...float64) policy.Observation {
	o := policy.Observation{Knobs: knobs, Limits: policy.Limits{MaxStep: 1, TotalBlocking: 1}}
	for _, k := range knobs {
		v := 0.0
		if k.Part == "v1" {
			v = 1
		}
		o.Live = append(o.Live, policy.Setting{KnobID: k.KnobID, Value: v})
	}
	for i, load := range loads {
		s := name(i)
		o.Services = append(o.Services, policy.Service{Name: s, Value: 1, Objectives: []policy.Objective{
			{Signal: "latency", Kind: policy.LatencyObjective, Bound: bound, Budget: .05},
		}})
		o.State = append(o.State,
			policy.Signal{Name: "latency", Service: s, Role: policy.RoleLatency, Value: .05, Status: policy.Valid},
			policy.Signal{Name: "offered", Service: s, Role: policy.RoleOffered, Value: load, Status: policy.Valid})
	}
	o.State.Sort()
	return o
}
