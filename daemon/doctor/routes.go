package doctor

import (
	"fmt"

	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/daemon/actuate/kube"
	"github.com/windvane/windvane/rules"
)

// routes looks whether the routes of the rules file are in their VirtualService, by name,
// with the destinations that are declared. Without them not even the live settings can be
// read, so that each is a problem whatever the authority.
func (e *examination) routes(m *rules.Mesh, vs istio.Examined) {
	add := e.about(m.Name, "route")
	if vs.Err != nil {
		add(vs.Object, Problem, vs.Err.Error(), "create it, correct virtual_service in "+m.File+", or let windvane read it; until then windvane holds")
		return
	}
	for _, r := range vs.Routes {
		name := vs.Object + " route " + r.HTTP
		if r.Err != nil {
			add(name, Problem, r.Err.Error(), "change the VirtualService or "+m.File+" as it says; until then windvane holds")
			continue
		}
		add(name, OK, "it is there, with weights "+split(r), "")
	}
}

// workload looks at one Deployment and at who else scales it.
func (e *examination) workload(m *rules.Mesh, d kube.Examined) {
	add := e.about(m.Name, "workload")
	if d.Err != nil {
		add(d.Object, Problem, d.Err.Error(), "create it, correct deployment in "+m.File+", or let windvane read it; until then windvane holds")
		return
	}
	add(d.Object, OK, "it asks for "+plural(int(d.Replicas), "replica"), "")
	owner := e.about(m.Name, "owner")
	switch {
	case d.OwnerErr != nil:
		owner(d.Object, Unknown, d.OwnerErr.Error(), "let windvane read it: before it scales, it has to know")
	case d.Owner != "":
		owner(d.Object, matters(m), fmt.Sprintf("it is scaled by %s", d.Owner), "two must not set the same: take it out of "+m.File+", or that one away; windvane refuses to scale it")
	default:
		owner(d.Object, OK, "nobody else scales it", "")
	}
}
