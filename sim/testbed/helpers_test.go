package testbed_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch is when the tests' virtual time starts.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// shop is two services that share two versions of a node tier, at rate requests/s each.
func shop(rate float64) emulator.Graph {
	service := func(name string, work, timeout float64) emulator.Service {
		return emulator.Service{
			Name: name, Load: load.Constant(rate), TimeoutSeconds: timeout, BoundSeconds: .035,
			Destinations: []emulator.Destination{
				{Name: "v1", Path: []emulator.Visit{{Node: "node-v1", Work: work}}},
				{Name: "v2", Path: []emulator.Visit{{Node: "node-v2", Work: work}}},
			},
		}
	}
	node := func(name string) emulator.Node {
		return emulator.Node{
			Name: name, Concurrency: 2, Replicas: 2,
			Work: emulator.Dist{Shape: emulator.Lognormal, MeanSeconds: .02, CV: .7},
		}
	}
	return emulator.Graph{
		Nodes:        []emulator.Node{node("node-v1"), node("node-v2")},
		Services:     []emulator.Service{service("information", 1, 1), service("compute", 2.5, 1)},
		BucketBounds: []float64{35, 75, 110, 150},
	}
}

// options are those of a testbed with the shipped rules.
func options(rate float64) testbed.Options {
	return testbed.Options{Mesh: "front", Graph: shop(rate), Seed: 1, Rules: prometheus.IstioRules, Start: epoch}
}

func start(t testing.TB, o testbed.Options) *testbed.Testbed {
	t.Helper()
	bed, err := testbed.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return bed
}

func advance(t testing.TB, bed *testbed.Testbed, d time.Duration) {
	t.Helper()
	if err := bed.Advance(d); err != nil {
		t.Fatal(err)
	}
}

// prom is the client that the daemon uses.
func prom(t testing.TB, bed *testbed.Testbed) v1.API {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: bed.PrometheusURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.(api.CloseIdler).CloseIdleConnections() })
	return v1.NewAPI(client)
}

// query evaluates an expression at the present virtual time; a failure ends the test.
func query(t testing.TB, bed *testbed.Testbed, p v1.API, expr string) model.Value {
	t.Helper()
	value, warnings, _, err := p.Query(context.Background(), expr, bed.Now())
	if err != nil || len(warnings) > 0 {
		t.Fatalf("query %s: %v, warnings %v", expr, err, warnings)
	}
	return value
}

// vector is query for an instant vector, by the value of one label.
func vector(t testing.TB, bed *testbed.Testbed, p v1.API, expr string, by model.LabelName) map[string]float64 {
	t.Helper()
	samples, ok := query(t, bed, p, expr).(model.Vector)
	if !ok {
		t.Fatalf("query %s does not give an instant vector", expr)
	}
	out := map[string]float64{}
	for _, s := range samples {
		key := string(s.Metric[by])
		if _, ok := out[key]; ok {
			t.Fatalf("query %s: two series with %s=%q", expr, by, key)
		}
		out[key] = float64(s.Value)
	}
	return out
}
