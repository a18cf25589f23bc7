package main

import (
	"fmt"
	"strings"

	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
)

// names are those of the services of a small mesh.
var names = []string{"cart", "catalogue", "checkout", "payments", "recommendations", "search", "sessions", "shipping"}

// many is from how many services on they are numbered, and their load is small.
const many = 50

func nameOf(i, services int) string {
	if services <= len(names) {
		return names[i]
	}
	return fmt.Sprintf("service-%04d", i)
}

// graph is services on two nodes each. In a small mesh the load goes up and down, and the third
// service has more than there is room for now and then; in a large one each tenth has.
func graph(services int) emulator.Graph {
	g := emulator.Graph{BucketBounds: []float64{100, 150, 200, 300, 400, 600}}
	for i := range services {
		name := nameOf(i, services)
		mean, wave := .05, load.Sine{Mean: 24 + 6*float64(i%3), Amplitude: 10, PeriodSeconds: 300 + 40*float64(i), Phase: float64(i)}
		if i == 2 {
			wave.Mean, wave.Amplitude = 50, 30
		}
		offered := load.Process(wave)
		if services >= many {
			offered = load.Constant(2)
			if i%10 == 0 {
				mean = 1.5
			}
		}
		s := emulator.Service{Name: name, Load: offered, TimeoutSeconds: 5}
		for v, concurrency := range []int{2, 4} {
			node := fmt.Sprintf("%s-v%d", name, v+1)
			g.Nodes = append(g.Nodes, emulator.Node{Name: node, Concurrency: concurrency, Replicas: 1, Work: emulator.Dist{Shape: emulator.Exponential, MeanSeconds: mean}})
			s.Destinations = append(s.Destinations, emulator.Destination{Name: fmt.Sprintf("v%d", v+1), Path: []emulator.Visit{{Node: node, Work: 1}}})
		}
		g.Services = append(g.Services, s)
	}
	return g
}

func rulesText(o options) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `mesh = "shop"
prometheus = "main"
interval = "5s"
settle = "1s"

[signals]
by = "service"
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'

[guard]
authority = %q
max_step = 0.4
total_blocking = 0.9
changes_per_hour = 3600

[[policy]]
name = "main"
plugin = "main"
role = "active"
`, o.authority)
	if o.policy != "threshold" {
		b.WriteString("[policy.settings]\nseed = 1\n")
	}
	for i := range o.services {
		name := nameOf(i, o.services)
		fmt.Fprintf(&b, `
[[service]]
name = %q
  [[service.objective]]
  signal = "latency"
  bound = "300ms"
  target = 0.95
  [[service.route]]
  virtual_service = "default/shop"
  http = %[1]q
  destinations = ["v1", "v2"]
  [service.blocking]
  maximum = 0.8
`, name)
	}
	return []byte(b.String())
}
