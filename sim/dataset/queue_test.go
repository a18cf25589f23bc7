package dataset

import (
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

func TestAnIntervalThatBeginsWithTheQueueOfOthersSaysNothing(t *testing.T) {
	blocked := func(v float64) policy.Action {
		return policy.Action{{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Value: v}}
	}
	at := func(offered, latency float64, status policy.Status) policy.State {
		return policy.State{
			{Name: "latency", Service: "a", Role: policy.RoleLatency, Value: latency, Status: status},
			{Name: "offered", Service: "a", Role: policy.RoleOffered, Value: offered, Status: policy.Valid},
		}
	}
	q := Queue{Services: []policy.Service{{Name: "a", Objectives: []policy.Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .1}}}}}
	for i, x := range []struct {
		settings policy.Action
		state    policy.State
		want     bool
		why      string
	}{
		{blocked(0), at(100, .05, policy.Valid), false, "nothing is known of before"},
		{blocked(0), at(150, .3, policy.Valid), false, "too much, but the queue is its own"},
		{blocked(0), at(150, .6, policy.Valid), false, "the queue is of the same settings and load"},
		{blocked(.4), at(150, .5, policy.Valid), true, "other settings, and the queue of before"},
		{blocked(.4), at(150, .2, policy.Valid), true, "the same, and the queue is still there"},
		{blocked(.4), at(150, 0, policy.Stale), true, "not known is no end of it"},
		{blocked(.4), at(150, .05, policy.Valid), true, "it drained in this interval"},
		{blocked(.4), at(150, .05, policy.Valid), false, "it is gone"},
		{blocked(0), at(160, .2, policy.Valid), false, "other settings, and no queue of before"},
		{blocked(0), at(100, .2, policy.Valid), true, "less load, and the queue of more"},
	} {
		if got := q.Over(x.settings, x.state); got != x.want {
			t.Errorf("interval %d: %v, want %v: %s", i, got, x.want, x.why)
		}
	}
}
