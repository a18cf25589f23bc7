package daemon

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/observe"
)

// guarded is a Prometheus behind TLS that asks who is there. Every signal is 1.
type guarded struct {
	mu      sync.Mutex
	refused int
	allowed func(*http.Request) bool
	tenants map[string]int // X-Scope-OrgID of what was answered
}

func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.allowed(r) {
		g.refused++
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	g.tenants[r.Header.Get("X-Scope-OrgID")]++
	_ = r.ParseForm()
	value := "1"
	if strings.Contains(r.Form.Get("query"), "timestamp(") {
		value = r.Form.Get("time")
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"service":"a"},"value":[%s,%q]}]}}`, r.Form.Get("time"), value)
}

const sourcesText = `
rules = ["*.rules"]
state_directory = "state"
[prometheus.first]
url = "%s/prefix"
  [prometheus.first.http]
  basic_auth = {username = "windvane", password_file = "password"}
  tls_config = {ca_file = "ca.pem", server_name = "example.com"}
  http_headers = {X-Scope-OrgID = {values = ["shop"]}}
[prometheus.second]
url = "%s"
  [prometheus.second.http]
  authorization = {type = "Bearer", credentials_file = "token"}
  tls_config = {ca_file = "ca.pem", server_name = "example.com"}
`

func serveTLS(t *testing.T, allowed func(*http.Request) bool) (*guarded, *httptest.Server) {
	t.Helper()
	g := &guarded{allowed: allowed, tenants: map[string]int{}}
	s := httptest.NewTLSServer(g)
	t.Cleanup(s.Close)
	return g, s
}

// Each mesh asks its own source, with what Prometheus' http_config can say: TLS with a
// CA, basic auth, a token, headers. Secrets in files are read again when they change.
func TestSourcesAndHowTheyAreReached(t *testing.T) {
	first, firstServer := serveTLS(t, func(r *http.Request) bool {
		name, password, _ := r.BasicAuth()
		return name == "windvane" && password == "hunter2" && strings.HasPrefix(r.URL.Path, "/prefix/api/v1/query") && strings.HasPrefix(r.UserAgent(), "windvane")
	})
	second, secondServer := serveTLS(t, func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer sesame" })
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("windvane.toml", fmt.Sprintf(sourcesText, firstServer.URL, secondServer.URL))
	write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: firstServer.Certificate().Raw})))
	write("password", "wrong")
	write("token", "sesame\n")
	for _, source := range []string{"first", "second"} {
		write(source+".rules", fmt.Sprintf("mesh = %q\nprometheus = %[1]q\n[signals]\noffered = 'offered'\n[[service]]\nname = 'a'\n[[service.route]]\nvirtual_service = 'default/%[1]s'\nhttp = 'a'\ndestinations = ['v1', 'v2']\n", source))
	}
	c, err := config.Load(filepath.Join(dir, "windvane.toml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	observers := map[string]*observe.Observer{}
	for _, m := range c.Meshes {
		source, _ := c.Source(m.Prometheus)
		client, err := newPrometheusClient(source)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.http.CloseIdleConnections)
		if observers[m.Name], err = newObserver(c, m, client); err != nil {
			t.Fatal(err)
		}
	}
	look := func(mesh string) string {
		o := observers[mesh].Observe(t.Context(), time.UnixMilli(1_800_000_000_000))
		if len(o.Problems) > 0 {
			return fmt.Sprintf("%s: %v", o.Problems[0].Kind, o.Problems[0].Err)
		}
		return o.State[0].Status.String()
	}
	if got := look("second"); got != "valid" {
		t.Errorf("with a token: %s", got)
	}
	if got := look("first"); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, "401") || strings.Contains(got, "wrong") {
		t.Errorf("with a wrong password: %s", got)
	}
	write("password", "hunter2")
	if got := look("first"); got != "valid" {
		t.Errorf("with the right password: %s", got)
	}
	if first.refused == 0 || second.refused != 0 || first.tenants["shop"] != 2 || second.tenants[""] != 2 || len(first.tenants)+len(second.tenants) != 2 {
		t.Errorf("first: %d refused, %v; second: %d refused, %v; want 2 queries answered each", first.refused, first.tenants, second.refused, second.tenants)
	}
}
