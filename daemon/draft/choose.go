package draft

import (
	"fmt"
	"slices"
	"strings"

	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/rules"
)

// mesh is what becomes one rules file: the services of a namespace.
type mesh struct {
	name     string
	services []service
}

// choose makes services of the routes that can be set, by namespace, and keeps the others
// with what to change.
func (d *Draft) choose(found []istio.Listed) []mesh {
	var out []mesh
	for _, vs := range found {
		for i, r := range vs.Routes {
			name, why := serves(vs, r)
			if why != "" {
				at := r.HTTP
				if at == "" {
					at = fmt.Sprintf("http[%d]", i)
				}
				d.Left = append(d.Left, Left{Namespace: vs.Namespace, Route: vs.Namespace + "/" + vs.Name + "/" + at, Why: why})
				continue
			}
			m := slices.IndexFunc(out, func(m mesh) bool { return m.name == vs.Namespace })
			if m < 0 {
				m = len(out)
				out = append(out, mesh{name: vs.Namespace})
			}
			out[m].add(name, rules.Route{VirtualService: vs.Namespace + "/" + vs.Name, HTTP: r.HTTP, Destinations: r.Destinations})
		}
	}
	for _, m := range out {
		slices.SortFunc(m.services, func(a, b service) int { return strings.Compare(a.name, b.name) })
	}
	slices.SortFunc(out, func(a, b mesh) int { return strings.Compare(a.name, b.name) })
	return out
}

func (m *mesh) add(name string, r rules.Route) {
	i := slices.IndexFunc(m.services, func(s service) bool { return s.name == name })
	if i < 0 {
		i = len(m.services)
		m.services = append(m.services, service{name: name})
	}
	m.services[i].routes = append(m.services[i].routes, r)
}

// serves returns the service whose requests a route carries, as the label
// destination_service_name of Istio's metrics has it: the first part of the host. Else it
// says why windvane cannot set the route.
func serves(vs istio.Listed, r istio.ListedRoute) (name, why string) {
	switch {
	case vs.Owner != "":
		return "", "it is set by " + vs.Owner + ", and two must not set the same"
	case r.Err != nil:
		return "", r.Err.Error()
	case !rules.IsName(r.HTTP):
		return "", fmt.Sprintf("its name %q is none that a rules file takes; use letters, digits, '.', '_' and '-'", r.HTTP)
	}
	for _, host := range r.Hosts {
		short, _, _ := strings.Cut(host, ".")
		switch {
		case !rules.IsName(short):
			return "", fmt.Sprintf("its host %q is no service of the mesh; write a [[service]] with signals of its own", host)
		case name == "":
			name = short
		case name != short:
			return "", fmt.Sprintf("its destinations are of two services, %s and %s, and so are their metrics; use subsets of one host, or write a [[service]] with signals of its own", name, short)
		}
	}
	return name, ""
}
