package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/testbed"
)

// observed is a daemon in authority observe, whose policies want to change something in
// every cycle, and what it is given in place of time.
type observed struct {
	t       *testing.T
	testbed *testbed.Testbed
	left    int
	plans   int // cycles that would have changed something
	between func(cycle int)
}

// Next implements daemon.Clock.
func (o *observed) Next(_ context.Context, _ string, interval time.Duration) (time.Time, error) {
	if o.left--; o.left < 0 {
		return time.Time{}, io.EOF
	}
	if err := o.testbed.Advance(interval); err != nil {
		return time.Time{}, err
	}
	return o.testbed.Now(), nil
}

func (o *observed) watch(r loop.Report) {
	if len(r.Intent.Plan) > 0 {
		o.plans++
	}
	if r.Intent.Act {
		o.t.Errorf("cycle %d acts", r.Intent.Cycle)
	}
	o.between(int(r.Intent.Cycle))
}

// overloaded is a service on a node that cannot carry it.
func overloaded() emulator.Graph {
	return emulator.Graph{
		Nodes: []emulator.Node{
			{Name: "node-v1", Concurrency: 1, Replicas: 1, Work: emulator.Dist{Shape: emulator.Exponential, MeanSeconds: 2}},
			{Name: "node-v2", Concurrency: 1, Replicas: 1, Work: emulator.Dist{Shape: emulator.Exponential, MeanSeconds: 2}},
		},
		BucketBounds: []float64{150, 300, 1000},
		Services: []emulator.Service{{
			Name: "front", Load: load.Constant(2), TimeoutSeconds: 5,
			Destinations: []emulator.Destination{
				{Name: "v1", Path: []emulator.Visit{{Node: "node-v1", Work: 1}}},
				{Name: "v2", Path: []emulator.Visit{{Node: "node-v2", Work: 1}}},
			},
		}},
	}
}

var observedFiles = map[string]string{
	"windvane.toml": `
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
`,
	"rules.d/shop.toml": `
mesh = "shop"
prometheus = "main"
interval = "5s"
settle = "1s"
[signals]
by = "service"
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'
[[service]]
name = "front"
  [[service.objective]]
  signal = "latency"
  bound = "300ms"
  target = 0.95
  [[service.route]]
  virtual_service = "default/shop"
  http = "front"
  destinations = ["v1", "v2"]
  [service.blocking]
  maximum = 0.8
[[workload]]
name = "node-v1"
deployment = "default/node-v1"
replicas = {minimum = 1, maximum = 4}
[guard]
authority = "observe"
max_step = 0.4
total_blocking = 0.9
[[policy]]
name = "simple"
plugin = "rules"
role = "active"
[[policy]]
name = "candidate"
plugin = "rules"
role = "shadow"
`,
}

// commandLines have a line for every subcommand, to be given beside the daemon; where it is
// empty, the remark says why it cannot reach the API server. Some are of subcommands to come.
var commandLines = map[string]string{
	"approve":          "approve --url URL",
	"backtest":         "", // of files
	"check config":     "check config windvane.toml",
	"check rules":      "check rules rules.d/shop.toml",
	"check web-config": "", // of a file
	"collect":          "", // of the journal
	"decisions":        "decisions --url URL",
	"demo":             "", // has a mesh of its own
	"doctor":           "doctor --config.file windvane.toml",
	"evaluate":         "", // of files
	"explain":          "explain --state-directory state",
	"import slo":       "", // of files
	"import trace":     "", // of files
	"init":             "init --kubeconfig kubeconfig -o first",
	"journal verify":   "journal verify --state-directory state",
	"mode":             "mode --config.file windvane.toml",
	"plugin check":     "", // of a process
	"plugin serve":     "", // is for the daemon
	"policy demote":    "policy demote --url URL --reason tried candidate",
	"policy inspect":   "policy inspect --url URL simple",
	"policy list":      "policy list --url URL",
	"policy promote":   "policy promote --url URL --reason tried --force candidate",
	"release":          "release --config.file windvane.toml --dry-run",
	"run":              "", // is what runs
	"sim serve":        "", // of files
	"status":           "status --url URL",
	"test rules":       "", // of files
	"train":            "", // of files
}

// subcommands are those of the program's help.
func subcommands(t *testing.T) []string {
	t.Helper()
	help, err := exec.Command(filepath.Join(built, "windvane"), "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	_, commands, _ := strings.Cut(string(help), "\nCommands:\n")
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+(?: [a-z-]+)?)\*?(?: .*)?$`).FindAllStringSubmatch(commands, -1) {
		if m[1] != "help" {
			out = append(out, m[1])
		}
	}
	return out
}

// In authority observe the API server is only ever read, whatever the policies want and
// whichever command is given beside: not even a dry run reaches it. OBSERVE_TEST_CYCLES=1000
// is the whole run.
func TestObserveWritesNothing(t *testing.T) {
	cycles := 100
	if n, err := strconv.Atoi(os.Getenv("OBSERVE_TEST_CYCLES")); err == nil && n > 0 {
		cycles = n
	}
	o := &observed{t: t, left: cycles}
	var err error
	o.testbed, err = testbed.New(testbed.Options{
		Mesh: "shop", Graph: overloaded(), Seed: 1007, Rules: prometheus.IstioRules,
		Retention: time.Minute, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.testbed.Close() }()
	dir := t.TempDir()
	files := maps.Clone(observedFiles)
	files["kubeconfig"] = testbed.Kubeconfig(o.testbed.KubernetesURL())
	for name, text := range files {
		text = strings.Replace(text, "%s", o.testbed.PrometheusURL(), 1)
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	names := subcommands(t)
	o.between = func(cycle int) {
		if cycle == cycles/2 {
			o.beside(dir, "http://"+listener.Addr().String(), names)
		}
	}
	d, err := daemon.New(t.Context(), daemon.Options{
		ConfigFile: filepath.Join(dir, "windvane.toml"), Listener: listener, RuntimeDirectory: dir,
		Logger: slog.New(slog.DiscardHandler), Clock: o, Watch: o.watch,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-d.Done()
	if err := d.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// With the daemon gone, releasing is allowed, and there is nothing to give back.
	if out, err := o.run(dir, "release --config.file windvane.toml"); err != nil {
		t.Errorf("release: %v\n%s", err, out)
	}
	got := o.testbed.Requests()
	t.Logf("%d cycles, of which %d had a plan; requests to the API server: %v", cycles, o.plans, got)
	if o.plans < cycles/2 || got["GET"] < 2*cycles {
		t.Errorf("only %d of %d cycles had a plan, with %d reads", o.plans, cycles, got["GET"])
	}
	delete(got, "GET")
	delete(got, "review")
	if len(got) > 0 {
		t.Errorf("requests that are no reads: %v", slices.Sorted(maps.Keys(got)))
	}
}

// beside runs every subcommand while the daemon runs.
func (o *observed) beside(dir, url string, names []string) {
	for _, name := range names {
		line, known := commandLines[name]
		if !known {
			o.t.Errorf("windvane %s is not in commandLines: what it sends to the API server has to be tested", name)
		}
		if line == "" {
			continue
		}
		before := o.testbed.Requests()
		out, err := o.run(dir, strings.ReplaceAll(line, "URL", url))
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == exitUsage {
			o.t.Errorf("windvane %s is not how it is used: mend commandLines", line)
		}
		o.t.Logf("windvane %s: %v; requests %v\n%.300s", line, err, difference(before, o.testbed.Requests()), out)
	}
}

func (o *observed) run(dir, line string) (string, error) {
	c := exec.Command(filepath.Join(built, "windvane"), strings.Fields(line)...)
	c.Dir = dir
	c.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+dir)
	out, err := c.CombinedOutput()
	return string(out), err
}

func difference(before, after map[string]int) string {
	var out []string
	for _, what := range slices.Sorted(maps.Keys(after)) {
		if n := after[what] - before[what]; n > 0 {
			out = append(out, fmt.Sprintf("%s: %d", what, n))
		}
	}
	return strings.Join(out, ", ")
}
