package api

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// watch opens a stream of events, and returns how to read the next one, as name and data.
func (r *rig) watch() (next func() (string, string), status int, body io.Closer) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+eventsPath, http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	a, err := r.http.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewScanner(a.Body)
	return func() (name, data string) {
		for lines.Scan() {
			switch key, value, _ := strings.Cut(lines.Text(), ": "); key {
			case "event":
				name = value
			case "data":
				return name, value
			}
		}
		return "", ""
	}, a.StatusCode, a.Body
}

func TestEvents(t *testing.T) {
	r := start(t, nil)
	next, _, body := r.watch()
	defer func() { _ = body.Close() }()
	if name, _ := next(); name != "alive" {
		t.Fatalf("a stream begins with %q", name)
	}
	r.server.Changed("shop")
	if name, data := next(); name != "mesh" || data != `{"mesh":"shop"}` {
		t.Errorf("%s %s", name, data)
	}
	// What happens fast is said once.
	for range 10 {
		r.server.Changed("shop")
		r.server.Changed("books")
	}
	for _, want := range []string{`{"mesh":"books"}`, `{"mesh":"shop"}`} {
		if _, data := next(); data != want {
			t.Errorf("%s, want %s", data, want)
		}
	}
	if err := r.server.Stop(t.Context()); err != nil {
		t.Errorf("a stream holds the server up: %v", err)
	}
	if name, _ := next(); name != "" {
		t.Errorf("after the end: %s", name)
	}
}

func TestEventsAreBounded(t *testing.T) {
	r := start(t, nil)
	for range maxWatchers {
		next, _, body := r.watch()
		defer func() { _ = body.Close() }()
		next() // it is one of them now
	}
	_, status, body := r.watch()
	_ = body.Close()
	if status != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", status)
	}
}

// Whoever acts has those who watch told.
func TestActingIsAnEvent(t *testing.T) {
	r := start(t, func(o *Options) { o.WebConfigFile = users(t) })
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+eventsPath, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	q.SetBasicAuth("ann", "secret")
	a, err := r.http.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	if code, text, _ := r.do(http.MethodPut, "/api/v1/meshes/shop/authority", `{"authority": "observe"}`, map[string]string{"user": "ann:secret"}); code != http.StatusOK {
		t.Fatal(code, text)
	}
	lines := bufio.NewScanner(a.Body)
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"mesh":"shop"`) {
			return
		}
	}
	t.Error("nobody was told")
}
