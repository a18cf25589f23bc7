package authority

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A process that holds the lock and does not go on, such as a command that was suspended,
// keeps neither a stop from being in force nor cycles from looking at it.
func TestALockThatIsHeld(t *testing.T) {
	dir := t.TempDir()
	held, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s := Open(dir)
	err = s.Set("shop", observe, "alice", noon)
	if err == nil || !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), "mesh shop is at observe all the same") {
		t.Errorf("error %v", err)
	}
	if got := allows(s, "shop"); got != observe {
		t.Errorf("%s, want observe", got)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if got := allows(s, "shop"); got != observe || allows(Open(dir), "shop") != observe {
		t.Errorf("%s, want observe, and it written", got)
	}
}
