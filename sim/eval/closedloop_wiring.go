package eval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/emulator"
)

// wiring says where the knobs and services of a mesh are in an emulator.
type wiring struct {
	graph    emulator.Graph
	services []int // by service of the mesh: its place in the graph
	knobs    []pin // by knob
	ids      []policy.KnobID
}

// pin is what a knob turns.
type pin struct {
	kind policy.KnobKind
	at   int // service or node of the graph
	part int // destination; weights only
}

func wire(g emulator.Graph, knobs []policy.Knob, services []policy.Service) (wiring, error) {
	w := wiring{graph: g}
	serviceAt := func(name string) int {
		return slices.IndexFunc(g.Services, func(s emulator.Service) bool { return s.Name == name })
	}
	for _, s := range services {
		at := serviceAt(s.Name)
		if at < 0 {
			return w, fmt.Errorf("the rules have service %q, the emulator has not", s.Name)
		}
		w.services = append(w.services, at)
	}
	for _, k := range knobs {
		p := pin{kind: k.Kind, at: serviceAt(k.Service)}
		switch k.Kind {
		case policy.Weight:
			if p.at >= 0 {
				p.part = slices.IndexFunc(g.Services[p.at].Destinations, func(d emulator.Destination) bool { return d.Name == k.Part })
			}
		case policy.Replicas:
			name := k.Target[strings.IndexByte(k.Target, '/')+1:]
			p.at = slices.IndexFunc(g.Nodes, func(n emulator.Node) bool { return n.Name == name })
		case policy.Blocking:
		}
		if p.at < 0 || p.part < 0 {
			return w, fmt.Errorf("the emulator has nothing that knob %s would turn", k.KnobID)
		}
		w.knobs = append(w.knobs, p)
		w.ids = append(w.ids, k.KnobID)
	}
	return w, nil
}

// settings are base with what an action sets.
func (w wiring) settings(base emulator.Settings, a policy.Action) emulator.Settings {
	s := emulator.Settings{Weights: make([][]float64, len(w.graph.Services)), Blocking: base.Blocking, Replicas: base.Replicas}
	for i, p := range w.knobs {
		switch p.kind {
		case policy.Weight:
			if s.Weights[p.at] == nil {
				s.Weights[p.at] = make([]float64, len(w.graph.Services[p.at].Destinations))
			}
			s.Weights[p.at][p.part] = a[i].Value
		case policy.Blocking:
			s.Blocking[p.at] = a[i].Value
		case policy.Replicas:
			s.Replicas[p.at] = int(a[i].Value)
		}
	}
	return s
}

// action is what settings read as.
func (w wiring) action(s emulator.Settings) policy.Action {
	var a policy.Action
	for i, p := range w.knobs {
		v := 0.0
		switch p.kind {
		case policy.Weight:
			v = s.Weights[p.at][p.part]
		case policy.Blocking:
			v = s.Blocking[p.at]
		case policy.Replicas:
			v = float64(s.Replicas[p.at])
		}
		a = append(a, policy.Setting{KnobID: w.ids[i], Value: v})
	}
	return policy.Quantise(a)
}

// queries returns the queries that answer for a service: its own, and the mesh's
// where it has none of the name.
func (w wiring) queries(m *rules.Mesh, service string) []rules.Query {
	var out []rules.Query
	for _, s := range m.Services {
		if s.Name == service {
			out = append(out, s.Queries...)
		}
	}
	own := len(out)
	for _, q := range m.Signals.Queries {
		if !slices.ContainsFunc(out[:own], func(o rules.Query) bool { return o.Name == q.Name }) {
			out = append(out, q)
		}
	}
	return out
}

// Settings returns what an action of a mesh sets in an emulator, for a run in which
// it is in force from the start.
func Settings(g emulator.Graph, m *rules.Mesh, a policy.Action) (emulator.Settings, error) {
	knobs := m.Knobs()
	if err := a.Validate(knobs); err != nil {
		return emulator.Settings{}, err
	}
	w, err := wire(g, knobs, m.PolicyServices())
	if err != nil {
		return emulator.Settings{}, err
	}
	base := emulator.Settings{Blocking: make([]float64, len(g.Services))}
	for _, n := range g.Nodes {
		base.Replicas = append(base.Replicas, n.Replicas)
	}
	return w.settings(base, policy.Quantise(a)), nil
}
