package emulator

import (
	"fmt"
	"math"
	"slices"
)

// Settings is what a controller may set. Services, destinations and nodes are in
// the order of the graph. A slice that is nil leaves its settings as they are,
// and so does a nil element of Weights.
type Settings struct {
	Weights  [][]float64 // per service and destination; in proportion, any positive sum
	Blocking []float64   // per service: share of its requests refused with 429, 0 to 1
	Replicas []int       // per node
}

func (s Settings) clone() Settings {
	c := Settings{Blocking: slices.Clone(s.Blocking), Replicas: slices.Clone(s.Replicas)}
	if s.Weights != nil {
		c.Weights = make([][]float64, len(s.Weights))
		for i, w := range s.Weights {
			c.Weights[i] = slices.Clone(w)
		}
	}
	return c
}

func (s Settings) validate(g Graph) error {
	if s.Weights != nil && len(s.Weights) != len(g.Services) {
		return fmt.Errorf("settings: weights of %d services, want %d", len(s.Weights), len(g.Services))
	}
	for i, ws := range s.Weights {
		if ws == nil {
			continue
		}
		service, sum := g.Services[i], 0.0
		if len(ws) != len(service.Destinations) {
			return fmt.Errorf("settings: %d weights of service %s, want %d", len(ws), service.Name, len(service.Destinations))
		}
		for _, w := range ws {
			if !finite(w) || w < 0 {
				return fmt.Errorf("settings: a weight of service %s is %v; want 0 or more", service.Name, w)
			}
			sum += w
		}
		if !finite(sum) || sum <= 0 {
			return fmt.Errorf("settings: weights of service %s sum to %v; want a positive sum", service.Name, sum)
		}
	}
	if s.Blocking != nil && len(s.Blocking) != len(g.Services) {
		return fmt.Errorf("settings: blocking of %d services, want %d", len(s.Blocking), len(g.Services))
	}
	for i, b := range s.Blocking {
		if !(b >= 0 && b <= 1) {
			return fmt.Errorf("settings: blocking of service %s is %v; want 0 to 1", g.Services[i].Name, b)
		}
	}
	if s.Replicas != nil && len(s.Replicas) != len(g.Nodes) {
		return fmt.Errorf("settings: replicas of %d nodes, want %d", len(s.Replicas), len(g.Nodes))
	}
	for i, r := range s.Replicas {
		if r < 0 {
			return fmt.Errorf("settings: %d replicas of node %s; want 0 or more", r, g.Nodes[i].Name)
		}
	}
	return nil
}

// Apply sets at the virtual time at (seconds, not in the past); it takes effect
// SettleSeconds later. Settings that overlap take effect in the order of time.
func (e *Emulator) Apply(at float64, settings Settings) error {
	if !finite(at) || at < e.now {
		return fmt.Errorf("apply settings at %v seconds: it is %v already", at, e.now)
	}
	if err := settings.validate(e.graph); err != nil {
		return err
	}
	e.pending = append(e.pending, settings.clone())
	e.events.push(event{at: at + e.settle, code: code(kindSettings, len(e.pending)-1)})
	e.waiting++
	return nil
}

// Settings returns a copy of the settings in force; weights sum to 1.
func (e *Emulator) Settings() Settings {
	var out Settings
	for i := range e.services {
		s := &e.services[i]
		ws := make([]float64, len(s.cumulative))
		last := 0.0
		for j, c := range s.cumulative {
			ws[j], last = c-last, c
		}
		out.Weights = append(out.Weights, ws)
		out.Blocking = append(out.Blocking, s.blocking)
	}
	for i := range e.nodes {
		out.Replicas = append(out.Replicas, e.nodes[i].replicas)
	}
	return out
}

// settled puts pending settings into force and forgets them when none is left.
func (e *Emulator) settled(i int) {
	e.enforce(e.pending[i])
	if e.waiting--; e.waiting == 0 {
		e.pending = e.pending[:0]
	}
}

func (e *Emulator) enforce(s Settings) {
	for i, ws := range s.Weights {
		if ws == nil {
			continue
		}
		sum := 0.0
		for _, w := range ws {
			sum += w
		}
		service, c := &e.services[i], 0.0
		for j, w := range ws {
			c += w / sum
			service.cumulative[j] = c
		}
		// Rounding must not leave a gap below 1 behind the last weight that is not zero.
		for j := len(ws) - 1; j >= 0; j-- {
			service.cumulative[j] = 1
			if ws[j] > 0 {
				break
			}
		}
	}
	for i, b := range s.Blocking {
		e.services[i].blocking = b
	}
	for i, r := range s.Replicas {
		e.nodes[i].replicas = r
		e.resize(i)
	}
}

// resize recomputes the servers of a node from its replicas and the faults in force.
func (e *Emulator) resize(i int) {
	n := &e.nodes[i]
	factor := 1.0
	for _, f := range e.graph.Faults {
		if f.Node == n.name && e.now >= f.From && e.now < f.To {
			factor *= f.Factor
		}
	}
	if n.bursts.on {
		factor *= n.bursts.factor
	}
	servers := math.Round(float64(n.concurrency) * float64(n.replicas) * factor)
	if n.replicas > 0 {
		servers = max(servers, 1)
	}
	n.servers = int(min(servers, math.MaxInt32))
	for n.busy < n.servers && n.queueHead >= 0 {
		e.serve(int32(i), e.dequeue(n))
	}
}
