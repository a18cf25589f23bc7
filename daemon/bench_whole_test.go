package daemon_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/internal/bench"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/testbed"
)

// wide is many services, each on two nodes of its own, one in ten of them overloaded.
func wide(services int) emulator.Graph {
	g := emulator.Graph{BucketBounds: []float64{150, 200, 300, 400}}
	for i := range services {
		name := fmt.Sprintf("s%04d", i)
		mean := .05
		if i%10 == 0 {
			mean = 1.5
		}
		s := emulator.Service{Name: name, Load: load.Constant(2), TimeoutSeconds: 5}
		for _, v := range []string{"v1", "v2"} {
			node := name + "-" + v
			g.Nodes = append(g.Nodes, emulator.Node{Name: node, Concurrency: 1, Replicas: 1, Work: emulator.Dist{Shape: emulator.Exponential, MeanSeconds: mean}})
			s.Destinations = append(s.Destinations, emulator.Destination{Name: v, Path: []emulator.Visit{{Node: node, Work: 1}}})
		}
		g.Services = append(g.Services, s)
	}
	return g
}

// timed is a clock over a testbed, with what each cycle took.
type timed struct {
	testbed *testbed.Testbed
	left    int
	begun   time.Duration
	millis  []float64
	stages  map[loop.Stage]float64 // ms, in sum
	acted   int
	holds   map[string]int
	err     error
}

// Next implements daemon.Clock.
func (c *timed) Next(_ context.Context, _ string, interval time.Duration) (time.Time, error) {
	if c.left--; c.left < 0 {
		return time.Time{}, io.EOF
	}
	err := c.testbed.Advance(interval)
	c.begun = bench.CPUTime()
	return c.testbed.Now(), err
}

func (c *timed) watch(r loop.Report) {
	c.millis = append(c.millis, 1e3*(bench.CPUTime()-c.begun).Seconds())
	for _, s := range r.Stages {
		c.stages[s.Stage] += 1e3 * s.Took.Seconds()
	}
	if r.Intent.Act {
		c.acted++
	}
	c.holds[r.Intent.Hold]++
	if r.Err != nil {
		c.err = r.Err
	}
}

func benchWhole(t *testing.T, b *bench.Report, services, cycles int) {
	t.Helper()
	tb, err := testbed.New(testbed.Options{
		Mesh: "shop", Graph: wide(services), Seed: 1000, Rules: prometheus.IstioRules, Start: epoch, Retention: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tb.Close() }()
	r := &rig{t: t, dir: t.TempDir()}
	r.write("windvane.toml", fmt.Sprintf(configText, tb.PrometheusURL()))
	r.write("kubeconfig", testbed.Kubeconfig(tb.KubernetesURL()))
	var text strings.Builder
	for i := range services {
		_, _ = fmt.Fprintf(&text, serviceText, fmt.Sprintf("s%04d", i))
	}
	r.write("rules.d/shop.toml", fmt.Sprintf(rulesText, text.String(), "act", thresholdActive))
	c := &timed{testbed: tb, left: cycles, stages: map[loop.Stage]float64{}, holds: map[string]int{}}
	d, err := daemon.New(t.Context(), daemon.Options{
		ConfigFile: filepath.Join(r.dir, "windvane.toml"), Logger: slog.New(slog.DiscardHandler),
		Clock: c, Since: bench.CPUTime, Watch: c.watch,
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
	if c.err != nil || c.acted < cycles/2 {
		t.Errorf("%d of %d cycles acted; holds: %v, error %v", c.acted, cycles, c.holds, c.err)
	}
	name := fmt.Sprintf("cycle_%d_services", services)
	slices.Sort(c.millis)
	b.Add(name, bench.Median(c.millis), "ms", cycles)
	b.Add(name+"_max", c.millis[cycles-1], "ms", cycles)
	for _, s := range loop.Stages() {
		if sum := c.stages[s]; sum > 0 {
			b.Add(name+"_"+string(s)+"_mean", sum/float64(cycles), "ms", cycles)
		}
	}
}
