package api

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

func TestSocket(t *testing.T) {
	path := SocketPath(sockets(t))
	r := start(t, func(o *Options) { o.Socket = path })
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != socketMode {
		t.Fatalf("%v, %v; want the permissions %o", info, err, socketMode)
	}
	if code, said, _ := r.do(http.MethodPut, "/api/v1/meshes/shop/authority", `{"authority": "observe"}`, nil); code != 403 || !strings.Contains(said, "--url unix:"+path) {
		t.Errorf("not by the socket: %d %s", code, said)
	}
	r.bySocket()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if code, said, _ := r.do(http.MethodPut, "/api/v1/meshes/shop/authority", `{"authority": "observe"}`, nil); code != 200 || said != `{"by":"`+me.Username+"\"}\n" {
		t.Errorf("by the socket: %d %s", code, said)
	}
	if code, _, _ := r.do(http.MethodPost, "/-/reload", "", nil); code != 200 {
		t.Errorf("reload by the socket: %d, want 200 without any flag", code)
	}
	// Behind a proxy to the socket, a page acts in the name of the proxy.
	for _, h := range []map[string]string{{"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}} {
		if code, said, _ := r.do(http.MethodPost, "/api/v1/plans/1/approve", "", h); code != 403 || !strings.Contains(said, "web page") {
			t.Errorf("a web page by the socket, %v: %d %s", h, code, said)
		}
	}
	if err := r.server.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	if len(r.acted) != 2 {
		t.Errorf("done: %q", r.acted)
	}
}

func TestSocketOfADeadDaemonIsReplaced(t *testing.T) {
	dir := sockets(t)
	path := SocketPath(dir)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	l, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "another windvane listens there") {
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
	path := SocketPath(dir)
	for name, make := range map[string]func() error{
		"a file":      func() error { return os.WriteFile(path, []byte("precious"), 0o600) },
		"a link":      func() error { return os.Symlink("/etc/passwd", path) },
		"a directory": func() error { return os.Mkdir(path, 0o700) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "something else of this name") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s is gone: %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := listenSocket(filepath.Join(dir, "nowhere", "s")); err == nil {
		t.Error("a socket in no directory")
	}
	long := filepath.Join(dir, strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(SocketPath(long)); err == nil || !strings.Contains(err.Error(), "a shorter name") {
		t.Errorf("a long path: %v", err)
	}
}
