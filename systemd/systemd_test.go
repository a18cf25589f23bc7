package systemd_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/systemd"
)

// manager listens where a service manager does, and returns what it was told.
func manager(t *testing.T) func() string {
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // nobody writes any more
	t.Setenv("NOTIFY_SOCKET", path)
	return func() string {
		t.Helper()
		b := make([]byte, 1<<10)
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestNotify(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	systemd.Ready(logger) // without a service manager: nothing
	told := manager(t)
	systemd.Ready(logger)
	systemd.Reloading(logger)
	systemd.Stopping(logger)
	if got := told(); got != "READY=1" {
		t.Errorf("ready: %q", got)
	}
	state, at, _ := strings.Cut(told(), "\nMONOTONIC_USEC=")
	if us, err := strconv.ParseInt(at, 10, 64); state != "RELOADING=1" || err != nil || us <= 0 {
		t.Errorf("reloading: %q at %q", state, at)
	}
	if got := told(); got != "STOPPING=1" {
		t.Errorf("stopping: %q", got)
	}
}

func TestWatchdogIsFedWhileNobodyIsLate(t *testing.T) {
	told := manager(t)
	t.Setenv("WATCHDOG_USEC", "30000") // 30 ms
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	late := make(chan []string, 1)
	late <- nil
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		systemd.Watch(ctx, slog.New(slog.DiscardHandler), func(time.Time) []string {
			now := <-late
			late <- now
			return now
		})
	}()
	for range 2 {
		if got := told(); got != "WATCHDOG=1" {
			t.Errorf("nobody late: %q", got)
		}
	}
	<-late
	late <- []string{"shop"}
	for got := "WATCHDOG=1"; got != "STATUS=no cycle within two intervals: [shop]"; {
		if got != "WATCHDOG=1" {
			t.Fatalf("shop late: %q", got)
		}
		got = told()
	}
	if got := told(); got != "STATUS=no cycle within two intervals: [shop]" {
		t.Errorf("shop late: the watchdog is told %q", got)
	}
	cancel()
	<-done
}

func TestWithoutAWatchdogNobodyIsAsked(t *testing.T) {
	systemd.Watch(t.Context(), slog.New(slog.DiscardHandler), func(time.Time) []string { t.Error("asked"); return nil })
}

// The units are what systemd understands, and are exposed as little as it can say.
func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze")
	}
	units := []string{"windvane.service", "windvane-release.service"}
	for _, unit := range units {
		out, err := exec.Command(analyze, "security", "--offline=yes", "--threshold=12", unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
	// Verify looks for the programs: true stands in for the one that is not installed.
	dir := t.TempDir()
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.NewReplacer("/usr/bin/windvane", "/bin/true", "man:windvane(1) ", "").Replace(string(text))
		if err := os.WriteFile(filepath.Join(dir, unit), []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, dropIn := range []string{"windvane-kubeconfig.conf", "windvane-python.conf"} {
		text, err := os.ReadFile(dropIn)
		if err != nil {
			t.Fatal(err)
		}
		for _, unit := range units {
			of := filepath.Join(dir, unit+".d")
			if err := errors.Join(os.MkdirAll(of, 0o750), os.WriteFile(filepath.Join(of, dropIn), text, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := exec.Command(analyze, "verify", filepath.Join(dir, units[0]), filepath.Join(dir, units[1])).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// The sandbox of the release is the daemon's.
func TestTheReleaseHasTheSameSandbox(t *testing.T) {
	sandbox := func(unit string) string {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		_, after, _ := strings.Cut(string(text), "UMask=")
		for line := range strings.Lines(after) {
			line = strings.TrimSpace(line)
			if line == "" {
				break
			}
			if !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "\n")
	}
	if a, b := sandbox("windvane.service"), sandbox("windvane-release.service"); a != b || !strings.Contains(a, "ProtectSystem=strict") {
		t.Errorf("windvane.service\n%s\nwindvane-release.service\n%s", a, b)
	}
}
