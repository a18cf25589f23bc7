package daemon_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/testbed"
)

// guardKeys adds keys to the [guard] table of the rig's rules file.
func (r *rig) guardKeys(keys string) {
	r.t.Helper()
	path := filepath.Join(r.dir, "rules.d", "shop.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("rules.d/shop.toml", strings.Replace(string(text), "[guard]\n", "[guard]\n"+keys+"\n", 1))
}

// acted runs a rig until something of windvane's is in force.
func (r *rig) acted() {
	r.t.Helper()
	if !slices.ContainsFunc(r.run(10), func(x loop.Report) bool { return x.Intent.Act }) {
		r.t.Fatal("nothing was changed: the test shows nothing")
	}
}

// givenBack are the records of what windvane gave back by itself.
func (r *rig) givenBack() []string {
	r.t.Helper()
	records, err := journal.Recent(filepath.Join(r.dir, "state", "journal"), 10, func(x journal.Record) bool { return x.Kind == journal.KindRelease })
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, x := range records {
		var body journal.Release
		if err := x.Decode(&body); err != nil {
			r.t.Fatal(err)
		}
		out = append(out, body.Reason+" "+strings.Join(body.Objects, ","))
	}
	return out
}

func TestStopHoldsOrReleases(t *testing.T) {
	for _, c := range []struct {
		keys      string
		stopped   bool // by a stop file before the stop
		givesBack bool
	}{
		{"", false, false},
		{`on_stop = "hold"`, false, false},
		{`on_stop = "release"`, false, true},
		{`on_stop = "release"`, true, false}, // whoever stopped it did not allow that either
	} {
		r := newRig(t, "act", thresholdActive)
		r.guardKeys(c.keys)
		before := r.object()
		r.start()
		r.acted()
		held := r.object()
		if c.stopped {
			r.write("state/stop", "")
		}
		r.stop()
		after := r.object()
		var want []string
		if c.givesBack {
			want = []string{"stop VirtualService default/shop"}
			held = before
		}
		if diff := cmp.Diff(held, after); diff != "" {
			t.Errorf("%q, stop file %v: (-want +got)\n%s", c.keys, c.stopped, diff)
		}
		if got := r.givenBack(); !slices.Equal(got, want) {
			t.Errorf("%q, stop file %v: given back %q, want %q", c.keys, c.stopped, got, want)
		}
	}
}

// A restart after a release at the stop begins anew, with the baseline of then.
func TestStartAfterAReleaseAtTheStop(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.guardKeys(`on_stop = "release"`)
	before := r.object()
	for range 2 {
		r.start()
		r.acted()
		r.stop()
		if diff := cmp.Diff(before, r.object()); diff != "" {
			t.Fatal(diff)
		}
	}
}

// Blind for longer than the time of grace, the settings become what they were before
// windvane, once; when it sees again it goes on from there.
func TestBlindForLongGivesBackOnlyWhereAsked(t *testing.T) {
	for _, keys := range []string{"", "on_no_data = \"baseline\"\nno_data_grace = \"30s\""} {
		r := newRig(t, "act", thresholdActive)
		r.guardKeys(keys)
		before := r.object()
		r.start()
		r.acted()
		held := r.object()
		r.testbed.Fail(testbed.Faults{Prometheus: true})
		for i, report := range r.run(6) { // of 5 s: the time of grace is not over before the seventh
			if report.Intent.Hold != string(guard.NoData) {
				t.Fatalf("blind cycle %d: hold %q", i, report.Intent.Hold)
			}
		}
		if diff := cmp.Diff(held, r.object()); diff != "" {
			t.Fatalf("%q: within the time of grace\n%s", keys, diff)
		}
		r.run(4)
		if keys != "" {
			held = before
		}
		if diff := cmp.Diff(held, r.object()); diff != "" {
			t.Errorf("%q: after it\n%s", keys, diff)
		}
		if n := len(r.givenBack()); n != len(strings.Split(keys, "\n"))-1 {
			t.Errorf("%q: given back %d times", keys, n)
		}
		r.testbed.Fail(testbed.Faults{})
		r.acted()
		r.stop()
	}
}
