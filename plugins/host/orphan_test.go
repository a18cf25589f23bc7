package host

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A plugin does not outlive its host, even one that is killed while the plugin works. What is
// left of its socket the next host sweeps up, and nothing else.
func TestPluginEndsWithItsHost(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "wv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	host := exec.Command(exe, "host", dir)
	host.Stderr = os.Stderr
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid == 0 || gone(pid) {
		t.Fatalf("no plugin: pid %d, %v", pid, err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait() // says that it was killed
	eventually(t, 3*time.Second, "the plugin is gone", func() bool { return gone(pid) })
	others := []string{"plugin-directory", "windvane.sock"}
	for _, name := range others {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(entries(t, dir)); n != len(others)+1 {
		t.Fatalf("%v: the killed host left nothing to sweep up", entries(t, dir))
	}
	if err := SweepSockets(dir); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, dir); !slices.Equal(left, others) {
		t.Errorf("left: %v, want %v", left, others)
	}
}

// entries are the names in a directory, sorted.
func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}
