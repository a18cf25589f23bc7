package guard

import (
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// In an outage nothing is carried and so no latency is measured. That must not lower what
// protects, whatever a model says; where all is blocked, or nothing is offered, it may be.
func TestAnOutageLowersNothing(t *testing.T) {
	id := policy.KnobID{Kind: policy.Blocking, Target: "a"}
	for _, c := range []struct {
		name                   string
		offered, carried, live float64
		to                     float64
	}{
		{"an outage", 20, 0, .5, .5},
		{"all is blocked", 20, 0, 1, .9},
		{"nothing is offered", 0, 0, .5, .4},
		{"it serves", 20, 10, .5, .4},
	} {
		latency := policy.Signal{Name: "latency", Service: "a", Role: policy.RoleLatency}
		if c.carried > 0 {
			latency.Status, latency.Value, latency.At = policy.Valid, .05, time.Unix(1, 0)
		}
		o := policy.Observation{
			Knobs: []policy.Knob{{KnobID: id, Service: "a", Max: 1}},
			Live:  policy.Action{{KnobID: id, Value: c.live}},
			State: policy.State{
				{Name: "carried", Service: "a", Role: policy.RoleCarried, Value: c.carried, Status: policy.Valid, At: time.Unix(1, 0)},
				latency,
				{Name: "offered", Service: "a", Role: policy.RoleOffered, Value: c.offered, Status: policy.Valid, At: time.Unix(1, 0)},
			},
			Services: []policy.Service{{Name: "a", Objectives: []policy.Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .1, Budget: .05}}}},
			Limits:   policy.Limits{MaxStep: .1, TotalBlocking: 1},
		}
		r := Check(o, policy.Action{{KnobID: id, Value: 0}})
		if got, _ := r.Action.Get(id); r.Refused != "" || got != c.to {
			t.Errorf("%s: blocking %v (refused %q), want %v", c.name, got, r.Refused, c.to)
		}
		if c.name == "an outage" && (len(r.Edits) != 1 || r.Edits[0].Reason != Outage) {
			t.Errorf("edits %+v, want one for the outage", r.Edits)
		}
		raised := Check(o, policy.Action{{KnobID: id, Value: 1}})
		if got, _ := raised.Action.Get(id); got != 1 {
			t.Errorf("%s: raised to %v, want 1", c.name, got)
		}
		if again := Check(o, r.Action); len(again.Edits) > 0 || !again.Action.Equal(r.Action, 0) {
			t.Errorf("%s: once more: %+v", c.name, again)
		}
	}
}
