package daemon_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/journal"
)

const triedShadow = `
[[policy]]
name = "simple"
plugin = "rules"
role = "active"

[[policy]]
name = "tried"
plugin = "tried"
role = "shadow"
`

// A plugin that fails again and again comes into quarantine. Whoever looks is told what to do;
// no promotion ends it, not even a forced one, and a reload does, also one that comes before
// the plugin was mended.
func TestQuarantineEndsByReload(t *testing.T) {
	t.Parallel()
	r := newRig(t, "act", triedShadow)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	broken, plugin := filepath.Join(r.dir, "broken"), filepath.Join(r.dir, "tried")
	r.write("broken", "")
	r.write("tried", fmt.Sprintf("#!/bin/sh\n[ -e %q ] && { echo 'no model is installed' >&2; exit 3; }\nexec %q moody %q\n", broken, exe, plugin+".moody"))
	if err := os.Chmod(plugin, 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	r.write("windvane.toml", readFile(t, r.dir+"/windvane.toml")+fmt.Sprintf("\n[plugin.tried]\ncommand = [%q]\ndeadline = \"1m\"\n", plugin))
	r.start()
	quarantined := func() bool { return r.daemon.Status().Meshes[0].Plugins[0].Quarantined }
	waitFor(t, "quarantine", quarantined)
	r.run(1)
	r.toldOfQuarantine()

	if err := r.promote("tried", false); err == nil || !strings.Contains(err.Error(), "in quarantine until a reload") || !strings.Contains(err.Error(), "("+daemon.RefusedQuarantine+")") {
		t.Errorf("promoted: %v", err)
	}
	if err := r.promote("tried", true); err != nil {
		t.Fatal(err)
	}
	forced := r.run(1)[0].Intent
	if said := r.explained(forced.Cycle); forced.PolicyRole != journal.RoleFallback || !strings.Contains(said, "in quarantine after 5 failures within 10m0s, reload to try again; the last: start: it ended without a handshake (the process ended: exit status 3, after it wrote: no model is installed)") {
		t.Errorf("promoted by force, %s decides; explain says\n%s", forced.PolicyRole, said)
	}

	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := r.daemon.Status().Meshes[0].Plugins[0]; p.Quarantined || p.Up {
		t.Errorf("reloaded before it was mended: %+v; want it to be tried again", p)
	}
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the mended plugin", func() bool { return r.daemon.Status().Meshes[0].Plugins[0].Up })
	decidedBy(t, r.run(1)[0], 3, "tried")
	if got := r.gauge("windvane_plugin_quarantined"); got != 0 {
		t.Errorf("windvane_plugin_quarantined %v, want 0", got)
	}
}

// toldOfQuarantine checks log, status, list of policies and metrics.
func (r *rig) toldOfQuarantine() {
	r.t.Helper()
	var status strings.Builder
	if err := r.daemon.Status().WriteText(&status); err != nil {
		r.t.Fatal(err)
	}
	const why = "it ended without a handshake (the process ended: exit status 3, after it wrote: no model is installed)"
	list := r.daemon.Policies()[1]
	for where, said := range map[string]string{"log": r.log.String(), "status": status.String(), "policies": list.State()} {
		if !strings.Contains(said, "in quarantine") || !strings.Contains(said, "mended and windvane is reloaded") && !strings.Contains(said, "mend it, and reload") || !strings.Contains(said, why) {
			r.t.Errorf("the %s does not say what to do, and why: %s", where, said)
		}
	}
	if list.Word() != "quarantined" {
		r.t.Errorf("the list says %q", list.Word())
	}
	if q, up := r.gauge("windvane_plugin_quarantined"), r.gauge("windvane_plugin_up"); q != 1 || up != 0 {
		r.t.Errorf("windvane_plugin_quarantined %v, windvane_plugin_up %v; want 1 and 0", q, up)
	}
}

// gauge is the value of the only one of a name.
func (r *rig) gauge(name string) float64 {
	r.t.Helper()
	families, err := daemon.Registry(r.daemon).Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name && len(f.GetMetric()) == 1 {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	r.t.Fatalf("not one metric %s", name)
	return 0
}
