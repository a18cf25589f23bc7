package doctor

import (
	"context"
	"fmt"

	"github.com/windvane/windvane/daemon/actuate"
)

// LeasePermissions are what a daemon needs that shares a lease: that, and the ConfigMap in
// which is handed over.
func LeasePermissions(namespace, name string) []actuate.Permission {
	var out []actuate.Permission
	for _, p := range []actuate.Permission{{Group: "coordination.k8s.io", Resource: "leases"}, {Resource: "configmaps"}} {
		p.Namespace = namespace
		for _, verb := range []string{"get", "create", "update"} {
			if p.Verb = verb; verb != "create" { // which no name can be allowed for
				p.Name = name
			}
			out = append(out, p)
			p.Name = ""
		}
	}
	return out
}

// lease asks whether the daemon may take part in the lease, if there is one.
func (e *examination) lease(ctx context.Context) {
	l := e.o.Config.Lease
	if l.Name == "" {
		return
	}
	object := l.Namespace + "/" + l.Name
	add := e.about("", "lease")
	if !e.cluster {
		add(object, Unknown, "not asked: the API server does not answer", "")
		return
	}
	missing, err := e.missing(ctx, LeasePermissions(l.Namespace, l.Name))
	switch {
	case err != nil:
		add(object, Unknown, err.Error(), "ask as the daemon's user: kubectl auth can-i update leases -n "+l.Namespace)
	case len(missing) > 0:
		add(object, Problem, "windvane may not "+some(missing)+": it stands by for ever", grant(missing))
	default:
		add(object, OK, fmt.Sprintf("it may be held and handed over; another daemon takes over within %v", l.Duration), "")
	}
}
