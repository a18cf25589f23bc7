package rules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
)

// checkReferences checks what one part of the file says of another.
func (r *reader) checkReferences() {
	m := r.mesh
	services, routes := names{}, names{}
	owned := map[string]bool{} // by VirtualService
	for i, s := range m.Services {
		key := index("service", i)
		r.unique(services, s.Name, join(key, "name"))
		for j, route := range s.Routes {
			if route.VirtualService != "" && route.HTTP != "" {
				r.unique(routes, route.VirtualService+"/"+route.HTTP, index(key+".route", j))
				if o, ok := owned[route.VirtualService]; ok && o != route.Owned {
					r.refer(index(key+".route", j), "another route of "+route.VirtualService+" has another ownership", "a VirtualService is owned whole or not at all")
				}
				owned[route.VirtualService] = route.Owned
			}
		}
		if _, ok := m.queryFor(s, string(policy.RoleOffered)); !ok {
			r.refer(key, "has no signal offered", "add offered to [signals], or to this service's [service.signals]")
		}
	}
	r.assignRoles()
	r.shareBudgets()
	r.checkWorkloads()
	r.checkPolicies()
	r.checkReward()
}

// names remembers where a name was seen first.
type names map[string]string

func (r *reader) unique(seen names, name, key string) {
	if name == "" {
		return
	}
	if first, ok := seen[name]; ok {
		r.refer(key, fmt.Sprintf("%q is declared twice", name), fmt.Sprintf("first on line %d", r.mesh.doc.line(first)))
		return
	}
	seen[name] = key
}

// assignRoles checks the objectives' signals and gives the signals that only the
// user has a name for the role in which they are used.
func (r *reader) assignRoles() {
	m := r.mesh
	roles := map[string]policy.Role{}
	for i, s := range m.Services {
		seen := names{}
		for j, o := range s.Objectives {
			key := join(index(index("service", i)+".objective", j), "signal")
			r.unique(seen, o.Signal, key)
			r.checkSignal(s, o, key, roles)
		}
	}
	for i := range m.Signals.Queries {
		m.Signals.Queries[i].assign(roles)
	}
	for i := range m.Services {
		for j := range m.Services[i].Queries {
			m.Services[i].Queries[j].assign(roles)
		}
	}
}

func (r *reader) checkSignal(s Service, o Objective, key string, roles map[string]policy.Role) {
	if o.Signal == "" {
		return
	}
	query, ok := r.mesh.queryFor(s, o.Signal)
	if o.Bad != "" {
		if ok {
			r.refer(query.key, fmt.Sprintf("the name is taken by an objective of service %q with bad and total", s.Name), "choose another name")
		}
		return
	}
	if !ok {
		r.refer(key, fmt.Sprintf("no signal %q", o.Signal), Suggest(o.Signal, r.mesh.signalNames(s)))
		return
	}
	role := policy.RoleRatio
	if o.Kind == policy.LatencyObjective {
		role = policy.RoleLatency
	}
	switch had := roles[o.Signal]; {
	case query.Role == policy.RoleOffered || query.Role == policy.RoleCarried:
		r.refer(key, fmt.Sprintf("%q is a load, not something to hold an objective on", o.Signal), "use latency, or a ratio of bad requests")
	case query.Role == policy.RoleLatency && role == policy.RoleRatio:
		r.refer(key, fmt.Sprintf("an objective on %q needs a bound", o.Signal), `add bound = "…"`)
	case had != "" && had != role:
		r.refer(key, fmt.Sprintf("%q has a bound in one objective and none in another", o.Signal), "a signal is a latency or a ratio")
	default:
		roles[o.Signal] = role
	}
}

func (q *Query) assign(roles map[string]policy.Role) {
	if role, ok := roles[q.Name]; ok && q.Role == policy.RoleContext {
		q.Role = role
	}
}

func (r *reader) checkWorkloads() {
	byName, byDeployment := names{}, names{}
	for i, w := range r.mesh.Workloads {
		r.unique(byName, w.Name, join(index("workload", i), "name"))
		r.unique(byDeployment, w.Deployment, join(index("workload", i), "deployment"))
	}
}

func (r *reader) checkPolicies() {
	seen, single := names{}, map[PolicyRole]string{}
	for i, p := range r.mesh.Policies {
		key := index("policy", i)
		r.unique(seen, p.Name, join(key, "name"))
		if p.Role != RoleActive && p.Role != RoleFallback {
			continue
		}
		if first, ok := single[p.Role]; ok {
			r.refer(join(key, "role"), fmt.Sprintf("a second %s policy", p.Role), fmt.Sprintf("%q has the role; a mesh has at most one", first))
			continue
		}
		single[p.Role] = p.Name
	}
}

func (r *reader) checkReward() {
	m := r.mesh
	if m.Reward == nil || m.Reward.Name == RewardScaling {
		return
	}
	var known []string
	for i, s := range m.Services {
		known = append(known, s.Name)
		latency := slices.ContainsFunc(s.Objectives, func(o Objective) bool { return o.Kind == policy.LatencyObjective })
		if _, ok := m.Reward.Theta[s.Name]; latency && !ok && s.Name != "" {
			r.refer("reward.theta", fmt.Sprintf("misses service %q", m.Services[i].Name), "each service with a latency objective needs one")
		}
	}
	for _, service := range slices.Sorted(maps.Keys(m.Reward.Theta)) {
		if !slices.Contains(known, service) {
			r.refer(join("reward.theta", service), fmt.Sprintf("no service %q", service), Suggest(service, known))
		}
	}
}

// queryFor returns the query behind a signal of a service: its own, else the mesh's.
func (m *Mesh) queryFor(s Service, name string) (Query, bool) {
	if q, ok := findQuery(s.Queries, name); ok {
		return q, true
	}
	return m.Query(name)
}

func (m *Mesh) signalNames(s Service) []string {
	var out []string
	for _, q := range slices.Concat(m.Signals.Queries, s.Queries) {
		out = append(out, q.Name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
