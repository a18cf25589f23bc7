package daemon

import (
	"math"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/promotion"
	"github.com/windvane/windvane/daemon/roles"
	"github.com/windvane/windvane/rules"
)

// Policies returns the policies of the configuration in force, mesh by mesh.
func (d *Daemon) Policies() []api.Policy {
	out := []api.Policy{}
	g := d.current.Load()
	if g == nil {
		return out
	}
	for _, m := range g.meshes {
		fallback := false
		for _, x := range m.policies.declared {
			out = append(out, m.policy(x))
			fallback = fallback || x.Role == rules.RoleFallback
		}
		if !fallback {
			out = append(out, api.Policy{Mesh: m.rules.Name, Name: inProcess, Role: string(rules.RoleFallback), Kind: inProcess})
		}
	}
	return out
}

// Policy returns all that is known of a policy that a mesh declares.
func (d *Daemon) Policy(mesh, name string) (*api.PolicyDetail, error) {
	m, err := d.mesh(mesh)
	if err != nil {
		return nil, err
	}
	x := m.policies.find(name)
	if x == nil {
		var known []string
		for _, x := range m.policies.declared {
			known = append(known, x.Name)
		}
		return nil, &roles.UnknownError{Policy: name, Hint: rules.Suggest(name, known)}
	}
	out := &api.PolicyDetail{Policy: m.policy(x), Refusals: d.refusals(m, x), Gap: m.gap(x)}
	if out.Settings, err = x.SettingsJSON(); err != nil {
		return nil, err
	}
	if x.artefact != nil {
		out.Card = x.artefact.Text
	}
	return out, nil
}

// standing is the role of a policy now: until the mesh is launched, that of the rules file.
func (m *mesh) standing(ref rules.PolicyRef) roles.Standing {
	if s := m.standings.now.Load(); s != nil {
		return s.Policies[ref.Name]
	}
	return roles.Standing{Role: ref.Role}
}

func (m *mesh) policy(x *declared) api.Policy {
	said := m.standing(x.PolicyRef)
	out := api.Policy{
		Mesh: m.rules.Name, Name: x.Name, Role: said.Text(), Since: said.Since, By: said.By, Reason: said.Reason, Forced: said.Forced,
		Declared: string(x.Role), Kind: x.kind, Artefact: x.path, Gate: m.items(x),
	}
	if a := x.artefact; a != nil {
		out.Trained = &api.Trained{
			ID: a.Name(), Written: a.Written.UTC().Truncate(time.Second), Rows: a.Card.Data.Rows, Configurations: a.Card.Data.Configurations, Seed: a.Card.Seed,
		}
	}
	if said.Role == rules.RoleShadow {
		out.Agrees = m.agrees(x)
	}
	if x.plugin != nil {
		s := x.plugin.status()
		out.Plugin = &s
	}
	return out
}

func (p *plugin) status() api.Plugin {
	s := p.host.Status()
	return api.Plugin{Policy: p.policy, Up: s.Up, Quarantined: s.Quarantined, Restarts: s.Restarts, LastError: s.LastError, PID: s.PID}
}

// items are those of a policy's gate.
func (m *mesh) items(x *declared) (out []api.GateItem) {
	for _, i := range m.gate(x) {
		out = append(out, api.GateItem{Item: i.Code, State: i.State, Why: i.Why, Needs: i.Needs})
	}
	return out
}

// gap is how far the model of the active policy is off.
func (m *mesh) gap(x *declared) (out []api.ModelGap) {
	if m.standing(x.PolicyRef).Role != rules.RoleActive {
		return nil
	}
	figure := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	m.trials.regions(func(all []*promotion.Region) {
		for _, r := range all {
			out = append(out, api.ModelGap{
				Service: r.Service, Signal: r.Signal, Region: r.Name, Intervals: r.Ratios.N(), Median: figure(r.Ratios.Quantile(.5)), Upper: figure(r.Ratios.Quantile(.95)),
				Carried: figure(r.CarriedGap()), Violated: figure(r.ViolatedGap()),
			})
		}
	})
	return out
}
