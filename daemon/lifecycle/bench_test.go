package lifecycle

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/internal/bench"
	"github.com/windvane/windvane/rules"
)

// TestBench is part of `make bench`: what windvane itself takes for a long history, beside
// what Prometheus takes to answer.
func TestBench(t *testing.T) {
	b := bench.Start(t)
	const days, services = 30, 10
	b.Section(fmt.Sprintf("collect: %d days at 5 s of %d services from Prometheus, without its own time; CPU time", days, services))
	m, err := rules.Parse("shop.toml", []byte(manyServices(services)))
	if err != nil {
		t.Fatal(err)
	}
	peak := uint64(0)
	o := Options{Rules: m, Prometheus: &Prometheus{API: synthetic{services: services}, Timeout: time.Minute}, From: instant(0), To: instant(days * 24 * 720)}
	o.Progress = func(int, int) {
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		peak = max(peak, s.HeapAlloc)
	}
	begin := bench.CPUTime()
	d, r, err := CollectFrom(t.Context(), o)
	if err != nil || d.Rows() < r.Intervals*9/10 || r.Intervals != days*24*720 {
		t.Fatalf("%d rows, %+v, %v", d.Rows(), r, err)
	}
	b.Add("collect_30d", (bench.CPUTime() - begin).Seconds(), "s", 1)
	b.Add("collect_30d_heap", float64(peak)/1e6, "MB", 1)
	b.Add("collect_30d_dataset", float64(8*d.Rows()*(len(d.Knobs)+3*len(d.Services)))/1e6, "MB", 1)
	begin = bench.CPUTime()
	if err := d.Quality(5).WriteText(io.Discard); err != nil {
		t.Fatal(err)
	}
	b.Add("quality_30d", (bench.CPUTime() - begin).Seconds(), "s", 1)
}

func manyServices(n int) string {
	head, _, _ := strings.Cut(meshText, "[[service]]")
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		_, _ = fmt.Fprintf(&b, `
[[service]]
name = "service-%d"
  [[service.objective]]
  signal = "latency"
  bound = "100ms"
  target = 0.95
  [[service.route]]
  virtual_service = "default/front"
  http = "service-%d"
  destinations = ["v1", "v2"]
  levels = 6
  [service.blocking]
  maximum = 0.8
  levels = 5
`, i, i)
	}
	return b.String()
}

// synthetic answers the queries of collect by formulas: loads that go up and down by the day,
// and settings that change every ten minutes.
type synthetic struct {
	v1.API
	services int
}

func (s synthetic) QueryRange(_ context.Context, expr string, r v1.Range, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	n := int(r.End.Sub(r.Start)/r.Step) + 1
	out := model.Matrix{}
	for k := range s.services {
		name := fmt.Sprintf("service-%d", k)
		parts := []string{""}
		if strings.Contains(expr, "windvane_route") {
			parts = []string{"v1", "v2"}
		}
		for _, part := range parts {
			stream := &model.SampleStream{
				Metric: model.Metric{"service": model.LabelValue(name), "route": model.LabelValue("default/front/" + name), "destination": model.LabelValue(part)},
				Values: make([]model.SamplePair, n),
			}
			for i := range stream.Values {
				at := r.Start.Add(time.Duration(i) * r.Step)
				stream.Values[i] = model.SamplePair{Timestamp: model.Time(at.UnixMilli()), Value: model.SampleValue(value(expr, part, k, at))}
			}
			out = append(out, stream)
		}
	}
	return out, nil, nil, nil
}

func value(expr, part string, service int, at time.Time) float64 {
	n := int(at.Unix() / 600)
	load := 50 + 40*math.Sin(2*math.Pi*float64(at.Unix())/86400+float64(service)) + float64((at.Unix()*7919+int64(service))%1000)/200
	switch weight := float64((n*(service+3))%6) / 5; {
	case strings.Contains(expr, "timestamp("):
		return float64(at.Unix())
	case strings.Contains(expr, "count_over_time"):
		return 5
	case part == "v1":
		return weight
	case part == "v2":
		return 1 - weight
	case strings.Contains(expr, "windvane_blocking"):
		return float64((n*(service+7))%5) / 5
	case strings.Contains(expr, "latency"):
		return .02 + load/5000
	}
	return load
}
