package daemon_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/explain"
	"github.com/windvane/windvane/daemon/journal"
)

const plannerShadow = thresholdActive + `
[[policy]]
name = "planner"
plugin = "planner"
role = "shadow"
artefact = "%s"
`

// A shadow plugin is asked beside the active policy, is shown, and dies without a trace in
// what is done.
func TestShadowPluginIsAskedAndShown(t *testing.T) {
	r := newRig(t, "act", "")
	r.rules("act", strings.Replace(plannerShadow, "%s", r.artefact(), 1))
	r.start()
	plugin := func() (pid int, up bool) {
		p := r.daemon.Status().Meshes[0].Plugins[0]
		return p.PID, p.Up
	}
	waitFor(t, "the shadow starts", func() bool { _, up := plugin(); return up })
	asked := r.run(2)[1]
	if i := asked.Intent; i.Policy != "simple" || i.PolicyRole != journal.RoleActive || asked.Err != nil {
		t.Errorf("policy %s (%s) decides, want the active one; error %v", i.Policy, i.PolicyRole, asked.Err)
	}
	if len(asked.Shadows) != 1 || asked.Shadows[0].Error != "" || len(asked.Shadows[0].Expected) == 0 {
		t.Fatalf("the shadow's answer: %+v", asked.Shadows)
	}
	e, err := explain.Cycle(daemon.JournalDirectory(filepath.Join(r.dir, "state")), "shop", 2)
	if err != nil || len(e.Shadows) != 1 || e.Shadows[0].Policy != "planner" {
		t.Errorf("explain: %+v, %v", e, err)
	}
	if s := r.daemon.Status().Meshes[0].Shadows; len(s) != 1 || s[0].Reason != asked.Shadows[0].Reason {
		t.Errorf("status: %+v", s)
	}
	pid, _ := plugin()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the daemon notices", func() bool { p, up := plugin(); return !up || p != pid })
	for range 3 {
		if next := r.run(1)[0]; next.Intent.PolicyRole != journal.RoleActive || next.Intent.Hold != "" || next.Err != nil {
			t.Fatalf("after the kill: role %s, hold %q, error %v", next.Intent.PolicyRole, next.Intent.Hold, next.Err)
		}
	}
}
