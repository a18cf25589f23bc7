package daemon_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A stop that comes before the first cycle of a start or of a reload gives back what was set
// before that; what an object says meanwhile is looked at once more.
func TestStopBeforeACycleReleases(t *testing.T) {
	for name, c := range map[string]struct {
		before    func(r *rig)
		givesBack bool
	}{
		"reload": {func(r *rig) {
			if err := r.daemon.Reload(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
		}, true},
		"restart": {func(r *rig) {
			r.rules("act", thresholdActive)
			if err := r.daemon.Reload(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
			r.stop()
			r.guardKeys(`on_stop = "release"`)
			r.start()
		}, true},
		"annotated": {func(r *rig) { r.annotate(`"observe"`) }, false},
	} {
		r := newRig(t, "act", thresholdActive)
		r.guardKeys(`on_stop = "release"`)
		before := r.object()
		r.start()
		r.acted()
		c.before(r)
		held := r.object()
		r.stop()
		if c.givesBack {
			held = before
		}
		if diff := cmp.Diff(held, r.object()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		if said := strings.Contains(r.log.String(), "the settings are again what they were"); said != c.givesBack {
			t.Errorf("%s: logged %v, want %v", name, said, c.givesBack)
		}
		if got := len(r.givenBack()) > 0; got != c.givesBack {
			t.Errorf("%s: given back %v", name, r.givenBack())
		}
	}
}
