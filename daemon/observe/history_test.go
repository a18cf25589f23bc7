package observe_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/testbed"
)

const shop = `
mesh = "shop"
interval = "5s"
[signals]
by = "service"
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'
split = 'windvane:split:ratio'
[[service]]
name = "a"
  [[service.route]]
  virtual_service = "default/front"
  http = "a"
  destinations = ["v1", "v2"]
  levels = 3
[[service]]
name = "b"
  [service.blocking]
  maximum = 0.5
  [service.signals]
  offered = 'windvane:offered:rate{service="b"}'
  carried = 'windvane:carried:rate{service="b"}'
  latency = 'windvane:latency_seconds:p95{service="b"}'
`

// What is asked at once of a range is what would have been observed at each of its instants:
// values, their ages and what is wrong with them, before there was traffic, over an outage of
// scrapes and after it.
func TestHistoryIsWhatWasObserved(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	service := emulator.Service{Name: "a", Load: load.Constant(20), TimeoutSeconds: 1, BoundSeconds: .035}
	for _, v := range []string{"v1", "v2"} {
		service.Destinations = append(service.Destinations, emulator.Destination{Name: v, Path: []emulator.Visit{{Node: "node", Work: 1}}})
	}
	bed, err := testbed.New(testbed.Options{
		Mesh: "front", Seed: 1001, Start: start, Rules: prometheus.IstioRules,
		Graph: emulator.Graph{
			Nodes: []emulator.Node{{
				Name: "node", Concurrency: 2, Replicas: 2, Work: emulator.Dist{Shape: emulator.Lognormal, MeanSeconds: .02, CV: .7},
			}},
			Services: []emulator.Service{service}, BucketBounds: []float64{35, 75, 110, 150},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(api.Config{Address: bed.PrometheusURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.(api.CloseIdler).CloseIdleConnections()
		if err := bed.Close(); err != nil {
			t.Error(err)
		}
	})
	m, err := rules.Parse("shop.toml", []byte(shop))
	if err != nil {
		t.Fatal(err)
	}
	prom := v1.NewAPI(client)
	o := observe.ForMesh(m)
	o.API, o.Timeout, o.Offset = prom, 5*time.Second, 1500*time.Millisecond
	ob, err := observe.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 24 {
		bed.Fail(testbed.Faults{Scrapes: i/8 == 1})
		if err := bed.Advance(5 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	history, err := ob.History(t.Context(), prom, start, bed.Now(), m.Interval)
	if err != nil || len(history) != 25 {
		t.Fatalf("%d observations, %v; want 25", len(history), err)
	}
	valid := 0
	for i, got := range history {
		want := ob.Observe(t.Context(), start.Add(time.Duration(i)*m.Interval))
		if d := cmp.Diff(want.State, got.State); d != "" {
			t.Errorf("instant %d (-observed +history):\n%s", i, d)
		}
		if len(got.Problems) != len(want.Problems) || !got.At.Equal(want.At) {
			t.Errorf("instant %d: at %v with %v; observed at %v with %v", i, got.At, got.Problems, want.At, want.Problems)
		}
		if _, ok := got.State.Role("a", policy.RoleLatency).Get(); ok {
			valid++
		}
	}
	if valid < 10 || valid > 18 {
		t.Errorf("%d of 25 latencies are valid; a third should be lost to the outage", valid)
	}
	bed.Fail(testbed.Faults{Prometheus: true})
	if _, err := ob.History(t.Context(), prom, start, bed.Now(), m.Interval); err == nil || !strings.Contains(err.Error(), "signal carried: ") || !strings.Contains(err.Error(), "switched off by the test") {
		t.Errorf("an outage of Prometheus: error %v; want one with the signal and its reason", err)
	}
}
