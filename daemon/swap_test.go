package daemon_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/windvane/windvane/daemon/journal"
)

// A reload has the new plugin up before the old one ends, and keeps one that answers where
// the new one does not start.
func TestReloadSwapsPluginsWithoutAGap(t *testing.T) {
	r := newRig(t, "act", "")
	r.rules("act", strings.Replace(plannerActive, "%s", r.artefact(), 1))
	r.start()
	r.run(3)
	first := r.daemon.Status().Meshes[0].Plugins[0]
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := r.daemon.Status().Meshes[0].Plugins[0]
	if !second.Up || second.PID == first.PID {
		t.Errorf("after a reload %+v, before %+v; want another process that is up", second, first)
	}
	if err := syscall.Kill(first.PID, 0); err == nil {
		t.Errorf("process %d of the plugin before is still there", first.PID)
	}
	if next := r.run(1)[0]; next.Intent.PolicyRole != journal.RoleActive {
		t.Errorf("the cycle after the reload: %s decides, %s", next.Intent.PolicyRole, next.Intent.FallbackReason)
	}
	log := r.log.String()
	up, ended := strings.LastIndex(log, `msg="plugin is up"`), strings.Index(log, `msg="plugin process exited"`)
	if ended < 0 || up > ended {
		t.Errorf("the new plugin was up only after the old one had ended:\n%s", log)
	}

	sound := readFile(t, r.dir+"/windvane.toml")
	r.write("windvane.toml", strings.Replace(sound, `builtin = "tabular"`, `command = ["/bin/false"]`, 1))
	if err := r.daemon.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "policy planner: plugin planner: start:") || !strings.Contains(err.Error(), "what decided before goes on") {
		t.Errorf("a reload to a plugin that does not start: %v", err)
	}
	if now := r.daemon.Status().Meshes[0].Plugins[0]; now.PID != second.PID || !now.Up {
		t.Errorf("the plugin is %+v, want that of before, %+v", now, second)
	}
	if next := r.run(1)[0]; next.Intent.PolicyRole != journal.RoleActive {
		t.Errorf("the cycle after a reload that failed: %s decides, %s", next.Intent.PolicyRole, next.Intent.FallbackReason)
	}
}
