package bounded

import (
	"slices"

	"github.com/windvane/windvane/plugins/policy"
)

// route is one way that a service's admitted requests take. Positions are -1 where there is none.
type route struct {
	service          int
	blocking, weight int // positions among the knobs
	part             int // of the destination's name
}

// flows turns settings and offered loads into the flows, in requests/s, over each route, to
// each destination name of all services, and over all routes, in that order.
type flows struct {
	routes []route
	parts  int
}

func newFlows(knobs []policy.Knob, services []policy.Service) flows {
	at, parts := map[string]int{}, map[string]int{}
	blocking, weighted := make([]int, len(services)), make([]bool, len(services))
	for i, s := range services {
		at[s.Name], blocking[i] = i, -1
	}
	part := func(name string) int {
		if _, ok := parts[name]; !ok {
			parts[name] = len(parts)
		}
		return parts[name]
	}
	for i, k := range knobs {
		if s, ok := at[k.Service]; ok && k.Kind == policy.Blocking {
			blocking[s] = i
		}
	}
	var f flows
	for i, k := range knobs {
		if s, ok := at[k.Service]; ok && k.Kind == policy.Weight {
			weighted[s] = true
			f.routes = append(f.routes, route{service: s, blocking: blocking[s], weight: i, part: part(k.Part)})
		}
	}
	for s, w := range weighted {
		if !w {
			f.routes = append(f.routes, route{service: s, blocking: blocking[s], weight: -1, part: part(services[s].Name)})
		}
	}
	f.parts = len(parts)
	return f
}

// len is the number of flows.
func (f flows) len() int { return len(f.routes) + f.parts + 1 }

// fill writes the flows of a point into out.
func (f flows) fill(out, settings, offered []float64) {
	clear(out)
	n := len(f.routes)
	for i, r := range f.routes {
		v := r.share(settings) * offered[r.service]
		out[i] = v
		out[n+r.part] += v
		out[n+f.parts] += v
	}
}

// of are the flows that a service's requests meet: those over its own routes, of all
// requests to the same destinations, and of all.
func (f flows) of(service int) []int {
	n := len(f.routes)
	var own, shared []int
	for i, r := range f.routes {
		if r.service != service {
			continue
		}
		own = append(own, i)
		if at := n + r.part; !slices.Contains(shared, at) {
			shared = append(shared, at)
		}
	}
	return append(append(own, shared...), n+f.parts)
}

// share is the part of its service's offered load that goes over a route.
func (r route) share(settings []float64) float64 {
	v := 1.0
	if r.weight >= 0 {
		v = settings[r.weight]
	}
	if r.blocking >= 0 {
		v *= 1 - settings[r.blocking]
	}
	return v
}
