package daemon_test

import (
	"testing"

	"github.com/windvane/windvane/daemon"
)

// leader is what the metrics say of the lease: whether the daemon holds it, and how often it
// began to.
func (r *rig) leader() (holds, transitions float64) {
	r.t.Helper()
	families, err := daemon.Registry(r.daemon).Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	found := 0
	for _, f := range families {
		switch f.GetName() {
		case "windvane_leader":
			holds = f.GetMetric()[0].GetGauge().GetValue()
		case "windvane_leader_transitions_total":
			transitions = f.GetMetric()[0].GetCounter().GetValue()
		default:
			continue
		}
		found++
	}
	if found != 2 {
		r.t.Fatalf("%d metrics of the lease, want 2", found)
	}
	return holds, transitions
}

// Without a lease nothing is said of one.
func TestNoLeaseHasNoMetrics(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.start()
	families, err := daemon.Registry(r.daemon).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "windvane_leader" || f.GetName() == "windvane_leader_transitions_total" {
			t.Errorf("without a lease there is %s: %v", f.GetName(), f.GetMetric())
		}
	}
}
