package daemon_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/explore/bounded"
)

func (r *rig) explored() *api.Exploration { return r.daemon.Status().Meshes[0].Exploration }

// A mesh is explored through the daemon's cycle, over a restart, until it is paused: then what
// was in force before is again.
func TestExploreThroughTheDaemon(t *testing.T) {
	r := newRig(t, "act", "")
	r.start()
	before := r.run(1)[0].Intent.Live
	if r.explored() != nil {
		t.Fatal("nobody asked for it")
	}
	bounds := bounded.Bounds{Intervals: 60, Allowance: 5, Seed: 1001}
	if err := r.daemon.Explore("shop", bounds, "ann"); err != nil {
		t.Fatal(err)
	}
	acted := 0
	for _, report := range r.run(30) {
		i := report.Intent
		if i.PolicyRole != journal.RoleExplorer || report.Err != nil {
			t.Fatalf("cycle %d: %s (%s), %v", i.Cycle, i.Policy, i.PolicyRole, report.Err)
		}
		if i.Act {
			acted++
		}
	}
	was := r.explored()
	if acted < 3 || was.Phase != "running" || was.Measured < 10 || len(was.Spent) != 2 || was.By != "ann" {
		t.Fatalf("%d changes, %+v", acted, was)
	}
	r.stop()
	r.start()
	r.run(4)
	if is := r.explored(); is.Measured <= was.Measured || is.Phase != "running" || !is.Began.Equal(was.Began) {
		t.Fatalf("%+v after a restart, %+v before", is, was)
	}
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	measured := r.explored().Measured
	r.run(3)
	if is := r.explored(); is.Measured <= measured {
		t.Fatalf("%+v after a reload", is)
	}
	if err := r.daemon.PauseExploration("shop", "bob"); err != nil {
		t.Fatal(err)
	}
	r.run(12)
	reports := r.run(1)
	// The fallback has decided since: it may have shed.
	for k, s := range reports[0].Intent.Live {
		if s.Kind != "blocking" && s.Value != before[k].Value {
			t.Errorf("%s is %v, was %v before", s.KnobID, s.Value, before[k].Value)
		}
	}
	if is := r.explored(); is.Phase != "paused" || reports[0].Intent.PolicyRole == journal.RoleExplorer {
		t.Errorf("%+v, decided by %s", is, reports[0].Intent.Policy)
	}
}

// What may not be changed is not explored, and the error says what to do.
func TestExploreIsRefused(t *testing.T) {
	r := newRig(t, "observe", "")
	r.start()
	good := bounded.Bounds{Intervals: 10, Allowance: 1}
	for _, c := range []struct {
		mesh, want string
		bounds     bounded.Bounds
	}{
		{"shop", `the authority is observe; set authority = "act" in [guard] of`, good},
		{"shop", "want 1 to 2000", bounded.Bounds{}},
		{"toys", `no mesh "toys"`, good},
	} {
		err := r.daemon.Explore(c.mesh, c.bounds, "ann")
		if _, refused := errors.AsType[*daemon.ExplorationError](err); err == nil || !strings.Contains(err.Error(), c.want) || refused != (c.mesh == "shop") {
			t.Errorf("%s, %+v: %v, want %q", c.mesh, c.bounds, err, c.want)
		}
	}
	if r.explored() != nil {
		t.Error("it is remembered")
	}
	r.rules("act", "")
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.daemon.SetAuthority(t.Context(), "shop", "approve", "ann"); err != nil {
		t.Fatal(err)
	}
	if err := r.daemon.Explore("shop", good, "ann"); err == nil || !strings.Contains(err.Error(), "the authority is approve; `windvane mode shop act` raises it") {
		t.Error(err)
	}
}
