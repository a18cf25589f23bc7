//go:build integration

package suite

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// A real mesh is explored by the command that a user has, through Prometheus, istiod and Envoy;
// what it had in force before, it has again in the end.
func TestExplores(t *testing.T) {
	offering(t, 40)
	time.Sleep(2 * interval) // until there are rates
	a := actuator(t)         // releases what is left in the end
	before, _, err := a.Live(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := stack.Rules(stack.RulesOptions{Authority: rules.AuthorityAct, Interval: interval, Bounds: bounds})
	w := late(t, stack.WindvaneOptions{Name: "explored", Rules: text})
	eventually(t, w, 15*time.Second, "2 cycles", func(m api.Mesh) bool { return m.Cycle > 2 })
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	file := filepath.Join(t.TempDir(), "explored.dataset")
	command := exec.CommandContext(ctx, w.Program, "collect", "--explore", "--intervals", "12", "--allowance", "12",
		"--rules", filepath.Join(w.Dir, "rules.toml"), "--state-directory", w.State(), "-o", file)
	command.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+w.Runtime())
	out, err := command.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "explored 12 intervals") {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Error(err)
	}
	// It goes back by steps, as it came.
	var after policy.Action
	for range 20 {
		if after, _, err = a.Live(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after.Equal(before, policy.Rounding) {
			break
		}
		time.Sleep(time.Second)
	}
	if !after.Equal(before, policy.Rounding) {
		t.Errorf("%v in force, %v before", after.Values(), before.Values())
	}
	acted := 0
	for r, err := range journal.Read(daemon.JournalDirectory(w.State())) {
		if err != nil {
			t.Fatal(err)
		}
		var i journal.Intent
		if r.Kind == journal.KindIntent && r.Decode(&i) == nil && i.PolicyRole == journal.RoleExplorer && i.Act {
			acted++
		}
	}
	if acted < 2 {
		t.Errorf("%d settings were tried", acted)
	}
}
