package daemon_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/promotion"
	"github.com/windvane/windvane/plugins/policy"
)

// A canary that does harm gives its place back by itself, on a shorter leash than the active
// policy's: the journal says so, no cycle is missed, and the mesh may act as before.
func TestCanaryThatDoesHarmIsRolledBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, "act", "")
	careless := r.predicting(func(policy.Action, float64, float64) float32 { return .001 })
	r.rules("act", strings.Replace(plannerActive, "%s", r.artefact(), 1)+fmt.Sprintf(`
[[policy]]
name = "careless"
plugin = "planner"
role = "shadow"
artefact = %q

[promotion]
canary_step = 0.25
`, careless))
	r.start()
	waitFor(t, "the shadow starts", func() bool { return r.daemon.Status().Meshes[0].Plugins[1].Up })
	before := r.run(2)[1]
	if err := r.promote("careless", true); err != nil {
		t.Fatal(err)
	}
	if got := r.roles(); !strings.Contains(got, "planner=retired simple=fallback careless=canary") {
		t.Errorf("promoted: %s", got)
	}
	var reports []loop.Report
	for len(reports) < 150 && !strings.Contains(r.roles(), "planner=active") {
		reports = append(reports, r.run(1)...)
	}
	t.Logf("rolled back after %d cycles", len(reports))
	first, last := reports[0].Intent, reports[len(reports)-1]
	if !first.Standing.Canary || first.Limits.MaxStep >= before.Intent.Limits.MaxStep {
		t.Errorf("a canary (%+v) has steps of %v, the policy before it of %v", first.Standing, first.Limits.MaxStep, before.Intent.Limits.MaxStep)
	}
	if !strings.Contains(last.RolledBack, "policy careless does harm") || last.Intent.Authority != "act" || last.Demoted != "" {
		t.Fatalf("after %d cycles: rolled back for %q; authority %s; harm %v", len(reports), last.RolledBack, last.Intent.Authority, last.Harm)
	}
	next := r.run(1)[0]
	decidedBy(t, next, last.Intent.Cycle+1, "planner")
	if next.Intent.Limits.MaxStep != before.Intent.Limits.MaxStep || next.Intent.Standing.Canary {
		t.Errorf("rolled back: steps of %v, %+v", next.Intent.Limits.MaxStep, next.Intent.Standing)
	}
	told := r.roleChanges()
	if len(told) != 2 || !told[0].Canary || told[1].By != "windvane" || told[1].Command != journal.CommandDemote || told[1].Active != "planner" || !strings.Contains(told[1].Reason, "does harm") {
		t.Errorf("the journal has %+v", told)
	}
	if got := r.roles(); got != "planner=active simple=fallback careless=retired" {
		t.Errorf("rolled back: %s", got)
	}
	if x, err := r.daemon.Policy("shop", "careless"); err != nil || x.By != "windvane" || slices.ContainsFunc(x.Gate, func(i api.GateItem) bool { return i.State == promotion.Pass }) {
		t.Errorf("inspected %+v, %v", x, err)
	}
}
