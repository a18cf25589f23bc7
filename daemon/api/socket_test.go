package api

import (
	"context"
	"net/http"
	"os"
	"os/user"
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
