package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// A person sees who lowered the authority, what waits and what became of what waited.
func TestAuthorityInWords(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	plan := Plan{ID: "1a2b3c4d", Mesh: "shop", Expires: at.Add(time.Minute), Changes: []policy.Change{
		{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "search"}, From: 0, To: .2},
	}}
	m := Mesh{
		Name: "shop", Authority: "observe", Cycle: 3, At: &at,
		AuthorityState: AuthorityState{
			Sources: []journal.AuthoritySource{
				{Source: "file", Level: "act", By: "shop.toml"},
				{Source: "command", Level: "observe", Why: "authority.json is damaged"},
				{Source: "stop file", Level: "observe", By: "/state/stop", Since: at, Why: "it exists; remove it to go on"},
			},
			Pending: &plan, Superseded: "plan 00000001: it has expired",
		},
	}
	var b strings.Builder
	if err := (Status{Meshes: []Mesh{m}}).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(b.String(), "mesh shop")
	got, _, _ = strings.Cut(got, "\n\n")
	want := `   authority observe   cycle 3 at 2026-01-01T12:00:00Z
  act      file        shop.toml
  observe  command     authority.json is damaged
  observe  stop file   /state/stop, since 2026-01-01T12:00:00Z: it exists; remove it to go on
  no policy decided
  nothing to change
  no longer to be approved: plan 00000001: it has expired
  plan 1a2b3c4d of mesh shop waits until 2026-01-01T12:01:00Z: ` + "`windvane approve 1a2b3c4d`" + ` has it applied
    blocking:search from 0 to 0.2`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	plan.Approved = "bob"
	if got := plan.Lines()[0]; got != "plan 1a2b3c4d of mesh shop, approved by bob: the next cycle that admits it applies it" {
		t.Errorf("approved: %s", got)
	}
}
