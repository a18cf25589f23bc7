package explain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// interleaved makes a journal of two meshes that take turns, with the outcomes of a cycle
// after the other mesh's intent.
func interleaved(t *testing.T, cycles int) string {
	t.Helper()
	dir := t.TempDir()
	j, _, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for c := range uint64(cycles) {
		for _, mesh := range []string{"shop", "books"} {
			bodies := map[string]any{journal.KindIntent: intent(c + 1)}
			if c > 0 {
				bodies[journal.KindOutcome] = journal.Outcome{Cycle: c, Result: journal.ResultConverged, Errors: []journal.ObjectiveError{{Known: true, Error: 1}, {Known: true}, {}}}
			}
			for _, kind := range []string{journal.KindOutcome, journal.KindIntent} {
				if bodies[kind] == nil {
					continue
				}
				if _, err := j.Append(at.Add(time.Duration(c)*time.Minute), mesh, kind, bodies[kind], false); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Page by page, whatever their size, come all decisions, once each, with what came of them.
func TestPagesAreTheWhole(t *testing.T) {
	dir := interleaved(t, 8)
	for _, mesh := range []string{"", "shop", "books", "nothing"} {
		want, next, err := Decisions(t.Context(), dir, Query{Mesh: mesh, Limit: 1000})
		if err != nil || next != 0 {
			t.Fatalf("%v, next %d", err, next)
		}
		if n := map[string]int{"": 16, "shop": 8, "books": 8}[mesh]; len(want) != n {
			t.Errorf("mesh %q: %d decisions, want %d", mesh, len(want), n)
		}
		for _, limit := range []int{1, 3, 8} {
			got := []Decision{}
			for before := uint64(0); ; {
				page, next, err := Decisions(t.Context(), dir, Query{Mesh: mesh, Limit: limit, Before: before})
				if err != nil || len(page) > limit {
					t.Fatalf("%d decisions, %v", len(page), err)
				}
				got = append(got, page...)
				if before = next; next == 0 {
					break
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("mesh %q by %d (-want +got):\n%s", mesh, limit, d)
			}
		}
	}
}

// A page that has read as much as it may says where to go on, and nothing is left out or told twice.
func TestShortPagesAreTheWhole(t *testing.T) {
	dir := interleaved(t, 8)
	want, _, err := Decisions(t.Context(), dir, Query{Mesh: "shop", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	got, pages := []Decision{}, 0
	for before := uint64(0); ; pages++ {
		page, next, err := decisions(t.Context(), dir, Query{Mesh: "shop", Limit: 100, Before: before}, 1000)
		if err != nil || before > 0 && next >= before {
			t.Fatalf("before %d: next %d, %v", before, next, err)
		}
		got = append(got, page...)
		if before = next; next == 0 {
			break
		}
	}
	if d := cmp.Diff(want, got); d != "" || pages < 5 {
		t.Errorf("%d pages (-want +got):\n%s", pages, d)
	}
}

func TestDecisionsSince(t *testing.T) {
	dir := interleaved(t, 20)
	got, next, err := Decisions(t.Context(), dir, Query{Mesh: "shop", Limit: 100, Since: at.Add(17 * time.Minute)})
	if err != nil || next != 0 || len(got) != 3 || got[0].Cycle != 20 || got[2].Cycle != 18 {
		t.Errorf("%+v, next %d, %v; want cycles 20 to 18", got, next, err)
	}
	if got[0].Result != "" || got[1].Result != journal.ResultConverged || got[1].Measured != 2 || got[1].Broken != 1 {
		t.Errorf("what came of them: %+v", got)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Decisions(cancelled, dir, Query{Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestByID(t *testing.T) {
	dir := interleaved(t, 5)
	list, _, err := Decisions(t.Context(), dir, Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		e, err := ByID(dir, d.ID)
		if err != nil || e.Mesh != d.Mesh || e.Intent.Cycle != d.Cycle || (e.Outcome == nil) != (d.Result == "") || len(e.Intent.Services) != 1 {
			t.Fatalf("%+v: %+v, %v", d, e, err)
		}
	}
	for _, id := range []uint64{list[0].ID - 1, 0, 1000} { // an outcome, and none
		if _, err := ByID(dir, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%d: %v, want ErrNotFound", id, err)
		}
	}
}

func TestParseSince(t *testing.T) {
	for s, want := range map[string]time.Time{"90m": at.Add(-90 * time.Minute), "7d": at.Add(-7 * 24 * time.Hour), "2026-01-01T00:00:00+01:00": time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC)} {
		if got, err := ParseSince(s, at); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v; want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "yesterday", "-1h", "2026-01-01"} {
		if got, err := ParseSince(s, at); err == nil {
			t.Errorf("%q: %s", s, got)
		}
	}
}

func TestDecisionsInWords(t *testing.T) {
	change := policy.Change{KnobID: block, From: 0, To: .2}
	many := []policy.Change{change, change, change, change, change}
	one := []policy.Change{change}
	all := []Decision{
		{Cycle: 12, Policy: "planner", Role: "active", Authority: "act", Changes: one, Applied: true, Result: "converged", Measured: 2},
		{Cycle: 11, Policy: "planner", Role: "active", Authority: "act", Changes: many, Applied: true, Result: "failed", Measured: 2, Broken: 1},
		{Cycle: 10, Policy: "rules", Role: "fallback", Authority: "observe", Changes: one, Result: "not_applied"},
		{Cycle: 9, Authority: "approve", Policy: "planner", Role: "active", Changes: one, Pending: "1a2b3c4d"},
		{Cycle: 8, Authority: "approve", Policy: "planner", Role: "active", Changes: one, Approved: "ann", Applied: true},
		{Cycle: 7, Authority: "act", Hold: "drift", Changes: one},
		{Cycle: 6, Authority: "act", Policy: "planner", Role: "active"},
	}
	for i := range all {
		all[i].At, all[i].Mesh, all[i].Summary = at, "shop", summary(all[i])
	}
	var b strings.Builder
	if err := WriteDecisions(&b, all); err != nil {
		t.Fatal(err)
	}
	want := `TIME                  CYCLE  MESH  POLICY            AUTHORITY  DECISION                                                                                       RESULT
2026-01-02T03:04:05Z  12     shop  planner (active)  act        set blocking:a from 0 to 0.2                                                                   converged, objectives kept
2026-01-02T03:04:05Z  11     shop  planner (active)  act        set blocking:a from 0 to 0.2, blocking:a from 0 to 0.2, blocking:a from 0 to 0.2, and 2 more  failed, 1 of 2 objectives broken
2026-01-02T03:04:05Z  10     shop  rules (fallback)  observe    would set blocking:a from 0 to 0.2                                                             nothing measured
2026-01-02T03:04:05Z  9      shop  planner (active)  approve    waits for approval as 1a2b3c4d: blocking:a from 0 to 0.2                                       not known yet
2026-01-02T03:04:05Z  8      shop  planner (active)  approve    approved by ann: blocking:a from 0 to 0.2                                                      not known yet
2026-01-02T03:04:05Z  7      shop  none              act        held: somebody else has changed settings, and windvane does not fight them                     not known yet
2026-01-02T03:04:05Z  6      shop  planner (active)  act        nothing to change                                                                              not known yet
`
	if d := cmp.Diff(fields(want), fields(b.String())); d != "" {
		t.Errorf("(-want +got):\n%s\n%s", d, b.String())
	}
}

// fields are the lines with their columns' spaces made one.
func fields(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		out = append(out, fmt.Sprint(strings.Fields(line)))
	}
	return strings.Join(out, "\n")
}
