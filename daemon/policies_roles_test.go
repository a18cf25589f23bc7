package daemon_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/explain"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/promotion"
	"github.com/windvane/windvane/daemon/roles"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/train"
)

// promote has ann promote a policy of the shop.
func (r *rig) promote(name string, force bool) error {
	return r.daemon.PromotePolicy("shop", name, roles.Word{By: "ann", Reason: "it is better", At: time.Now()}, force)
}

func (r *rig) demote(name string) error {
	return r.daemon.DemotePolicy("shop", name, roles.Word{By: "bob", Reason: "it is not", At: time.Now()})
}

// roles are those of the policies, as in "simple=active planner=shadow".
func (r *rig) roles() string {
	var out []string
	for _, p := range r.daemon.Policies() {
		out = append(out, p.Name+"="+p.Role)
	}
	return strings.Join(out, " ")
}

// roleChanges are the records of the journal.
func (r *rig) roleChanges() (out []journal.RoleChange) {
	r.t.Helper()
	for record, err := range journal.Read(daemon.JournalDirectory(filepath.Join(r.dir, "state"))) {
		if err != nil {
			r.t.Fatal(err)
		}
		var c journal.RoleChange
		if record.Kind == journal.KindRole {
			if err := record.Decode(&c); err != nil {
				r.t.Fatal(err)
			}
			out = append(out, c)
		}
	}
	return out
}

func (r *rig) explained(cycle uint64) string {
	r.t.Helper()
	e, err := explain.Cycle(daemon.JournalDirectory(filepath.Join(r.dir, "state")), "shop", cycle)
	if err != nil {
		r.t.Fatal(err)
	}
	var b strings.Builder
	if err := e.WriteText(&b); err != nil {
		r.t.Fatal(err)
	}
	return b.String()
}

// decidedBy checks who decided a cycle, and that it was one in order.
func decidedBy(t *testing.T, report loop.Report, cycle uint64, policy string) {
	t.Helper()
	i := report.Intent
	if i.Cycle != cycle || i.Policy != policy || i.PolicyRole != journal.RoleActive || i.Hold != "" || report.Err != nil {
		t.Errorf("cycle %d: policy %s (%s), hold %q, error %v; want cycle %d by %s", i.Cycle, i.Policy, i.PolicyRole, i.Hold, report.Err, cycle, policy)
	}
}

// A shadow is promoted and demoted while cycles run: the next one is decided by it, by the same
// process, and goes on from what was measured.
func TestPromoteAndRollBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, "act", "")
	r.rules("act", strings.Replace(plannerShadow, "%s", r.artefact(), 1))
	r.start()
	pid := func() int { return r.daemon.Status().Meshes[0].Plugins[0].PID }
	waitFor(t, "the shadow starts", func() bool { return pid() != 0 })
	before := r.run(4)[3]
	decidedBy(t, before, 4, "simple")
	process := pid()

	if err := r.promote("planner", true); err != nil {
		t.Fatal(err)
	}
	if got := r.roles(); got != "simple=retired planner=canary threshold=fallback" {
		t.Errorf("promoted: %s", got)
	}
	after := r.run(2)
	decidedBy(t, after[0], 5, "planner")
	if len(after[0].Shadows) > 0 || pid() != process {
		t.Errorf("a retired policy was asked: %v; process %d became %d", after[0].Shadows, process, pid())
	}
	for k, e := range after[0].Control {
		was := before.Control[k]
		if e.Intervals != was.Intervals+1 || e.Margin == 0 {
			t.Errorf("%s: %d intervals after %d, margin %v", e.Service, e.Intervals, was.Intervals, e.Margin)
		}
	}
	if old, now := r.explained(4), r.explained(5); !strings.Contains(old, "policy simple (active)") || !strings.Contains(old, "active since") ||
		!strings.Contains(now, "policy planner (active)") || !strings.Contains(now, "by ann: it is better") || !strings.Contains(now, "artefact tabular-") {
		t.Errorf("explained:\n%s\n%s", old, now)
	}
	metric := `windvane_policy_info{mesh="shop",plugin="planner",policy="planner",role="active"} 1`
	if text := r.metrics(); !strings.Contains(text, metric) {
		t.Errorf("the metrics have no %s", metric)
	}

	if err := r.demote("planner"); err != nil {
		t.Fatal(err)
	}
	decidedBy(t, r.run(1)[0], 7, "simple")
	if got := r.roles(); got != "simple=active planner=retired threshold=fallback" {
		t.Errorf("demoted: %s", got)
	}
	told := r.roleChanges()
	if len(told) != 2 || told[0].Command != "promote" || told[0].Was != "simple" || told[0].Active != "planner" || told[0].By != "ann" ||
		told[1].Command != "demote" || told[1].Active != "simple" || told[1].Reason != "it is not" {
		t.Errorf("the journal has %+v", told)
	}
}

const twoRules = thresholdActive + `
[[policy]]
name = "other"
plugin = "rules"
role = "candidate"
`

// What the file says anew is in force again, and what a damaged file of roles said is not
// known; both are said.
func TestRolesThatDoNotHoldAnyMore(t *testing.T) {
	r := newRig(t, "act", twoRules)
	r.start()
	if err := r.promote("other", true); err != nil {
		t.Fatal(err)
	}
	decidedBy(t, r.run(1)[0], 1, "other")
	r.rules("act", thresholdActive)
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	decidedBy(t, r.run(1)[0], 2, "simple")
	if !strings.Contains(r.log.String(), "other, which ann had active, is not declared any more") {
		t.Errorf("the log does not say why:\n%s", r.log)
	}

	r.rules("act", twoRules)
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.promote("other", true); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r.write("state/roles.json", `{"meshes": {`)
	r.start()
	decidedBy(t, r.run(1)[0], 3, "simple")
	if !strings.Contains(r.log.String(), "roles.json is damaged") {
		t.Errorf("the log does not say why:\n%s", r.log)
	}
	if err := r.promote("other", true); err != nil {
		t.Fatal(err)
	}
	decidedBy(t, r.run(1)[0], 4, "other")
}

// What cannot be kept over a restart is not in force either.
func TestRolesThatCannotBeKept(t *testing.T) {
	r := newRig(t, "act", twoRules)
	r.start()
	file := filepath.Join(r.dir, "state", "roles.json")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.promote("other", true); err == nil || !strings.Contains(err.Error(), "stay as they are") {
		t.Errorf("error %v", err)
	}
	decidedBy(t, r.run(1)[0], 1, "simple")
	if got := r.roleChanges(); len(got) > 0 {
		t.Errorf("the journal has %+v", got)
	}
}

// A policy that would not decide, or not after a restart, is promoted by force alone.
func TestPromotionIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, "act", "")
	artefact, err := train.Write(r.dir+"/artefacts", train.Card{Policy: "tabular", Mesh: "shop"}, []byte("no table"), nil)
	if err != nil {
		t.Fatal(err)
	}
	renamed := filepath.Join(r.dir, "artefacts", "mine")
	if err := os.Rename(artefact, renamed); err != nil {
		t.Fatal(err)
	}
	r.rules("act", strings.Replace(plannerShadow, "%s", renamed, 1))
	r.start()
	refused := func(want ...string) {
		t.Helper()
		err := r.promote("planner", false)
		for _, w := range append(want, "--force") {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v does not say %q", err, w)
			}
		}
	}
	waitFor(t, "the plugin says what it misses", func() bool { return strings.Contains(r.daemon.Status().Meshes[0].Plugins[0].LastError, "configure") })
	refused("plugin_down", "configure", "artefact_unverified", "name it tabular-")
	r.write("artefacts/mine/policy.bin", "changed")
	refused("policy.bin is not the file that its card names")
	if got := r.roles(); got != "simple=active planner=shadow threshold=fallback" {
		t.Errorf("refused: %s", got)
	}
	codes := func(refusals []api.Refusal) (out []string) {
		for _, x := range refusals {
			out = append(out, x.Code)
		}
		return out
	}
	want := []string{daemon.RefusedArtefact, daemon.RefusedDown}
	for _, item := range []string{promotion.Samples, promotion.Answers, promotion.Support, promotion.Gap, promotion.Violations, promotion.Better} {
		want = append(want, daemon.RefusedGate+item)
	}
	if detail, err := r.daemon.Policy("shop", "planner"); err != nil || !slices.Equal(codes(detail.Refusals), want) || len(detail.Gate) != 7 {
		t.Errorf("inspected: %+v, %v", detail, err)
	}
	if err := r.promote("planner", true); err != nil {
		t.Fatal(err)
	}
	if got := r.roleChanges(); len(got) != 1 || !slices.Equal(got[0].Forced, want) {
		t.Errorf("the journal has %+v", got)
	}
	if i := r.run(1)[0].Intent; i.PolicyRole != journal.RoleFallback || !strings.Contains(i.FallbackReason, "planner") {
		t.Errorf("policy %s (%s) decides: %s", i.Policy, i.PolicyRole, i.FallbackReason)
	}
}

// Persons promote while cycles run: each cycle is decided by one of them, none is missed.
func TestPromoteBesideCycles(t *testing.T) {
	r := newRig(t, "act", twoRules)
	r.start()
	var busy sync.WaitGroup
	busy.Go(func() {
		for k := range 6 {
			if err := r.promote([]string{"other", "simple"}[k%2], true); err != nil {
				t.Error(err)
			}
		}
	})
	for k, x := range r.run(6) {
		if i := x.Intent; i.Cycle != uint64(k+1) || i.PolicyRole != journal.RoleActive || i.Hold != "" { //nolint:gosec // a few
			t.Errorf("cycle %d: %s (%s), hold %q", i.Cycle, i.Policy, i.PolicyRole, i.Hold)
		}
	}
	busy.Wait()
	if err := r.promote("other", true); err != nil {
		t.Fatal(err)
	}
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	decidedBy(t, r.run(1)[0], 7, "other")
	r.stop()
	r.start()
	decidedBy(t, r.run(1)[0], 8, "other")
	if err := r.demote("other"); err != nil {
		t.Fatal(err)
	}
	decidedBy(t, r.run(1)[0], 9, "simple")
}

// docs/promotion.md has every code of a refusal, every role, and every item of the gate.
func TestPromotionPage(t *testing.T) {
	page := readFile(t, "../docs/promotion.md")
	for _, word := range []string{
		daemon.RefusedArtefact, daemon.RefusedQuarantine, daemon.RefusedDown, daemon.RefusedElsewhere,
		roles.Canary, promotion.Samples, promotion.Answers, promotion.Support, promotion.Gap, promotion.Chosen, promotion.Violations, promotion.Better, promotion.Canary,
		string(rules.RoleActive), string(rules.RoleShadow), string(rules.RoleCandidate), string(rules.RoleRetired), string(rules.RoleFallback),
	} {
		if !strings.Contains(page, "\n| `"+word+"` |") {
			t.Errorf("docs/promotion.md has no row for %s", word)
		}
	}
}
