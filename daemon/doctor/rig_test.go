package doctor_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/doctor"
	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// rig is a directory with the files of a mesh, and a testbed that they name.
type rig struct {
	t           *testing.T
	dir         string
	bed         *testbed.Testbed
	prom, kube  *proxy
	options     daemon.DoctorOptions
	rules, conf string
}

// proxy stands before a server of the testbed and answers some paths itself.
type proxy struct {
	*httptest.Server
	mu     sync.Mutex
	own    map[string]http.HandlerFunc
	writes []string // methods and paths of what may change something
}

func newProxy(t *testing.T, target string) *proxy {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }, Transport: transport}
	p := &proxy{own: map[string]http.HandlerFunc{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		own := p.own[r.URL.Path]
		if r.Method != http.MethodGet {
			p.writes = append(p.writes, r.Method+" "+r.URL.Path)
		}
		p.mu.Unlock()
		if own != nil {
			own(w, r)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// answer makes the proxy answer a path.
func (p *proxy) answer(path string, code int, body string) {
	p.own[path] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// edit changes the object at a path on its way.
func (p *proxy) edit(t *testing.T, target, path string, change func(o map[string]any)) {
	t.Helper()
	answer, err := http.Get(target + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	http.DefaultClient.CloseIdleConnections()
	var o map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&o); err != nil {
		t.Fatal(err)
	}
	change(o)
	body, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	p.answer(path, http.StatusOK, string(body))
}

const (
	vsPath     = "/apis/networking.istio.io/v1/namespaces/default/virtualservices/shop"
	nodePath   = "/apis/apps/v1/namespaces/default/deployments/node-v1"
	reviewPath = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
)

func shop() emulator.Graph {
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
	return g
}

const confText = `
rules = ["shop.toml"]
state_directory = "state"
[prometheus.main]
url = "PROMETHEUS"
timeout = "4s"
[kubernetes]
kubeconfig_file = "kubeconfig"
[plugin.rules]
builtin = "threshold"
`

const rulesText = `
mesh = "shop"
interval = "5s"
settle = "1s"
[signals]
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'
split = 'windvane:split:ratio'
[[service]]
name = "information"
  [[service.objective]]
  signal = "latency"
  bound = "250ms"
  target = 0.95
  [[service.route]]
  virtual_service = "default/shop"
  http = "information"
  destinations = ["v1", "v2"]
  [service.blocking]
  maximum = 0.5
[[service]]
name = "compute"
  [[service.objective]]
  signal = "latency"
  bound = "500ms"
  target = 0.95
  [[service.route]]
  virtual_service = "default/shop"
  http = "compute"
  destinations = ["v1", "v2"]
  [service.blocking]
  maximum = 0.5
[[workload]]
name = "node-v1"
deployment = "default/node-v1"
replicas = {minimum = 1, maximum = 3, cost = 0.1}
[[policy]]
name = "rules"
plugin = "rules"
role = "active"
[guard]
authority = "act"
`

func newRig(t *testing.T) *rig { return rigOn(t, newBed(t)) }

// newBed opens a testbed that has run for a while.
func newBed(t *testing.T) *testbed.Testbed {
	t.Helper()
	bed, err := testbed.New(testbed.Options{Mesh: "shop", Graph: shop(), Seed: 1001, Rules: prometheus.IstioRules, Start: epoch})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := bed.Advance(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	return bed
}

// rigOn makes the files and the proxies for a testbed.
func rigOn(t *testing.T, bed *testbed.Testbed) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), bed: bed, prom: newProxy(t, bed.PrometheusURL()), kube: newProxy(t, bed.KubernetesURL()), rules: rulesText, conf: confText}
	r.write("kubeconfig", testbed.Kubeconfig(r.kube.URL))
	if err := os.Mkdir(filepath.Join(r.dir, "state"), 0o750); err != nil {
		t.Fatal(err)
	}
	r.options = daemon.DoctorOptions{ConfigFile: filepath.Join(r.dir, "windvane.toml"), Timeout: 10 * time.Second, Now: bed.Now}
	return r
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) examine() doctor.Report {
	r.t.Helper()
	r.write("windvane.toml", strings.ReplaceAll(r.conf, "PROMETHEUS", r.prom.URL))
	r.write("shop.toml", r.rules)
	report, err := daemon.Doctor(r.t.Context(), r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

// find returns the findings of a check about objects whose name holds a text.
func find(report doctor.Report, check, object string) []doctor.Finding {
	var out []doctor.Finding
	for _, f := range report.Findings {
		if f.Check == check && strings.Contains(f.Object, object) {
			out = append(out, f)
		}
	}
	return out
}

func text(t *testing.T, report doctor.Report, all bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteText(&b, all); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var (
	testbedScrapes    = testbed.Faults{Scrapes: true}
	testbedPrometheus = testbed.Faults{Prometheus: true}
	testbedKubernetes = testbed.Faults{Kubernetes: true}
)
