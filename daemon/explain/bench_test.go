package explain

import (
	"fmt"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/internal/bench"
	"github.com/windvane/windvane/plugins/policy"
)

// TestBench is part of `make bench`.
func TestBench(t *testing.T) {
	b := bench.Start(t)
	b.Section("explain: a journal of 100,000 records, 10 services; one page of 50 decisions, and one decision, CPU time")
	const records = 100_000
	dir := tenServices(t, records)
	for _, c := range []struct {
		name   string
		before uint64
		mesh   string
	}{
		{"decisions_newest", 0, ""},
		{"decisions_in_the_middle", records / 2, ""},
		{"decisions_oldest", 200, ""},
		{"decisions_of_no_mesh", 0, "nothing"}, // which reads as much as a page may
	} {
		begin := bench.CPUTime()
		found, _, err := Decisions(t.Context(), dir, Query{Limit: 50, Before: c.before, Mesh: c.mesh})
		if err != nil || len(found) != 50 && c.mesh == "" {
			t.Fatalf("%d decisions, %v", len(found), err)
		}
		b.Add(c.name, 1e3*(bench.CPUTime()-begin).Seconds(), "ms", 1)
	}
	for name, id := range map[string]uint64{"decision_newest": records, "decision_oldest": 2} {
		begin := bench.CPUTime()
		if _, err := ByID(dir, id); err != nil {
			t.Fatal(err)
		}
		b.Add(name, 1e3*(bench.CPUTime()-begin).Seconds(), "ms", 1)
	}
}

// tenServices writes a journal of outcomes and intents in turn.
func tenServices(t *testing.T, records int) string {
	dir := t.TempDir()
	j, _, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	i := journal.Intent{Authority: "act", Policy: "planner", PolicyRole: journal.RoleActive, Act: true, Decision: &policy.Decision{Reason: "carries 160 of 200"}}
	o := journal.Outcome{Result: journal.ResultConverged}
	for s := range 10 {
		name := fmt.Sprintf("service-%d", s)
		for _, signal := range []string{"carried", "latency", "offered"} {
			i.State = append(i.State, policy.Signal{Name: signal, Service: name, At: at, Status: policy.Valid})
		}
		i.Services = append(i.Services, policy.Service{Name: name, Objectives: []policy.Objective{{Signal: "latency", Bound: .1, Budget: .05}}})
		i.Live = append(i.Live, policy.Setting{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}})
		i.Decision.Expected = append(i.Decision.Expected, policy.Prediction{Service: name, Signal: "latency", Value: .08})
		o.Errors = append(o.Errors, journal.ObjectiveError{Service: name, Signal: "latency", Known: true})
	}
	i.Plan = []policy.Change{{KnobID: i.Live[0].KnobID, To: .2}}
	o.State = i.State
	for n := range uint64(records) {
		kind, body := journal.KindOutcome, any(&o)
		if n%2 == 1 {
			kind, body = journal.KindIntent, &i
			i.Cycle = n/2 + 1
			o.Cycle = i.Cycle
		}
		for k := range i.State {
			i.State[k].Value = 20 + float64((n*uint64(k+1))%1000)/777
		}
		if _, err := j.Append(at.Add(time.Duration(n)*time.Second), "shop", kind, body, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}
