package station

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/eval"
)

const graphText = `
fault = { node = "a", servers = 0.5 }
[[node]]
name = "a"
servers = 4
work = "250ms"
shape = "lognormal"
variation = 0.3
[[node]]
name = "b"
servers = 2
work = "250ms"
shape = "lognormal"
variation = 0.3
[[service]]
name = "only"
load = { minimum = 6, maximum = 18 }
timeout = "1400ms"
retries = { attempts = 1, backoff = "100ms", after = ["504"] } # so that there is no oracle, which takes long
[[service.destination]]
name = "v1"
path = [{ node = "a" }]
[[service.destination]]
name = "v2"
path = [{ node = "b" }]
`

const rulesText = `
mesh = "one"
[signals]
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'
[[service]]
name = "only"
  [[service.objective]]
  signal = "latency"
  bound = "700ms"
  target = 0.95
  [[service.route]]
  virtual_service = "default/front"
  http = "only"
  destinations = ["v1", "v2"]
  levels = 6
  [service.blocking]
  maximum = 0.8
  levels = 5
[guard]
max_step = 0.2
total_blocking = 0.8
`

// intervals of each phase: a few, or as many as STATION_INTERVALS says.
func intervals(t *testing.T) int {
	t.Helper()
	text := os.Getenv("STATION_INTERVALS")
	if text == "" {
		return 16
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("STATION_INTERVALS: %v", err)
	}
	return n
}

func options(t *testing.T) (eval.EmulatorOptions, *Evaluation) {
	t.Helper()
	g, err := eval.ParseGraph("graph.toml", []byte(graphText))
	if err != nil {
		t.Fatal(err)
	}
	m, err := rules.Parse("rules.toml", []byte(rulesText))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "wvs") // short: plugins' sockets lie below it
	if err != nil {
		t.Fatal(err)
	}
	e := &Evaluation{Rules: []byte(rulesText), Dir: dir}
	t.Cleanup(func() {
		e.Wait()
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("%d files are left of the runs (%v)", len(left), err)
		}
		_ = os.RemoveAll(dir)
	})
	return eval.EmulatorOptions{
		Graph: g, Rules: m, Budgets: []float64{.05}, Delays: []eval.Delay{eval.DelayDaemon}, Controllers: []string{eval.ControllerFull},
		Seed: 1001, Runs: 1, Intervals: intervals(t), Daemon: e.Run,
		Ages: []time.Duration{0, 2 * time.Second},
	}, e
}

// What the daemon does with the mesh is what the same arithmetic does without a network,
// decision by decision, so that every figure is the same; and what windvane says of its
// error budgets is what the emulator has counted.
func TestTheDaemonIsTheLoopOfTheSimulations(t *testing.T) {
	o, e := options(t)
	var run atomic.Pointer[eval.DaemonRun]
	o.Daemon = func(ctx context.Context, r eval.DaemonRun) (*eval.DaemonTrace, error) {
		run.Store(&r)
		return e.Run(ctx, r)
	}
	r, err := eval.Emulator(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	n := len(r.Rows) / 3
	if n != 4 {
		t.Fatalf("%d rows; want one for each of 4 phases and 3 ways", len(r.Rows))
	}
	for i, row := range r.Rows[2*n:] {
		if row.Through != eval.ThroughDaemon || row.Age != 2 || row.Counted == 0 || row.Cycles != nil && *row.Cycles < 2 {
			t.Errorf("with samples that are 2 s old: row %d: %+v", i, row)
		}
	}
	changed := 0.
	for i, loop := range r.Rows[:n] {
		daemon := r.Rows[n+i]
		if changed += daemon.Change; daemon.Through != eval.ThroughDaemon || loop.Through != "" {
			t.Fatalf("row %d went through %q, its twin through %q", i, daemon.Through, loop.Through)
		}
		text := func(row eval.EmulatorRow) string {
			row.Through = ""
			b, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		if d := cmp.Diff(text(loop), text(daemon)); d != "" {
			t.Errorf("%s (-loop +daemon):\n%s", loop.Phase, d)
		}
	}
	if changed == 0 {
		t.Error("nothing was ever changed: the runs say nothing")
	}
	audits := 0
	for _, b := range r.Bars {
		if strings.HasPrefix(b.Name, "intervals") && b.Want == "<= 0" {
			if audits++; !b.Met {
				t.Errorf("%s: %v", b.Name, b.Got)
			}
		}
	}
	if audits != 6 {
		t.Errorf("%d audits, want 3 for each age", audits)
	}
	stopped(t, e, *run.Load())
}

// stopped runs a run again, and ends it in its midst.
func stopped(t *testing.T, e *Evaluation, run eval.DaemonRun) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	phase, ended := run.Loop.Phase, 0
	run.Loop.Phase = func(seconds float64) string {
		if ended++; ended == 5 {
			cancel()
		}
		return phase(seconds)
	}
	if _, err := e.Run(ctx, run); !errors.Is(err, context.Canceled) || ended > 6 {
		t.Errorf("stopped in its fifth interval, it ended after %d: %v", ended, err)
	}
}
