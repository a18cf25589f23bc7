package unixsocket_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windvane/windvane/internal/unixsocket"
)

// sockets is a directory whose name is short enough for a socket in it.
func sockets(t *testing.T) string {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestSocketOfADeadProcessIsReplaced(t *testing.T) {
	dir := sockets(t)
	path := filepath.Join(dir, "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	l, err := unixsocket.Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unixsocket.Listen(path, 0o600); err == nil || !strings.Contains(err.Error(), "another windvane listens there") {
		t.Errorf("a second one: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, hiddenErr := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left)+len(hidden) != 0 || err != nil || hiddenErr != nil {
		t.Errorf("left behind: %v %v", left, hidden)
	}
}

func TestWhatIsNoSocketIsLeftAlone(t *testing.T) {
	dir := sockets(t)
	path := filepath.Join(dir, "s")
	for name, make := range map[string]func() error{
		"a file":      func() error { return os.WriteFile(path, []byte("precious"), 0o600) },
		"a link":      func() error { return os.Symlink("/etc/passwd", path) },
		"a directory": func() error { return os.Mkdir(path, 0o700) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if _, err := unixsocket.Listen(path, 0o600); err == nil || !strings.Contains(err.Error(), "something else of this name") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s is gone: %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := unixsocket.Listen(filepath.Join(dir, "nowhere", "s"), 0o600); err == nil {
		t.Error("a socket in no directory")
	}
	long := filepath.Join(dir, strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := unixsocket.Listen(filepath.Join(long, "s"), 0o600); err == nil || !strings.Contains(err.Error(), "a shorter name") {
		t.Errorf("a long path: %v", err)
	}
}
