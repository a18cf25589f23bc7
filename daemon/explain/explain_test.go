package explain

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var block = policy.KnobID{Kind: policy.Blocking, Target: "a"}

func signal(name string, role policy.Role, v float64) policy.Signal {
	return policy.Signal{Name: name, Service: "a", Role: role, Value: v, At: at, Status: policy.Valid}
}

func intent(cycle uint64) journal.Intent {
	return journal.Intent{
		Cycle: cycle, Authority: "act", Policy: "planner", PolicyRole: journal.RoleActive,
		State: policy.State{signal("latency", policy.RoleLatency, .12), signal("offered", policy.RoleOffered, 20)},
		Live:  policy.Action{{KnobID: block, Value: 0}},
		Services: []policy.Service{{Name: "a", Objectives: []policy.Objective{
			{Signal: "latency", Kind: policy.LatencyObjective, Bound: .1, Budget: .05, Margin: .1},
		}}},
		Decision: &policy.Decision{
			Reason: "carries 16 of 20", Expected: []policy.Prediction{{Service: "a", Signal: "latency", Value: .08, Supported: true, Risk: .031}},
			Alternatives: []policy.Alternative{{Score: 18, Reason: "predicted above the bound"}},
		},
		Guarded: policy.Action{{KnobID: block, Value: .2}},
		Edits:   []journal.Edit{{Reason: "bounds", KnobID: block, From: .9, To: .2}},
		Plan:    []policy.Change{{KnobID: block, From: 0, To: .2}}, Act: true,
	}
}

// write makes a journal of two cycles of mesh shop and one of each of two others.
func write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	j, _, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	add := func(mesh, kind string, body any) {
		t.Helper()
		if _, err := j.Append(at, mesh, kind, body, false); err != nil {
			t.Fatal(err)
		}
	}
	add("shop", journal.KindIntent, intent(1))
	add("other", journal.KindIntent, journal.Intent{Cycle: 9, Authority: "observe", Hold: "no_live"})
	add("shop", journal.KindOutcome, journal.Outcome{
		Cycle: 1, Result: journal.ResultConverged, State: policy.State{signal("latency", policy.RoleLatency, .09)},
		Errors: []journal.ObjectiveError{{Service: "a", Signal: "latency", Known: true, Counted: true}},
	})
	hold := intent(2)
	hold.Decision, hold.Edits, hold.Plan, hold.Act, hold.Hold = &policy.Decision{Reason: "wait"}, nil, nil, false, "no_data"
	hold.Policy, hold.PolicyRole, hold.FallbackReason = "rules", journal.RoleFallback, "failed: plugin planner: is down"
	hold.State[0] = policy.Signal{Name: "latency", Service: "a", Role: policy.RoleLatency, Status: policy.Stale}
	add("shop", journal.KindIntent, hold)
	shed := intent(3)
	shed.Edits, shed.Decision.Infeasible, shed.Decision.Reason = nil, true, "no admissible action meets every objective: shed a"
	add("shed", journal.KindIntent, shed)
	add("shed", journal.KindOutcome, journal.Outcome{
		Cycle: 3, Result: journal.ResultConverged, State: policy.State{signal("latency", policy.RoleLatency, .13)},
		Errors: []journal.ObjectiveError{{Service: "a", Signal: "latency", Error: 1, Known: true, Counted: true}},
	})
	drift := intent(4)
	drift.Edits, drift.Act, drift.Hold, drift.Drift = nil, false, "drift", []policy.Change{{KnobID: block, From: .2, To: 0}}
	add("drift", journal.KindIntent, drift)
	add("shadowed", journal.KindIntent, intent(7))
	add("shadowed", journal.KindShadow, journal.Shadow{Cycle: 7, Answers: []journal.ShadowAnswer{
		{Policy: "candidate", Reason: "carries 18 of 20", Changes: []policy.Change{{KnobID: block, From: 0, To: .1}}, CutChanges: 1},
		{Policy: "broken", Error: "plugin broken: is down"},
		{Policy: "content", Reason: "all is well"},
		{Policy: "silent", Abstain: true},
	}})
	woken := intent(8)
	woken.Woken, woken.AlertsOmitted = "alert", 3
	woken.Alerts = []journal.Alert{{Name: "Slow", Fingerprint: "f", StartsAt: at, Labels: map[string]string{"severity": "page", "service": "a"}}}
	add("woken", journal.KindIntent, woken)
	add("woken", journal.KindOutcome, journal.Outcome{Cycle: 8, Result: journal.ResultConverged, Partial: true})
	for _, i := range waiting() {
		add("waiting", journal.KindIntent, i)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func text(t *testing.T, mesh string, cycle uint64) string {
	t.Helper()
	e, err := Cycle(write(t), mesh, cycle)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := e.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	for file, c := range map[string]struct {
		mesh  string
		cycle uint64
	}{
		"testdata/acted.txt": {"shop", 1},
		"testdata/held.txt":  {"shop", 0},
		"testdata/shed.txt":  {"shed", 3},
		"testdata/blind.txt": {"other", 9},
		"testdata/drift.txt": {"drift", 4},

		"testdata/shadowed.txt": {"shadowed", 7},
		"testdata/woken.txt":    {"woken", 8},

		"testdata/waits.txt":    {"waiting", 5},
		"testdata/approved.txt": {"waiting", 6},
	} {
		got := text(t, c.mesh, c.cycle)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (UPDATE=1 writes it anew):\n%s", file, diff)
		}
	}
}

func TestUnknownCycleIsNamed(t *testing.T) {
	dir := write(t)
	for _, c := range []struct {
		mesh  string
		cycle uint64
		want  string
	}{{"shop", 7, "cycle 7 of mesh shop"}, {"nothing", 0, "a cycle of mesh nothing"}} {
		if _, err := Cycle(dir, c.mesh, c.cycle); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one that names %s", err, c.want)
		}
	}
}
