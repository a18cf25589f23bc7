package testbed_test

import (
	"context"
	"testing"
	"time"

	"github.com/windvane/windvane/sim/emulator"
)

// BenchmarkAdvance is what one control interval costs: 5 s of 60 requests/s, 5
// scrapes and an evaluation of the shipped rules, in the state after 20 minutes.
func BenchmarkAdvance(b *testing.B) {
	for _, c := range []struct {
		name  string
		rules bool
	}{{"rules", true}, {"none", false}} {
		b.Run(c.name, func(b *testing.B) {
			o := options(30)
			o.Initial = emulator.Settings{Blocking: []float64{.1, .1}}
			if !c.rules {
				o.Rules = nil
			}
			bed := start(b, o)
			advance(b, bed, 20*time.Minute)
			b.ReportAllocs()
			for b.Loop() {
				advance(b, bed, 5*time.Second)
			}
		})
	}
}

// BenchmarkQuery is an instant query through the client, over loopback.
func BenchmarkQuery(b *testing.B) {
	bed := start(b, options(30))
	advance(b, bed, 10*time.Minute)
	p := prom(b, bed)
	for name, expr := range map[string]string{
		"recorded":  "windvane:latency_seconds:p95",
		"timestamp": "max by (service) (timestamp(windvane:latency_seconds:p95))",
		"raw":       `sum by (destination_service_name) (rate(istio_requests_total{reporter="source"}[5s]))`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, err := p.Query(context.Background(), expr, bed.Now()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
