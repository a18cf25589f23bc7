package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/journal"
)

// At night nobody looks codes up.
func TestStatusSaysAHoldInWords(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for hold, want := range map[string]string{
		"drift":                         "hold: drift: somebody else has changed settings",
		"no_data (a: offered is stale)": "hold: no_data (a: offered is stale): a signal that an objective needs is missing",
	} {
		var b strings.Builder
		if err := (Status{Meshes: []Mesh{{Name: "shop", Cycle: 1, At: &at, Hold: hold}}}).WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// What a person sees of error budgets; what is not known is said to be unknown.
func TestStatusInWords(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	offered, value, violated, left, shared := 20.0, .06, .1, -1.0, .25
	s := Status{
		Version: "1.0", StartedAt: at.Add(-time.Hour), ConfigFile: "windvane.toml",
		Meshes: []Mesh{{
			Name: "shop", Authority: "observe", Cycle: 720, At: &at, Policy: "planner", PolicyRole: "active", Frozen: "2s left of the cooldown of 7s",
			Shadows: []journal.ShadowAnswer{{Policy: "candidate", Reason: "all is well"}},
			Services: []Service{
				{Name: "checkout", Offered: &offered, Objectives: []Objective{{
					Signal: "latency", Value: &value, Bound: .05, Budget: .05, Violated: &violated, Margin: .1, Left: &left, Burning: "5m and 1h",
				}}},
				{Name: "search", Objectives: []Objective{{Signal: "ratio", Status: "absent", Budget: .01}}},
			},
			Budgets: []Budget{{Name: "both", Budget: .05, Left: &shared}, {Name: "none", Budget: .1}},
		}},
	}
	var b strings.Builder
	if err := s.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := `windvane 1.0, running since 2026-01-01T11:00:00Z, windvane.toml

mesh shop   authority observe   cycle 720 at 2026-01-01T12:00:00Z
  policy planner (active)
  nothing but raising blocking is admitted: 2s left of the cooldown of 7s
  nothing to change
  shadow candidate would change nothing: all is well

  SERVICE   OFFERED  CARRIED  BLOCKED  OBJECTIVE  NOW     BOUND  VIOLATED  BUDGET  LEFT     MARGIN
  checkout  20.0/s   unknown  unknown  latency    60ms    50ms   10.0%     5%      -100.0%  +10%
  search    unknown  unknown  unknown  ratio      absent  -      unknown   1%      unknown  +0%
  latency of checkout burns its budget too fast, over 5m and 1h
  budget both of 5%, shared: 25.0% left
  budget none of 10%, shared: unknown left
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("status (-want +got):\n%s", d)
	}
}
