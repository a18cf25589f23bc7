package daemon_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/explain"
)

// local reaches the daemon by its socket.
func (r *rig) local() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", api.SocketPath(r.sockets))
		},
	}}
}

// ask sends a request by the socket, and reads the JSON of the answer into out.
func (r *rig) ask(method, path, body string, out any) int {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := r.local().Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		r.t.Fatalf("%s %s: %v: %s", method, path, err, b)
	}
	return answer.StatusCode
}

func TestAPIOfARunningDaemon(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.start()
	reports := r.run(12)

	var list api.Decisions
	if code := r.ask(http.MethodGet, "/api/v1/decisions?limit=5", "", &list); code != http.StatusOK || len(list.Decisions) != 5 {
		t.Fatalf("decisions: %d %+v", code, list)
	}
	newest := list.Decisions[0]
	if newest.Cycle != 12 || newest.Mesh != "shop" || newest.Result != "" || list.Decisions[1].Result == "" || list.Next != list.Decisions[4].ID {
		t.Errorf("decisions %+v", list)
	}
	var whole explain.Explanation
	if code := r.ask(http.MethodGet, "/api/v1/decisions/"+jsonText(t, list.Decisions[1].ID), "", &whole); code != http.StatusOK ||
		whole.Intent.Cycle != 11 || whole.Outcome == nil || len(whole.Intent.Services) != len(reports[10].Intent.Services) {
		t.Errorf("decision: %d %+v", code, whole)
	}
	local, err := explain.Cycle(daemon.JournalDirectory(r.dir+"/state"), "shop", 11)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(inWords(t, local), inWords(t, &whole)); d != "" {
		t.Errorf("the journal explains another thing than the daemon (-journal +daemon):\n%s", d)
	}
	var policies []api.Policy
	if code := r.ask(http.MethodGet, "/api/v1/policies", "", &policies); code != http.StatusOK || len(policies) != 2 ||
		policies[0].Kind != "threshold" || policies[0].Role != "active" || policies[1].Role != "fallback" {
		t.Errorf("policies: %d %+v", code, policies)
	}
}

// Who acts by the socket is remembered by name; what the daemon refuses comes with its code.
func TestActingByTheSocket(t *testing.T) {
	r := newRig(t, "approve", thresholdActive)
	r.start()
	r.run(2)
	var done api.Done
	if code := r.ask(http.MethodPut, "/api/v1/meshes/shop/authority", `{"authority": "observe"}`, &done); code != http.StatusOK || done.By == "" {
		t.Fatalf("set: %d %+v", code, done)
	}
	if m := r.daemon.Status().Meshes[0]; m.Authority != "observe" || m.Sources[1].By != done.By {
		t.Errorf("authority %s, said by %+v; want observe by %s", m.Authority, m.Sources, done.By)
	}
	for _, c := range []struct {
		method, path, body, want string
		code                     int
	}{
		{http.MethodPut, "/api/v1/meshes/shop/authority", `{"authority": "act"}`, "ceiling", http.StatusForbidden},
		{http.MethodPut, "/api/v1/meshes/shop/authority", `{"authority": "god"}`, "observe, approve or act", http.StatusBadRequest},
		{http.MethodPut, "/api/v1/meshes/nothing/authority", `{"authority": "observe"}`, "no mesh", http.StatusNotFound},
		{http.MethodPost, "/api/v1/plans/1234/approve", "", "does not wait", http.StatusNotFound},
	} {
		var said api.ErrorAnswer
		if code := r.ask(c.method, c.path, c.body, &said); code != c.code || !strings.Contains(said.Error, c.want) {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, code, said.Error, c.code, c.want)
		}
	}
}

// What stops the daemon removes its socket, and a dead one's does not keep it from starting.
func TestTheSocketIsTheDaemons(t *testing.T) {
	r := newRig(t, "observe", thresholdActive)
	r.start()
	r.stop()
	left, err := filepath.Glob(filepath.Join(r.sockets, "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func inWords(t *testing.T, e *explain.Explanation) string {
	t.Helper()
	var b strings.Builder
	if err := e.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
