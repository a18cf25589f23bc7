package daemon_test

import (
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/testbed"
)

// Proxies that have lost the control plane: what windvane sets is not followed. It puts the
// settings back, waits, and ends with a demotion. When they follow again and a person has
// lifted it, windvane goes on.
func TestAMeshThatDoesNotFollowIsRevertedAndDemoted(t *testing.T) {
	r := newRig(t, "act", "")
	r.rules("act", strings.Replace(plannerActive, "%s", r.artefact(), 1))
	r.write("rules.d/shop.toml", strings.Replace(r.read("rules.d/shop.toml"), "[signals]\n", "[signals]\nsplit = 'windvane:split:ratio'\n", 1))
	r.testbed.Fail(testbed.Faults{Proxies: true})
	r.start()
	stuck := r.run(100)
	reverts, demoted := 0, -1
	for i, report := range stuck {
		if report.Intent.Reverts() {
			reverts++
			if loosens(report.Intent.Plan) {
				t.Errorf("cycle %d: the revert lowers blocking: %v", report.Intent.Cycle, report.Intent.Plan)
			}
		}
		if report.Demoted != "" && demoted < 0 {
			demoted = i
		}
	}
	if reverts < 2 || demoted < 0 {
		t.Fatalf("%d reverts, demoted in cycle %d; log:\n%s", reverts, demoted, r.log)
	}
	for _, report := range stuck[demoted:] {
		if report.Intent.Act || report.Intent.Authority != "observe" || !report.Intent.Live.Equal(stuck[demoted].Intent.Live, 0) {
			t.Fatalf("cycle %d, after the demotion: authority %s, act %v", report.Intent.Cycle, report.Intent.Authority, report.Intent.Act)
		}
	}
	m := r.daemon.Status().Meshes[0]
	if last := m.Sources[len(m.Sources)-1]; last.Source != "demotion" || !strings.Contains(last.Why, "did not follow 5 changes in a row") {
		t.Errorf("sources %+v", m.Sources)
	}

	r.testbed.Fail(testbed.Faults{})
	r.set("act")
	healed := r.run(30)
	if acts, last := acted(healed), healed[29]; acts == 0 || last.Demoted != "" || last.Intent.Authority != "act" || last.Verified.Failed != 0 {
		t.Errorf("after the proxies follow again: %d plans applied, authority %s, %+v", acts, last.Intent.Authority, last.Verified)
	}
	for _, report := range healed {
		if report.Intent.Revert != nil {
			t.Errorf("cycle %d: %+v", report.Intent.Cycle, report.Intent.Revert)
		}
	}
}

func loosens(plan []policy.Change) bool {
	for _, c := range plan {
		if c.Kind == policy.Blocking && c.To < c.From {
			return true
		}
	}
	return false
}

func acted(reports []loop.Report) (n int) {
	for _, r := range reports {
		if r.Intent.Act {
			n++
		}
	}
	return n
}
