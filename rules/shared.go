package rules

import (
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/rules/budget"
)

// shareBudgets gives the objectives that share a budget their parts of it.
func (r *reader) shareBudgets() {
	m := r.mesh
	known := names{}
	for i, b := range m.Budgets {
		r.unique(known, b.Name, join(index("budget", i), "name"))
		m.share(b)
	}
	for i, s := range m.Services {
		for j, o := range s.Objectives {
			key := index(index("service", i)+".objective", j)
			switch {
			case o.Shared == "":
			case known[o.Shared] == "":
				r.refer(join(key, "budget"), fmt.Sprintf("no budget %q", o.Shared), Suggest(o.Shared, m.budgetNames()))
			case !(o.Budget() > 0) && !m.doc.reported(join(key, "weight")):
				r.refer(join(key, "weight"), fmt.Sprintf("%v leaves it no part of budget %q", o.Weight, o.Shared), "weights are held against each other")
			}
		}
	}
}

func (m *Mesh) share(b SharedBudget) {
	var members []*Objective
	var weights []float64
	for s := range m.Services {
		for o := range m.Services[s].Objectives {
			if member := &m.Services[s].Objectives[o]; b.Name != "" && member.Shared == b.Name {
				members, weights = append(members, member), append(weights, member.Weight)
			}
		}
	}
	parts := budget.Parts(1-b.Target, weights)
	for k, member := range members {
		member.Target, member.Window = 1-parts[k], b.Window
	}
}

func (m *Mesh) budgetNames() []string {
	var out []string
	for _, b := range m.Budgets {
		if b.Name != "" {
			out = append(out, b.Name)
		}
	}
	slices.Sort(out)
	return out
}

// shares reports whether any objective has a part of a budget.
func (m *Mesh) shares(name string) bool {
	return slices.ContainsFunc(m.Services, func(s Service) bool {
		return slices.ContainsFunc(s.Objectives, func(o Objective) bool { return o.Shared == name })
	})
}

// Ledger returns an account of the mesh's error budgets without any interval.
func (m *Mesh) Ledger() *budget.Ledger {
	var objectives []budget.Objective
	for _, s := range m.Services {
		for _, o := range s.Objectives {
			objectives = append(objectives, budget.Objective{Service: s.Name, Signal: o.Signal, Budget: o.Budget(), Window: o.Window, Shared: o.Shared})
		}
	}
	var shared []budget.Shared
	for _, b := range m.Budgets {
		shared = append(shared, budget.Shared{Name: b.Name, Budget: errorBudget(b.Target), Window: b.Window})
	}
	return budget.NewLedger(objectives, shared)
}

// errorBudget is 1 - target, without the noise of the subtraction in binary: a target
// of 0.95 has a budget of 0.05.
func errorBudget(target float64) float64 { return math.Round((1-target)*1e12) / 1e12 }
