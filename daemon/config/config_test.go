package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	promconfig "github.com/prometheus/common/config"
	"go.uber.org/goleak"

	"github.com/windvane/windvane/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var builtins = []string{"tabular", "threshold"}

func TestLoad(t *testing.T) {
	t.Chdir("testdata")
	got, err := Load("good/full.toml", builtins)
	if err != nil {
		t.Fatal(err)
	}
	main, second := promconfig.DefaultHTTPClientConfig, promconfig.DefaultHTTPClientConfig
	main.FollowRedirects = false
	main.BasicAuth = &promconfig.BasicAuth{Username: "windvane", PasswordFile: "good/secrets/password"}
	main.TLSConfig.CAFile = "/etc/ca.pem"
	second.Authorization = &promconfig.Authorization{Type: "Bearer", Credentials: "hunter2"}
	want := &Config{
		File: "good/full.toml", Dir: "good", StateDirectory: "good/state",
		Prometheus: []Prometheus{
			{Name: "main", URL: "https://prometheus.example/prefix", QueryOffset: time.Second, Timeout: 2 * time.Second, HTTP: main},
			{Name: "second", URL: "http://127.0.0.1:9090", HTTP: second},
		},
		Kubernetes: Kubernetes{KubeconfigFile: "good/kubeconfig", Context: "test", Timeout: 500 * time.Millisecond},
		Lease:      Lease{Namespace: "windvane", Name: "shops", Duration: 20 * time.Second},
		Alerts:     Alerts{CredentialsFile: "good/secrets/alerts", Username: "alertmanager", PasswordFile: "/etc/secret", Expiry: time.Hour},
		Journal:    Journal{MaximumAge: 7 * 24 * time.Hour, MaximumSize: 512 << 20},
		Plugins: []Plugin{
			{Name: "mine", Command: []string{"good/bin/mine", "--flag"}, Deadline: 5 * time.Second, StartTimeout: time.Minute},
			{Name: "planner", Builtin: "tabular", Deadline: DefaultDeadline, StartTimeout: DefaultStartTimeout},
			{Name: "sealed", Command: []string{"/usr/bin/sealed"}, SHA256: strings.Repeat("0a", 32), Deadline: DefaultDeadline, StartTimeout: DefaultStartTimeout},
		},
	}
	ignore := cmp.Options{cmpopts.IgnoreFields(Config{}, "Meshes"), cmpopts.IgnoreUnexported(Config{}, promconfig.ProxyConfig{})}
	if d := cmp.Diff(want, got, ignore); d != "" {
		t.Errorf("configuration (-want +got):\n%s", d)
	}
	if len(got.Meshes) != 1 || got.Meshes[0].Name != "shop" || got.Meshes[0].File != "rules/shop.toml" {
		t.Errorf("meshes %+v, want shop once, although two patterns match it", got.Meshes)
	}
	var warnings rules.Problems = got.Warnings()
	wantWarnings := `good/full.toml:19: prometheus.second.http.bearer_token: is a secret in the configuration (put it into a file of its own and use bearer_token_file)
good/full.toml:30: plugin.mine.command: the program is not verified (add sha256 = "…")`
	if d := cmp.Diff(wantWarnings, warnings.Error()); d != "" {
		t.Errorf("warnings (-want +got):\n%s", d)
	}
	if p, ok := got.Source("second"); !ok || p.Name != "second" {
		t.Errorf("Source: %+v, %v", p, ok)
	}
	if p, ok := got.Plugin("mine"); !ok || p.Name != "mine" {
		t.Errorf("Plugin: %+v, %v", p, ok)
	}
	_, source := got.Source("third")
	if _, plugin := got.Plugin("third"); source || plugin {
		t.Error("found what is not there")
	}
}

func TestWhatTakesTooLongIsWarnedOf(t *testing.T) {
	dir := t.TempDir()
	shop, err := filepath.Abs("testdata/rules/shop.toml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "windvane.toml")
	text := "rules = ['" + shop + "']\nstate_directory = '/s'\n[prometheus.main]\nurl = 'http://h'\ntimeout = '5s'\nquery_offset = '10s'\n" +
		"[plugin.planner]\nbuiltin = 'tabular'\ndeadline = '5s'\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, builtins)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Alerts{Expiry: 15 * time.Minute}); c.Alerts != want {
		t.Errorf("alerts %+v, want %+v", c.Alerts, want)
	}
	if want := (Journal{MaximumAge: 90 * 24 * time.Hour, MaximumSize: 4 << 30}); c.Journal != want {
		t.Errorf("journal %+v, want %+v", c.Journal, want)
	}
	if c.Lease != (Lease{}) {
		t.Errorf("lease %+v, want none", c.Lease)
	}
	want := []string{
		"windvane.toml:5: prometheus.main.timeout: a cycle of mesh shop may wait 5s for its signals, no less than its interval of 5s (lower it, or remove it: two fifths of the interval are the default)",
		"windvane.toml:6: prometheus.main.query_offset: mesh shop sees its signals 10s late, no less than its interval of 5s (each interval of delay costs carried load: lower it to what late scrapes need)",
		"policy[0].plugin: the plugin may take 5s, no less than the interval of 5s (lower plugin.planner.deadline)",
	}
	got := c.Warnings()
	if len(got) != len(want) {
		t.Fatalf("warnings: %v", got)
	}
	for i, w := range got {
		if !strings.HasSuffix(w.String(), want[i]) {
			t.Errorf("got %q, want %q", w, want[i])
		}
	}
}

var update = flag.Bool("update", false, "rewrite the expected messages of testdata/bad")

// Every message in full: what is wrong, where, and what to do. No secret is in any.
func TestBadFiles(t *testing.T) {
	t.Chdir("testdata")
	files, err := filepath.Glob("bad/*.toml")
	if err != nil || len(files) < 20 {
		t.Fatalf("testdata/bad has %d files (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := Load(file, builtins)
			if _, ok := errors.AsType[rules.Problems](err); !ok || c != nil {
				t.Fatalf("got %v, %v, want Problems", c, err)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("a secret is in the message: %v", err)
			}
			golden := strings.TrimSuffix(file, ".toml") + ".err"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, readErr := os.ReadFile(golden)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if d := cmp.Diff(string(want), err.Error()+"\n"); d != "" {
				t.Errorf("message (-want +got):\n%s", d)
			}
		})
	}
}

func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.toml"), builtins); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(dir, builtins); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("directory: %v", err)
	}
}
