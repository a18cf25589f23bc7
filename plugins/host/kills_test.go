package host

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// A plugin that is killed again and again is started again each time, until it has been
// killed as often as quarantine takes. Nothing of it is left: no process, no socket (which
// options checks), and no file open in the host. PLUGIN_TEST_KILLS says how often; 3 if it
// is not set.
func TestKilledInARow(t *testing.T) {
	kills := 3
	if s := os.Getenv("PLUGIN_TEST_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 2 {
			t.Fatalf("PLUGIN_TEST_KILLS=%s: want a number, 2 or more", s)
		}
		kills = n
	}
	h := mustStart(t, "child", func(o *Options) {
		o.Restarts = Restarts{First: time.Millisecond, Min: time.Millisecond, Max: time.Millisecond, Window: time.Hour, Crashes: kills}
	})
	files, slowest := openFiles(t), time.Duration(0)
	for n := range kills {
		d, err := h.Decide(t.Context(), observation())
		if err != nil {
			t.Fatalf("after %d kills: %v", n, err)
		}
		child, err := strconv.Atoi(d.Reason)
		if err != nil {
			t.Fatal(err)
		}
		pid, killed := h.Status().PID, time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, 30*time.Second, "a new process, or quarantine", func() bool {
			s := h.Status()
			return s.Up && s.PID != pid || s.Quarantined
		})
		slowest = max(slowest, time.Since(killed))
		eventually(t, 5*time.Second, "it and its child are gone", func() bool { return gone(pid) && gone(child) })
	}
	t.Logf("%d kills, back after %s at most", kills, slowest)
	if s := h.Status(); !s.Quarantined || s.Up || s.Restarts != kills-1 {
		t.Errorf("status %+v, want quarantine after %d restarts", s, kills-1)
	}
	if _, err := h.Decide(t.Context(), observation()); !errors.Is(err, ErrDown) {
		t.Errorf("in quarantine: %v, want ErrDown", err)
	}
	eventually(t, 5*time.Second, fmt.Sprintf("no more than %d files are open", files), func() bool { return openFiles(t) <= files })
}

func openFiles(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}
