package daemon_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/approve"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/rules"
)

// annotate does what `kubectl annotate` does; null removes.
func (r *rig) annotate(value string) {
	r.t.Helper()
	r.kubernetes(http.MethodPatch, shopPath, "application/merge-patch+json", `{"metadata":{"annotations":{"windvane.io/authority":`+value+`}}}`)
}

func (r *rig) set(level rules.Authority) {
	r.t.Helper()
	if err := r.daemon.SetAuthority(r.t.Context(), "shop", level, "alice"); err != nil {
		r.t.Fatal(err)
	}
}

// authorities are those of the cycles, each once where it repeats.
func authorities(reports []loop.Report) string {
	var out []string
	for _, r := range reports {
		if a := r.Intent.Authority; len(out) == 0 || out[len(out)-1] != a {
			out = append(out, a)
		}
	}
	return join(out)
}

// Each stop switch holds from the next cycle on, changes nothing of what is in force, and
// is shown.
func TestStopSwitches(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.start()
	if got := authorities(r.run(10)); got != "act" {
		t.Fatalf("authority %s", got)
	}
	stop := filepath.Join(r.dir, "state", "stop.shop")
	for _, s := range []struct {
		name, source, off, on string
		stop, lift            func()
	}{
		{"annotation", "annotation", "observe", "act", func() { r.annotate(`"observe"`) }, func() { r.annotate("null") }},
		{"an annotation that cannot be read", "annotation", "observe", "act", func() { r.annotate(`"stop!"`) }, func() { r.annotate("null") }},
		{"file", "stop file", "observe", "act", func() { r.write("state/stop.shop", "") }, func() { _ = os.Remove(stop) }},
		{"file for all", "stop file", "observe", "act", func() { r.write("state/stop", "") }, func() { _ = os.Remove(filepath.Join(r.dir, "state", "stop")) }},
		{"command", "command", "observe", "act", func() { r.set("observe") }, func() { r.set("act") }},
		{"a damaged state file", "command", "observe", "act", func() { r.write("state/authority.json", "{") }, func() { r.set("act") }},
	} {
		s.stop()
		reports := r.run(3)
		if got := authorities(reports); got != s.off {
			t.Errorf("%s: authority %s, want %s", s.name, got, s.off)
		}
		for _, x := range reports {
			if x.Intent.Act || !x.Intent.Live.Equal(reports[0].Intent.Live, 0) {
				t.Errorf("%s: cycle %d wrote, or something else did: %v", s.name, x.Intent.Cycle, x.Intent.Plan)
			}
		}
		m := r.daemon.Status().Meshes[0]
		shown := false
		for _, x := range m.Sources {
			shown = shown || x.Source == s.source && x.Level == s.off && !x.Since.IsZero() || x.Source == s.source && strings.Contains(x.Why, "damaged")
		}
		if m.Authority != s.off || !shown {
			t.Errorf("%s: status says %s, %v", s.name, m.Authority, m.Sources)
		}
		s.lift()
		if got := authorities(r.run(2)); got != s.on {
			t.Errorf("%s, lifted: authority %s, want %s", s.name, got, s.on)
		}
	}
}

// A command is remembered over restarts, and one given to the dead daemon's files is obeyed.
func TestCommandsOutlastRestarts(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.start()
	r.run(2)
	r.set("observe")
	r.stop()
	r.start()
	if got := authorities(r.run(2)); got != "observe" {
		t.Errorf("after a restart: %s", got)
	}
	r.stop()
	offline := daemon.Offline{ConfigFile: filepath.Join(r.dir, "windvane.toml")}
	if _, err := offline.SetAuthority("shop", "approve", "bob", epoch); err != nil {
		t.Fatal(err)
	}
	meshes, err := offline.Meshes()
	if err != nil || len(meshes) != 1 || meshes[0].Authority != "approve" || len(meshes[0].Sources) != 2 {
		t.Errorf("offline: %+v, %v", meshes, err)
	}
	r.start()
	if got := authorities(r.run(2)); got != "approve" {
		t.Errorf("set while it was dead: %s", got)
	}
	offline = daemon.Offline{StateDirectory: filepath.Join(r.dir, "state")} // beside a daemon that runs
	if _, err := offline.SetAuthority("shop", "observe", "bob", epoch); err != nil {
		t.Fatal(err)
	}
	if got := authorities(r.run(2)); got != "observe" {
		t.Errorf("set in the file beside it: %s", got)
	}
}

func TestWhatCannotBeSet(t *testing.T) {
	r := newRig(t, "approve", thresholdActive)
	r.start()
	err := r.daemon.SetAuthority(t.Context(), "shop", rules.AuthorityAct, "alice")
	if ceiling, ok := errors.AsType[*daemon.CeilingError](err); !ok || ceiling.Ceiling != "approve" || !strings.Contains(err.Error(), `set authority = "act" in [guard] of `) {
		t.Errorf("above the ceiling: %v", err)
	}
	err = r.daemon.SetAuthority(t.Context(), "shap", rules.AuthorityObserve, "alice")
	if _, ok := errors.AsType[*daemon.UnknownMeshError](err); !ok || !strings.Contains(err.Error(), `did you mean "shop"?`) {
		t.Errorf("an unknown mesh: %v", err)
	}
	if err := r.daemon.SetAuthority(t.Context(), "shop", "off", "alice"); err == nil || !strings.Contains(err.Error(), "use observe, approve or act") {
		t.Errorf("no authority: %v", err)
	}
	err = r.daemon.Approve(t.Context(), "12345678", "alice")
	if _, ok := errors.AsType[*approve.UnknownError](err); !ok || !strings.Contains(err.Error(), "`windvane approve` lists") {
		t.Errorf("an unknown plan: %v", err)
	}
	offline := daemon.Offline{ConfigFile: filepath.Join(r.dir, "windvane.toml")}
	if _, err := offline.SetAuthority("shop", "act", "bob", epoch); err == nil || !strings.Contains(err.Error(), "ceiling") {
		t.Errorf("offline, above the ceiling: %v", err)
	}
	if _, err := offline.SetAuthority("shap", "observe", "bob", epoch); err == nil || !strings.Contains(err.Error(), `did you mean "shop"?`) {
		t.Errorf("offline, an unknown mesh: %v", err)
	}
	offline = daemon.Offline{StateDirectory: filepath.Join(r.dir, "state")}
	if remark, err := offline.SetAuthority("shap", "observe", "bob", epoch); err != nil || !strings.Contains(remark, `did you mean "shop"?`) {
		t.Errorf("a stop is not refused for a doubt: %q, %v", remark, err)
	}
}

// What a person approves is what is applied, also if a reload comes in between.
func TestApprove(t *testing.T) {
	r := newRig(t, "approve", thresholdActive)
	r.start()
	for n := 0; len(r.daemon.Plans()) == 0; n++ {
		if r.run(1); n == 60 {
			t.Fatal("no plan in 60 cycles")
		}
	}
	p := r.daemon.Plans()[0]
	if p.Mesh != "shop" || len(p.Changes) == 0 || p.Expires.Sub(p.At) != 15*time.Minute || p.Policy != "simple (active)" {
		t.Errorf("plan %+v", p)
	}
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	waited := r.run(1)[0].Intent
	if got := r.testbed.Settings().Blocking; got[0]+got[1] != 0 {
		t.Fatalf("written before it was approved: %v", got)
	}
	if waited.Pending != p.ID {
		t.Fatalf("plan %s is gone after a reload: %+v", p.ID, waited.Superseded)
	}
	if err := r.daemon.Approve(t.Context(), p.ID, "alice"); err != nil {
		t.Fatal(err)
	}
	applied := r.run(1)[0].Intent
	if a := applied.Approval; a == nil || a.ID != p.ID || a.By != "alice" || !applied.Act {
		t.Fatalf("approval %+v, superseded %q", a, applied.Superseded)
	}
	next := r.run(1)[0]
	if next.Outcome.Result != "converged" {
		t.Errorf("outcome %+v", next.Outcome)
	}
	for _, c := range p.Changes {
		if got, _ := next.Intent.Live.Get(c.KnobID); got-c.To > .005 || c.To-got > .005 {
			t.Errorf("%s is %v, approved was %v", c.KnobID, got, c.To)
		}
	}
	for _, e := range next.Control {
		if e.Counted != 0 {
			t.Errorf("%s: %d intervals at approve moved the debt", e.Service, e.Counted)
		}
	}
}
