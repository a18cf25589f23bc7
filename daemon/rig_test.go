package daemon_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/internal/lockedbuffer"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/testbed"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// rig is a daemon against a testbed, in lock-step.
type rig struct {
	t       *testing.T
	testbed *testbed.Testbed
	dir     string
	sockets string
	daemon  *daemon.Daemon
	log     *lockedbuffer.Buffer
	url     string // of the daemon's HTTP server

	mu      sync.Mutex
	cycles  int           // still to run
	early   time.Duration // after the last cycle, one that is woken comes; 0: none does
	reports []loop.Report
	resumed chan struct{}
}

// shop is two services on two versions of a node, overloaded on v1 with equal weights.
func shop() emulator.Graph {
	g := emulator.Graph{
		Nodes: []emulator.Node{
			{Name: "node-v1", Concurrency: 2, Replicas: 1, Work: emulator.Dist{Shape: emulator.Exponential, MeanSeconds: .08}},
			{Name: "node-v2", Concurrency: 4, Replicas: 1, Work: emulator.Dist{Shape: emulator.Exponential, MeanSeconds: .08}},
		},
		BucketBounds: []float64{150, 200, 300, 400},
	}
	for _, s := range []struct {
		name string
		rate float64
	}{{"information", 25}, {"compute", 20}} {
		g.Services = append(g.Services, emulator.Service{
			Name: s.name, Load: load.Constant(s.rate), TimeoutSeconds: 5,
			Destinations: []emulator.Destination{
				{Name: "v1", Path: []emulator.Visit{{Node: "node-v1", Work: 1}}},
				{Name: "v2", Path: []emulator.Visit{{Node: "node-v2", Work: 1}}},
			},
		})
	}
	return g
}

const rulesText = `
mesh = "shop"
prometheus = "main"
interval = "5s"
settle = "1s"

[signals]
by = "service"
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'
%s
[guard]
authority = "%s"
max_step = 0.4
total_blocking = 0.9
%s
`

const serviceText = `
[[service]]
name = "%s"
  [[service.objective]]
  signal = "latency"
  bound = "300ms"
  target = 0.95
  [[service.route]]
  virtual_service = "default/shop"
  http = "%[1]s"
  destinations = ["v1", "v2"]
  [service.blocking]
  maximum = 0.8
`

const configText = `
rules = ["rules.d/*.toml"]
state_directory = "state"

[prometheus.main]
url = "%s"
timeout = "1m"

[kubernetes]
kubeconfig_file = "kubeconfig"
timeout = "1m"

[plugin.rules]
builtin = "threshold"

[plugin.planner]
builtin = "tabular"
deadline = "1m"
`

// newRig writes the files and opens the testbed; nothing runs yet.
func newRig(t *testing.T, authority, policies string) *rig {
	t.Helper()
	sockets, err := os.MkdirTemp("", "wv") // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sockets) })
	r := &rig{t: t, dir: t.TempDir(), sockets: sockets, log: &lockedbuffer.Buffer{}}
	tb, err := testbed.New(testbed.Options{Mesh: "shop", Graph: shop(), Seed: 7, Rules: prometheus.IstioRules, Start: epoch})
	if err != nil {
		t.Fatal(err)
	}
	r.testbed = tb
	t.Cleanup(func() {
		if err := tb.Close(); err != nil {
			t.Error(err)
		}
	})
	r.write("windvane.toml", fmt.Sprintf(configText, tb.PrometheusURL()))
	r.write("kubeconfig", testbed.Kubeconfig(tb.KubernetesURL()))
	r.rules(authority, policies)
	return r
}

func (r *rig) rules(authority, policies string) {
	services := fmt.Sprintf(serviceText, "information") + fmt.Sprintf(serviceText, "compute")
	r.write("rules.d/shop.toml", fmt.Sprintf(rulesText, services, authority, policies))
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// start starts a daemon whose cycles wait for run.
func (r *rig) start() {
	r.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.url = "http://" + listener.Addr().String()
	r.resumed = make(chan struct{}, 1)
	r.daemon, err = daemon.New(r.t.Context(), daemon.Options{
		ConfigFile: filepath.Join(r.dir, "windvane.toml"), Listener: listener, EnableLifecycle: true,
		RuntimeDirectory: r.sockets, Logger: slog.New(slog.NewTextHandler(r.log, nil)), Clock: r,
		Watch: func(report loop.Report) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.reports = append(r.reports, report)
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.daemon.Start(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	d := r.daemon
	r.t.Cleanup(func() {
		if err := d.Stop(context.Background()); err != nil {
			r.t.Error(err)
		}
	})
}

// Next implements daemon.Clock: virtual time passes when a cycle is wanted.
func (r *rig) Next(ctx context.Context, _ string, interval time.Duration) (time.Time, error) {
	if err := r.wanted(ctx); err != nil {
		return time.Time{}, err
	}
	return r.pass(interval)
}

// NextOrWoken implements daemon.EarlyClock: what comes before a cycle is wanted wakes.
func (r *rig) NextOrWoken(ctx context.Context, w daemon.Wait) (time.Time, string, error) {
	if err := r.wanted(ctx); err != nil {
		return time.Time{}, "", err
	}
	interval, why := w.Interval, ""
	switch {
	case r.early > 0 && w.Early:
		interval -= r.early
	case r.early > 0:
		select {
		case why = <-w.Woken:
			interval = r.early
		default:
		}
	}
	at, err := r.pass(interval)
	return at, why, err
}

// wanted waits until a cycle is.
func (r *rig) wanted(ctx context.Context) error {
	for {
		r.mu.Lock()
		run := r.cycles > 0
		if run {
			r.cycles--
		}
		r.mu.Unlock()
		if run {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.resumed:
		}
	}
}

func (r *rig) pass(interval time.Duration) (time.Time, error) {
	if err := r.testbed.Advance(interval); err != nil {
		return time.Time{}, err
	}
	return r.testbed.Now(), nil
}

var _ daemon.EarlyClock = (*rig)(nil)

// run lets n cycles happen and returns their reports.
func (r *rig) run(n int) []loop.Report {
	r.t.Helper()
	r.mu.Lock()
	r.reports = nil
	r.cycles = n
	r.mu.Unlock()
	r.resumed <- struct{}{}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		r.mu.Lock()
		done := len(r.reports) == n
		reports := r.reports
		r.mu.Unlock()
		if done {
			return reports
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d of %d cycles in two minutes; log:\n%s", len(reports), n, r.log)
		}
		time.Sleep(time.Millisecond)
	}
}

func (r *rig) stop() {
	r.t.Helper()
	if err := r.daemon.Stop(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

const thresholdActive = `
[[policy]]
name = "simple"
plugin = "rules"
role = "active"
`

func holds(reports []loop.Report) (reasons []string) {
	for _, r := range reports {
		if r.Intent.Hold != "" {
			reasons = append(reasons, r.Intent.Hold)
		}
	}
	return reasons
}

func join(reasons []string) string { return strings.Join(reasons, ",") }
