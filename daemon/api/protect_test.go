package api

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// What a browser's page can send, from where, to a listener on loopback and to another.
func TestPagesFromElsewhere(t *testing.T) {
	const allowed, denied = http.StatusTeapot, http.StatusForbidden
	for _, c := range []struct {
		what           string
		method, host   string
		headers        map[string]string
		loopback, open int
	}{
		{"a program reads", "GET", "127.0.0.1:9480", nil, allowed, allowed},
		{"a program acts", "PUT", "127.0.0.1:9480", nil, allowed, allowed},
		{"IPv6", "GET", "[::1]:9480", nil, allowed, allowed},
		{"IPv6 without a port", "GET", "[::1]", nil, allowed, allowed},
		{"by name", "GET", "localhost", nil, allowed, allowed},
		{"by a name of loopback", "GET", "windvane.localhost.:9480", nil, allowed, allowed},
		{"HTTP/1.0", "GET", "", nil, allowed, allowed},
		{"behind a proxy that is known", "GET", "OPS.example", nil, allowed, allowed},
		{"a page whose name points here reads", "GET", "evil.example:9480", map[string]string{"Sec-Fetch-Site": "same-origin"}, denied, allowed},
		{"a page whose name points here acts", "PUT", "evil.example:9480", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example:9480"}, denied, allowed},
		{"a name that ends like localhost", "GET", "evillocalhost", nil, denied, allowed},
		{"a name that begins like an address", "GET", "127.0.0.1.evil.example", nil, denied, allowed},
		{"the own page acts", "POST", "localhost:9480", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:9480"}, allowed, allowed},
		{"the own page by the proxy acts", "POST", "127.0.0.1:9480", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://ops.example"}, allowed, allowed},
		{"another page acts", "POST", "localhost:9480", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, denied, denied},
		{"another port's page acts", "POST", "localhost:9480", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"}, denied, denied},
		{"a page of an old browser acts", "POST", "localhost:9480", map[string]string{"Origin": "https://evil.example"}, denied, denied},
		{"a page without an origin acts", "POST", "localhost:9480", map[string]string{"Origin": "null"}, denied, denied},
		{"another page deletes", "DELETE", "localhost:9480", map[string]string{"Sec-Fetch-Site": "cross-site"}, denied, denied},
		{"another page reads, and cannot see it", "GET", "localhost:9480", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, allowed, allowed},
	} {
		for _, at := range []struct {
			listener net.IP
			want     int
		}{{net.IPv4(127, 0, 0, 1), c.loopback}, {net.IPv6loopback, c.loopback}, {net.IPv4zero, c.open}, {net.IPv4(10, 0, 0, 1), c.open}} {
			h, err := protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(allowed) }),
				&net.TCPAddr{IP: at.listener, Port: 9480}, parse(t, "https://ops.example/windvane"))
			if err != nil {
				t.Fatal(err)
			}
			q := httptest.NewRequest(c.method, "/api/v1/status", http.NoBody)
			q.Host = c.host
			for name, v := range c.headers {
				q.Header.Set(name, v)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, q)
			if w.Code != at.want {
				t.Errorf("%s, listening on %s: %d, want %d: %s", c.what, at.listener, w.Code, at.want, w.Body)
			}
			if h := w.Header(); h.Get("Access-Control-Allow-Origin") != "" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
				t.Errorf("%s: headers %v", c.what, h)
			}
		}
	}
}

// Nobody acts by HTTP without authentication, wherever the listener is; the answer says
// what to do.
func TestActingNeedsAuthentication(t *testing.T) {
	const path, body = "/api/v1/meshes/shop/authority", `{"authority": "observe"}`
	open := start(t, func(o *Options) { o.EnableReload = true })
	web := users(t)
	closed := start(t, func(o *Options) { o.EnableReload, o.WebConfigFile = true, web })
	for _, c := range []struct {
		r             *rig
		user, origin  string
		reading, code int
		want          string
	}{
		{open, "", "", 200, 403, "nobody may act here without authentication: start windvane with --web.config.file"},
		{open, "ann:secret", "", 200, 403, "without authentication"}, // nobody has checked it
		{closed, "", "", 401, 401, ""},
		{closed, "ann:wrong", "", 401, 401, ""},
		{closed, "ann:secret", "", 200, 200, `{"by":"ann"}`},
		{closed, "ann:secret", "https://evil.example", 200, 403, "a web page of another origin may not act here"},
	} {
		headers := map[string]string{}
		if c.user != "" {
			headers["user"] = c.user
		}
		if c.origin != "" {
			headers["Origin"] = c.origin
		}
		if code, _, _ := c.r.do(http.MethodGet, "/api/v1/status", "", headers); code != c.reading {
			t.Errorf("user %q reads: %d, want %d", c.user, code, c.reading)
		}
		code, said, _ := c.r.do(http.MethodPut, path, body, headers)
		if code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("user %q sets: %d %s; want %d %s", c.user, code, said, c.code, c.want)
		}
		if code, _, _ := c.r.do(http.MethodPost, "/-/reload", "", headers); code != c.code {
			t.Errorf("user %q reloads: %d, want %d", c.user, code, c.code)
		}
	}
	if len(open.acted) != 0 || strings.Join(closed.acted, ",") != "shop observe by ann,reload" {
		t.Errorf("done: %q and %q", open.acted, closed.acted)
	}

	// Users that were removed while the daemon runs are gone at once, and everybody may read again.
	write(t, web, "{}")
	if code, _, _ := closed.do(http.MethodPut, path, body, map[string]string{"user": "ann:secret"}); code != 403 {
		t.Errorf("without users: %d, want 403", code)
	}
	if code, _, _ := closed.do(http.MethodGet, "/api/v1/status", "", nil); code != 200 {
		t.Errorf("without users, reading: %d, want 200", code)
	}
}

func TestReloadNeedsItsFlag(t *testing.T) {
	r := start(t, func(o *Options) { o.WebConfigFile = users(t) })
	if code, said, _ := r.do(http.MethodPost, "/-/reload", "", map[string]string{"user": "ann:secret"}); code != 403 || !strings.Contains(said, "--web.enable-lifecycle") {
		t.Errorf("%d %s", code, said)
	}
}
