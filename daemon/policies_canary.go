package daemon

import (
	"fmt"
	"time"

	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/roles"
	"github.com/windvane/windvane/rules"
)

// windvane is who says it when no person does.
const windvane = "windvane"

// shadow is the policy's part in a loop that asks it beside the active one.
func (x *declared) shadow() loop.Decider {
	out := loop.Decider{Name: x.Name, Policy: x.policy}
	if x.artefact != nil {
		out.Initial = x.artefact.Card.Initial
	}
	return out
}

// leash has a canary decide with smaller steps, and give its place back when it does harm.
func (m *mesh) leash(s *roles.State, o *loop.Options) {
	if o.Active == nil || !s.Policies[o.Active.Name].Canary {
		return
	}
	o.Mesh = m.rules.Canary()
	name := o.Active.Name
	o.RollBack = func(reason string, at time.Time) error {
		return m.say(func(s roles.State) (roles.State, error) {
			if !s.Policies[name].Canary {
				return s, nil // a person was quicker
			}
			return s.Demote(name, roles.Word{By: windvane, Reason: reason, At: at})
		}, at)
	}
}

// canary is the policy on trial in a mesh; empty: none is.
func (m *mesh) canary() string {
	s := m.standings.now.Load()
	if s == nil {
		return ""
	}
	for name, x := range s.Policies {
		if x.Role == rules.RoleActive && x.Canary {
			return name
		}
	}
	return ""
}

// elsewhere says in which other mesh a policy is on trial; empty: in none.
func (d *Daemon) elsewhere(m *mesh) string {
	g := d.current.Load()
	if g == nil {
		return ""
	}
	for _, other := range g.meshes {
		if name := other.canary(); other != m && name != "" {
			return fmt.Sprintf("policy %s of mesh %s is a canary, and one at a time is: promote or demote it first", name, other.rules.Name)
		}
	}
	return ""
}
