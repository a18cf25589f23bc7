package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	late := []string{}
	r := start(t, func(o *Options) { o.Late = func(time.Time) []string { return late } })
	if code, body, _ := r.do(http.MethodGet, "/-/healthy", "", nil); code != 200 {
		t.Errorf("nobody late: %d %s", code, body)
	}
	late = []string{"books", "shop"}
	code, body, _ := r.do(http.MethodGet, "/-/healthy", "", nil)
	if code != 503 || !strings.HasPrefix(body, "windvane is not healthy: no cycle within two intervals of books, shop.") {
		t.Errorf("late: %d %s", code, body)
	}
}

func TestReading(t *testing.T) {
	r := start(t, nil)
	for _, c := range []struct {
		path string
		code int
		want string
	}{
		{"/-/healthy", 200, "windvane is healthy."},
		{"/-/ready", 200, "windvane is ready."},
		{"/metrics", 200, "promhttp_metric_handler_requests_total"},
		{"/api/v1/status", 200, `"config_file":"windvane.toml"`},
		{"/api/v1/meshes", 200, `[{"name":"shop"`},
		{"/api/v1/meshes/books", 200, `{"name":"books"`},
		{"/api/v1/meshes/toys", 404, `no mesh \"toys\"; /api/v1/meshes lists them`},
		{"/api/v1/objectives", 200, `[{"mesh":"shop","service":"checkout","signal":"latency"`},
		{"/api/v1/objectives?mesh=books", 200, `[]`},
		{"/api/v1/objectives?mesh=toys", 404, `no mesh \"toys\"`},
		{"/api/v1/policies", 200, `[{"mesh":"shop","name":"planner","role":"active","since":"2026-01-02T03:04:05Z","kind":"tabular","plugin":null},{"mesh":"books","name":"simple","role":"active","kind":"threshold","plugin":null}]`},
		{"/api/v1/plans", 200, `[{"id":"1a2b3c4d"`},
		{"/api/v1/decisions", 200, `"id":3,"at":"2026-01-02T03:04:07Z","mesh":"shop","cycle":2`},
		{"/api/v1/decisions?limit=1", 200, `"next":3`},
		{"/api/v1/decisions?before=3", 200, `"result":"converged"`},
		{"/api/v1/decisions?mesh=books", 200, `{"decisions":[]}`},
		{"/api/v1/decisions?since=2026-01-03T00:00:00Z", 200, `{"decisions":[]}`},
		{"/api/v1/decisions?limit=0", 400, "limit=0 is no number from 1 to 1000"},
		{"/api/v1/decisions?limit=many", 400, "limit=many is no number"},
		{"/api/v1/decisions?before=-1", 400, "before=-1 is no decision's id"},
		{"/api/v1/decisions?since=yesterday", 400, "neither a time such as"},
		{"/api/v1/decisions?msh=shop", 400, "there is no parameter msh"},
		{"/api/v1/decisions/1", 200, `"outcome":{"cycle":1,"result":"converged"`},
		{"/api/v1/decisions/2", 404, "decision 2: the journal has no such decision"},
		{"/api/v1/decisions/99", 404, "`windvane decisions` lists them"},
		{"/api/v1/decisions/x", 400, `\"x\" is no decision's id`},
		{"/api/v1/nothing", 404, "there is no GET /api/v1/nothing"},
		{"/api/v1/alerts", 404, "there is no GET"},
		{"/debug/pprof/", 404, "not found"},
	} {
		code, body, headers := r.do(http.MethodGet, c.path, "", nil)
		if code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %.300s; want %d with %s", c.path, code, body, c.code, c.want)
		}
		if !strings.HasPrefix(c.path, "/api/") {
			continue
		}
		if headers.Get("Content-Type") != "application/json" || headers.Get("Cache-Control") != "no-store" || !json.Valid([]byte(body)) {
			t.Errorf("%s: headers %v, body %.100s", c.path, headers, body)
		}
	}
	if len(r.acted) != 0 {
		t.Errorf("reading has done %v", r.acted)
	}
}

func TestMethods(t *testing.T) {
	r := start(t, func(o *Options) { o.EnableReload, o.Socket = true, SocketPath(sockets(t)) })
	r.bySocket()
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{http.MethodHead, "/api/v1/status", "", 200, ""},
		{http.MethodPost, "/api/v1/status", "", 404, "there is no POST /api/v1/status"},
		{http.MethodGet, "/-/reload", "", 405, ""},
		{http.MethodPut, "/-/reload", "", 200, "Reloaded."},
		{http.MethodGet, "/api/v1/meshes/shop/authority", "", 404, "there is no GET"},
		{http.MethodPut, "/api/v1/meshes/shop/authority", `{"authority": "observe"}`, 200, `{"by":"`},
		{http.MethodPut, "/api/v1/meshes/toys/authority", `{"authority": "observe"}`, 404, `no mesh \"toys\"`},
		{http.MethodPut, "/api/v1/meshes/shop/authority", `{"level": "observe"}`, 400, `unknown field \"level\"`},
		{http.MethodPut, "/api/v1/meshes/shop/authority", `{}`, 400, "the body says no authority"},
		{http.MethodPut, "/api/v1/meshes/shop/authority", `{"authority": "act"} {}`, 400, "there is something behind it"},
		{http.MethodPut, "/api/v1/meshes/shop/authority", ``, 400, "has no body"},
		{http.MethodPut, "/api/v1/meshes/shop/authority", `{"authority": "` + strings.Repeat("x", requestLimit) + `"}`, 400, "too large"},
		{http.MethodPost, "/api/v1/plans/1a2b3c4d/approve", `{}`, 200, `{"by":"`},
		{http.MethodPost, "/api/v1/plans/broken/approve", ``, 500, "the disk is full"},
	} {
		if code, body, _ := r.do(c.method, c.path, c.body, nil); code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s %s %.60s: %d %.300s; want %d with %s", c.method, c.path, c.body, code, body, c.code, c.want)
		}
	}
	if len(r.acted) != 3 || !strings.HasPrefix(r.acted[1], "shop observe by ") || !strings.HasPrefix(r.acted[2], "1a2b3c4d by ") {
		t.Errorf("done: %q", r.acted)
	}
}

func TestPprofIsAskedFor(t *testing.T) {
	r := start(t, func(o *Options) { o.EnablePprof = true })
	if code, body, _ := r.do(http.MethodGet, "/debug/pprof/", "", nil); code != 200 || !strings.Contains(body, "goroutine") {
		t.Errorf("%d %.100s", code, body)
	}
}

func TestAlertsAreMounted(t *testing.T) {
	r := start(t, func(o *Options) {
		o.Alerts = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	})
	if code, _, _ := r.do(http.MethodPost, "/api/v1/alerts", "{}", nil); code != 200 {
		t.Errorf("alerts: %d", code)
	}
	if code, _, _ := r.do(http.MethodPost, "/api/v1/alerts", "{}", map[string]string{"Origin": "https://example.org"}); code != 403 {
		t.Errorf("alerts from a web page: %d, want 403", code)
	}
}

func TestExternalURLHasAPrefix(t *testing.T) {
	r := start(t, func(o *Options) { o.ExternalURL = parse(t, "https://ops.example/windvane/") })
	for path, want := range map[string]int{"/windvane/api/v1/status": 200, "/windvane/-/healthy": 200, "/api/v1/status": 404, "/windvanex": 404} {
		if code, _, _ := r.do(http.MethodGet, path, "", map[string]string{"Host": "ops.example"}); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
}
