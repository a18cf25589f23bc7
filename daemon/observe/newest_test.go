package observe

import (
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// A sample counts once, whatever came in between.
func TestRenew(t *testing.T) {
	var n Newest
	at := func(seconds int, status policy.Status) policy.State {
		s := policy.Signal{Name: "latency", Service: "x", Status: status}
		if status == policy.Valid {
			s.Value, s.At = .5, now.Add(time.Duration(seconds)*time.Second)
		}
		return policy.State{s}
	}
	for i, step := range []struct {
		seconds int
		is      policy.Status
		want    string
	}{
		{0, policy.Valid, "x/latency valid 0.5"},
		{0, policy.Valid, "x/latency stale"},
		{0, policy.Absent, "x/latency absent"},
		{0, policy.Valid, "x/latency stale"},
		{5, policy.Valid, "x/latency valid 0.5"},
		{4, policy.Valid, "x/latency stale"},
		{0, policy.Invalid, "x/latency invalid"},
		{6, policy.Valid, "x/latency valid 0.5"},
	} {
		got := n.Renew(at(step.seconds, step.is))
		if statuses(got) != step.want {
			t.Errorf("step %d: %s, want %s", i, statuses(got), step.want)
		}
		if v, ok := got[0].Get(); !ok && (v != 0 || got[0].Value != 0) {
			t.Errorf("step %d: the value of a signal that is %v is %v", i, got[0].Status, got[0].Value)
		}
	}
}
