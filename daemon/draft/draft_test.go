package draft_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/doctor"
	"github.com/windvane/windvane/daemon/draft"
	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newBed is a mesh that has run for a while: with the shipped rules, or without any.
func newBed(t *testing.T, recordingRules []byte) (*testbed.Testbed, daemon.DraftOptions) {
	t.Helper()
	g := emulator.Graph{BucketBounds: []float64{50, 100, 250, 500, 1000}}
	for _, n := range []string{"node-v1", "node-v2"} {
		g.Nodes = append(g.Nodes, emulator.Node{Name: n, Concurrency: 4, Replicas: 1, Work: emulator.Dist{Shape: emulator.Exponential, MeanSeconds: .05}})
	}
	for _, s := range []string{"information", "compute"} {
		g.Services = append(g.Services, emulator.Service{
			Name: s, Load: load.Constant(20), TimeoutSeconds: 5,
			Destinations: []emulator.Destination{
				{Name: "v1", Path: []emulator.Visit{{Node: "node-v1", Work: 1}}}, {Name: "v2", Path: []emulator.Visit{{Node: "node-v2", Work: 1}}},
			},
		})
	}
	bed, err := testbed.New(testbed.Options{Mesh: "shop", Graph: g, Seed: 1002, Rules: recordingRules, Start: epoch})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bed.Close() })
	if err := bed.Advance(3 * time.Minute); err != nil {
		t.Fatal(err)
	}
	return bed, daemon.DraftOptions{PrometheusURL: bed.PrometheusURL(), KubeconfigFile: kubeconfig(t, bed.KubernetesURL()), Timeout: 10 * time.Second, At: bed.Now()}
}

func kubeconfig(t *testing.T, url string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(testbed.Kubeconfig(url)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// written writes a draft and reads it as the daemon does; what is wrong in it fails the test.
func written(t *testing.T, d draft.Draft) *config.Config {
	t.Helper()
	dir := t.TempDir()
	if _, err := d.Write(dir); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(filepath.Join(dir, "windvane.toml"), daemon.BuiltinNames())
	if err != nil {
		t.Fatalf("check config: %v", err)
	}
	return c
}

func TestDraft(t *testing.T) {
	for _, c := range []struct {
		name     string
		rules    []byte
		interval time.Duration
		latency  string
		hint     string
	}{
		{"with recording rules", prometheus.IstioRules, 5 * time.Second, "windvane:latency_seconds:p95", "at most"},
		{"without", nil, 7 * time.Second, "histogram_quantile(0.95", "are not loaded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bed, o := newBed(t, c.rules)
			d, err := daemon.Draft(t.Context(), o)
			if err != nil || d.Services != 2 || len(d.Left)+len(d.Notes) > 0 {
				t.Fatalf("%+v, %v", d, err)
			}
			conf := written(t, d)
			for _, w := range conf.Warnings() {
				t.Errorf("check config warns: %v", w)
			}
			m := conf.Meshes[0]
			q, _ := m.Query("latency")
			if m.Name != "default" || m.Guard.Authority != rules.AuthorityObserve || m.Interval != c.interval || !strings.Contains(q.Expr, c.latency) {
				t.Errorf("mesh %s, %s, %v, latency %s", m.Name, m.Guard.Authority, m.Interval, q.Expr)
			}
			for _, s := range m.Services {
				if len(s.Routes) != 1 || s.Routes[0].VirtualService != "default/shop" || s.Routes[0].HTTP != s.Name || s.Blocking == nil {
					t.Errorf("%+v", s)
				}
				// The end of a bucket, above what was measured.
				if len(s.Objectives) != 1 || s.Objectives[0].Bound != .25 {
					t.Errorf("%s: %+v", s.Name, s.Objectives)
				}
			}
			text := d.Files[1].Text
			if !strings.Contains(text, c.hint) || !strings.Contains(text, "A PROPOSAL, yours to decide") {
				t.Errorf("the rules file:\n%s", text)
			}
			// doctor is the next step, and finds no problem but a state directory of the system's.
			report, err := daemon.Doctor(t.Context(), daemon.DoctorOptions{ConfigFile: conf.File, Timeout: 10 * time.Second, Now: bed.Now})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Findings {
				if f.Check != "state" && f.Status != doctor.OK {
					t.Errorf("doctor: %+v", f)
				}
			}
		})
	}
}

const item = `{"metadata":{"name":%q,"namespace":%q,"resourceVersion":"1"%s},"spec":{"http":[%s]}}`

// cluster lists VirtualServices.
func cluster(t *testing.T, items ...string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind":"VirtualServiceList","items":[`+strings.Join(items, ",")+`]}`)
	}))
	t.Cleanup(server.Close)
	return kubeconfig(t, server.URL)
}

func route(name string, destinations ...string) string {
	var out []string
	for _, d := range destinations {
		host, subset, _ := strings.Cut(d, "/")
		out = append(out, fmt.Sprintf(`{"destination":{"host":%q,"subset":%q},"weight":50}`, host, subset))
	}
	return fmt.Sprintf(`{"name":%q,"route":[%s]}`, name, strings.Join(out, ","))
}

// What cannot be set is listed with what to change, and without Prometheus bounds stay
// comments; the result is still a configuration.
func TestWhatIsLeft(t *testing.T) {
	o := daemon.DraftOptions{PrometheusURL: "http://127.0.0.1:1", Timeout: 10 * time.Second, At: epoch}
	o.KubeconfigFile = cluster(
		t,
		fmt.Sprintf(item, "reviews", "shop", "", strings.Join([]string{
			route("good", "reviews.shop.svc.cluster.local/v1", "reviews.shop.svc.cluster.local/v2"),
			route("also", "reviews/v1", "reviews/v2"),
			route("", "reviews/v1", "reviews/v2"),
			route("single", "reviews/v1"),
			route("twice", "reviews/v1", "reviews/v1"),
			route("two", "reviews", "ratings"),
			route("odd name", "reviews/v1", "reviews/v2"),
		}, ",")),
		fmt.Sprintf(item, "canary", "shop", `,"ownerReferences":[{"kind":"Canary","name":"c","controller":true}]`, route("primary", "a/v1", "a/v2")),
		fmt.Sprintf(item, "other", "bank", "", route("main", "ledger/v1", "ledger/v2")),
		fmt.Sprintf(item, "unusable", "club", "", route("\n# x", "b/v1", "b/v2")),
	)
	d, err := daemon.Draft(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	conf := written(t, d)
	if len(conf.Meshes) != 2 || conf.Meshes[0].Name != "bank" || len(conf.Meshes[1].Services) != 1 || len(conf.Meshes[1].Services[0].Routes) != 2 {
		t.Fatalf("%+v", conf.Meshes)
	}
	want := map[string]string{
		"shop/reviews/http[2]": "has no name; give it one", "shop/reviews/single": "at least 2", "shop/reviews/twice": "different subsets",
		"shop/reviews/two": "two services, reviews and ratings", "shop/reviews/odd name": "none that a rules file takes", "shop/canary/primary": "set by Canary c",
		"club/unusable/\n# x": "none that a rules file takes",
	}
	for _, l := range d.Left {
		if why, ok := want[l.Route]; !ok || !strings.Contains(l.Why, why) {
			t.Errorf("%+v, want %q", l, why)
		}
		delete(want, l.Route)
		if l.Namespace == "shop" && !strings.Contains(d.Files[2].Text, "#   "+l.Route+": ") && !strings.Contains(d.Files[2].Text, "# "+l.Route+": ") {
			t.Errorf("%s is no comment of\n%s", l.Route, d.Files[2].Text)
		}
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
	if !strings.Contains(strings.Join(d.Notes, "\n"), "no bound is proposed") || !strings.Contains(d.Files[2].Text, "# [[service.objective]]") {
		t.Errorf("notes %q", d.Notes)
	}
}

func TestNothingToWrite(t *testing.T) {
	o := daemon.DraftOptions{PrometheusURL: "http://127.0.0.1:1", Timeout: 10 * time.Second, At: epoch}
	o.KubeconfigFile = cluster(t, fmt.Sprintf(item, "reviews", "shop", "", route("", "reviews")))
	d, err := daemon.Draft(t.Context(), o)
	if !errors.Is(err, draft.ErrNothing) || len(d.Left) != 1 || len(d.Files) > 0 {
		t.Errorf("%+v, %v", d, err)
	}
	o.KubeconfigFile = kubeconfig(t, "http://127.0.0.1:1")
	if _, err := daemon.Draft(t.Context(), o); err == nil || !strings.Contains(err.Error(), "give --kubeconfig") {
		t.Errorf("no API server: %v", err)
	}
	o.PrometheusURL = "http://me:hunter2@x"
	if _, err := daemon.Draft(t.Context(), o); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("a secret URL: %v", err)
	}
}

func TestNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	d := draft.Draft{Files: []draft.File{{Path: "windvane.toml", Text: "new"}, {Path: "rules.d/a.toml", Text: "new"}}}
	if err := os.MkdirAll(filepath.Join(dir, "rules.d"), 0o750); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "rules.d", "a.toml")
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if paths, err := d.Write(dir); err == nil || len(paths) > 0 || !strings.Contains(err.Error(), "a.toml is there already") {
		t.Errorf("%v, %v", paths, err)
	}
	if b, err := os.ReadFile(old); err != nil || string(b) != "old" {
		t.Errorf("it is %q now, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "windvane.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}
