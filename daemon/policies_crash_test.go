package daemon_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/journal"
)

// killedAt are the steps of a promotion, and whether it is in force after a kill there.
var killedAt = []struct {
	step     string
	inForce  bool
	recorded bool // before the kill
}{
	{"handed over", false, false}, {"written", true, false}, {"recorded", true, true}, {"told", true, true}, {"decided", false, false},
}

// stage is the active policy, on trial or not.
type stage struct {
	policy string
	canary bool
}

// stages come one after the other.
var stages = []stage{{"simple", false}, {"other", true}, {"other", false}}

// The daemon is killed at each step of a promotion to canary, of one to active, or of a demotion:
// after it the policy has the old role or the new one, entirely, no cycle is missed, and the
// journal has what was in force.
// By default it is killed where something is left undone; CRASH_TEST_KILLS=200 kills as often.
func TestKilledWhileAPolicyIsPromoted(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	t.Parallel()
	kills := 3
	if n, err := strconv.Atoi(os.Getenv("CRASH_TEST_KILLS")); err == nil {
		kills = n
	}
	k, url := newKiller(t, twoRules, "windvane.toml")
	at, changes := 0, 0
	for i := range kills {
		kill := killedAt[i%len(killedAt)]
		k.promote(t, url, kill.step)
		k.decided(t, 2*(i+1), stages[at])
		if told := k.rig.toldChanges(); kill.inForce && !kill.recorded && told != changes {
			t.Errorf("killed %s: the journal has %d changes before the restart", kill.step, told)
		}
		if kill.inForce {
			at, changes = (at+1)%len(stages), changes+1
		}
	}
	k.promote(t, url, "nowhere")
	k.decided(t, 2*(kills+1), stages[at])
	if told := k.rig.toldChanges(); told != changes+1 {
		t.Errorf("%d changes are recorded, want %d", told, changes+1)
	}
	for _, f := range k.faults {
		t.Error(f)
	}
}

// toldChanges counts the changes that the journal has: one that is there twice has the same time.
func (r *rig) toldChanges() int {
	told := map[time.Time]bool{}
	for _, c := range r.roleChanges() {
		told[c.At] = true
	}
	return len(told)
}

// promote starts a child that promotes or demotes, and waits for its end.
func (k *killer) promote(t *testing.T, url, step string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(exe)
	child.Env = append(os.Environ(), "CRASH_TEST_CONFIG="+filepath.Join(k.rig.dir, "windvane.toml"), "CRASH_TEST_CLOCK="+url+"/clock", "CRASH_TEST_STEP="+step)
	k.mu.Lock()
	k.left = 3
	k.mu.Unlock()
	log, err := child.CombinedOutput()
	status, _ := child.ProcessState.Sys().(syscall.WaitStatus)
	if killed := status.Signaled() && status.Signal() == syscall.SIGKILL; killed != (step != "nowhere") {
		t.Fatalf("%s: the child ended by itself: %v\n%s", step, err, log)
	}
}

// decided checks that the journal has that many cycles, of which a policy has decided the last
// two, on trial or not.
func (k *killer) decided(t *testing.T, cycles int, want stage) {
	t.Helper()
	last, err := journal.Last(k.dir, 2, func(r journal.Record) bool { return r.Kind == journal.KindIntent })
	if err != nil || len(last) != 2 {
		t.Fatal(last, err)
	}
	for n, record := range last {
		var i journal.Intent
		if err := record.Decode(&i); err != nil {
			t.Fatal(err)
		}
		if cycle := uint64(cycles - 1 + n); i.Cycle != cycle || i.Policy != want.policy || i.Standing.Canary != want.canary || i.PolicyRole != journal.RoleActive || i.Hold != "" { //nolint:gosec // a few
			t.Errorf("cycle %d: %s (%s, %v), hold %q; want cycle %d by %+v", i.Cycle, i.Policy, i.PolicyRole, i.Standing, i.Hold, cycle, want)
		}
	}
}
