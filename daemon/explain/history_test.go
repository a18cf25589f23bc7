package explain

import (
	"errors"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// cyclesOf writes cycles 5 s apart: a change at 2, a hold at 3 and 4 with an alert from 4 on.
func cyclesOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	j, _, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	blocking := policy.KnobID{Kind: policy.Blocking, Target: "a"}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := uint64(1); n <= 4; n++ {
		at := begin.Add(time.Duration(n) * 5 * time.Second)
		state := policy.State{
			{Name: "latency", Service: "a", Role: policy.RoleLatency, Value: float64(n) / 100, At: at, Status: policy.Valid},
			{Name: "offered", Service: "a", Role: policy.RoleOffered, Value: 10, At: at, Status: policy.Valid},
		}
		i := journal.Intent{
			Cycle: n, State: state, Live: policy.Action{{KnobID: blocking, Value: .1 * float64(n)}},
			Knobs:    []policy.Knob{{KnobID: blocking, Service: "a", Max: 1}},
			Services: []policy.Service{{Name: "a", Objectives: []policy.Objective{{Signal: "latency", Bound: .05, Margin: .2}}}, {Name: "b"}},
		}
		switch n {
		case 2:
			i.Act, i.Plan = true, []policy.Change{{KnobID: blocking, From: .2, To: .3}}
		case 3:
			i.Hold = "no_data"
			i.State[0].Status = policy.Stale
		case 4:
			i.Hold = "no_data"
			i.Alerts = []journal.Alert{{Name: "Slow", Fingerprint: "f", StartsAt: at.Add(-time.Second)}}
		}
		if n > 1 {
			o := journal.Outcome{Cycle: n - 1, State: i.State, Errors: []journal.ObjectiveError{{Service: "a", Signal: "latency", Known: true, Expected: .02}}}
			if _, err := j.Append(at, "shop", journal.KindOutcome, o, false); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := j.Append(at, "shop", journal.KindIntent, i, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestServiceHistory(t *testing.T) {
	dir := cyclesOf(t)
	h, err := ServiceHistory(t.Context(), dir, "shop", "a", 2, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.At) != 4 || !h.At[0].Before(h.At[3]) || *h.Blocking[3] != .4 || *h.Offered[0] != 10 || h.Carried[0] != nil || !h.Complete {
		t.Errorf("%+v", h)
	}
	o := h.Objectives[0]

	if o.Bound != .05 || *o.Value[1] != .02 || o.Value[2] != nil || o.Expected[0] != nil || *o.Expected[1] != .02 || *o.Margin[3] != .2 {
		t.Errorf("%+v", o)
	}
	var kinds []string
	for _, m := range h.Marks {
		kinds = append(kinds, m.Kind)
	}
	if len(kinds) != 3 || kinds[0] != "change" || kinds[1] != "hold" || kinds[2] != "alert" {
		t.Errorf("marks %+v", h.Marks)
	}
	if h, err = ServiceHistory(t.Context(), dir, "shop", "a", 2, 6*time.Second); err != nil || len(h.At) != 2 {
		t.Errorf("the last 6 s: %+v, %v", h, err)
	}
	if h, err = ServiceHistory(t.Context(), dir, "shop", "b", 2, time.Hour); err != nil || len(h.At) != 4 || len(h.Marks) != 2 {
		t.Errorf("a service without objectives, which the change is not about: %+v, %v", h, err)
	}
	if _, err = ServiceHistory(t.Context(), dir, "shop", "c", 2, time.Hour); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown service: %v", err)
	}
}
