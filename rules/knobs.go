package rules

import (
	"slices"
	"strings"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// Knobs returns the knobs of the mesh in the order of actions.
func (m *Mesh) Knobs() []policy.Knob {
	var out []policy.Knob
	for _, s := range m.Services {
		for _, r := range s.Routes {
			for _, d := range r.Destinations {
				id := policy.KnobID{Kind: policy.Weight, Target: r.VirtualService + "/" + r.HTTP, Part: d}
				out = append(out, policy.Knob{KnobID: id, Service: s.Name, Max: 1, Levels: r.Levels})
			}
		}
		if b := s.Blocking; b != nil {
			id := policy.KnobID{Kind: policy.Blocking, Target: s.Name}
			out = append(out, policy.Knob{KnobID: id, Service: s.Name, Max: b.Maximum, Levels: b.Levels})
		}
	}
	for _, w := range m.Workloads {
		id := policy.KnobID{Kind: policy.Replicas, Target: w.Deployment}
		out = append(out, policy.Knob{
			KnobID: id, Min: float64(w.Minimum), Max: float64(w.Maximum), Levels: w.Maximum - w.Minimum + 1, Cost: w.Cost,
		})
	}
	policy.SortKnobs(out)
	return out
}

// Limits returns the guard's limits as policies are told them.
func (m *Mesh) Limits() policy.Limits {
	return policy.Limits{MaxStep: m.Guard.MaxStep, TotalBlocking: m.Guard.TotalBlocking}
}

// Pace returns how often the mesh may be changed.
func (m *Mesh) Pace() guard.Pace {
	return guard.Pace{Cooldown: m.Guard.Cooldown, ChangesPerHour: m.Guard.ChangesPerHour, Freezes: m.Guard.Freezes}
}

// PolicyServices returns the services as policies are told them, sorted by name,
// with a control state of zero: the host fills it in.
func (m *Mesh) PolicyServices() []policy.Service {
	out := make([]policy.Service, 0, len(m.Services))
	for _, s := range m.Services {
		p := policy.Service{Name: s.Name, Value: s.Value, Floor: s.MinimumCarried}
		for _, o := range s.Objectives {
			p.Objectives = append(p.Objectives, policy.Objective{Signal: o.Signal, Kind: o.Kind, Bound: o.Bound, Budget: o.Budget()})
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b policy.Service) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Budget returns the error budget, 1 - Target.
func (o Objective) Budget() float64 { return errorBudget(o.Target) }
