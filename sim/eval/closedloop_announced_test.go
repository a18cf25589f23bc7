package eval

import (
	"math"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// With the load announced, a decision sees the load of the interval that is to come,
// and the latency of the interval that is known by then.
func TestAnnouncedLoadAndLateOutcomes(t *testing.T) {
	for _, late := range []int{0, 1, 3} {
		var offered, latency []float64
		l := newLoop(t, func(o policy.Observation) (policy.Decision, error) {
			v, _ := o.State.Role("busy", policy.RoleOffered).Get()
			d, _ := o.State.Find("busy", "latency").Get()
			offered, latency = append(offered, v), append(latency, d)
			return policy.Decision{Action: o.Live, Expected: []policy.Prediction{{Service: "busy", Signal: "latency", Value: .1, Supported: true}}}, nil
		}, 40)
		l.Announced, l.Late = true, late
		l.Mesh.Services = l.Mesh.Services[:1]
		trace := run(t, l)
		rate := l.Emulator.Graph.Services[1].Load.Rate
		for i, in := range trace.Intervals {
			if want := rate(in.Seconds + 2.5); math.Abs(offered[i]-want) > 1e-9 {
				t.Fatalf("late %d, interval %d: load %v, want %v", late, i, offered[i], want)
			}
			if want := trace.Intervals[max(0, i-late)].Services[0].Latency; latency[i] != want {
				t.Fatalf("late %d, interval %d: latency %v, want %v", late, i, latency[i], want)
			}
		}
		// The first interval was nobody's choice; the last ones are not known yet.
		if e := trace.Control[0]; e.Counted != 40-1-late || e.Compared != e.Counted {
			t.Errorf("late %d: %d of 40 intervals are in the debt, %d were compared", late, e.Counted, e.Compared)
		}
		if s := trace.Summarise("", nil)[0]; s.Counted != 39 || s.Unknown != 0 {
			t.Errorf("late %d: summary %+v", late, s)
		}
	}
}

func TestLateOutcomesNeedTheLoadAnnounced(t *testing.T) {
	l := newLoop(t, proportional, 1)
	l.Late = 1
	if _, err := l.Run(t.Context()); err == nil {
		t.Error("late outcomes without an announced load were not refused")
	}
}
