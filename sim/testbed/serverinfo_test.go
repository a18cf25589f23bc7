package testbed_test

import (
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/windvane/windvane/sim/testbed"
)

func TestServerInfo(t *testing.T) {
	bed := start(t, options(20))
	advance(t, bed, 12*time.Second)
	p := prom(t, bed)
	if info, err := p.Buildinfo(t.Context()); err != nil || info.Version == "" {
		t.Errorf("%+v, %v", info, err)
	}
	result, err := p.Rules(t.Context(), nil)
	if err != nil || len(result.Groups) != 1 || result.Groups[0].Interval != 5 {
		t.Fatalf("%+v, %v", result, err)
	}
	found := map[string]v1.RecordingRule{}
	for _, r := range result.Groups[0].Rules {
		if r, ok := r.(v1.RecordingRule); ok {
			found[r.Name] = r
		}
	}
	latency := found["windvane:latency_seconds:p95"]
	if !strings.Contains(latency.Query, "istio_request_duration_milliseconds_bucket") || !latency.LastEvaluation.Equal(epoch.Add(10*time.Second)) || latency.Health != "ok" {
		t.Errorf("%+v", latency)
	}
	bed.Fail(testbed.Faults{Prometheus: true})
	if _, err := p.Rules(t.Context(), nil); err == nil {
		t.Error("a Prometheus that is down has rules")
	}
}
