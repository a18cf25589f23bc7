package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/windvane/windvane/daemon/actuate"
)

// permissions asks the API server for exactly what the mesh needs: to read where it only
// observes, all of it where it may set.
func (e *examination) permissions(ctx context.Context, m Mesh) {
	add := e.about(m.Rules.Name, "permissions")
	needed := slices.Concat(m.Routes.Permissions(writes(m.Rules)), m.Replicas.Permissions(writes(m.Rules)))
	switch {
	case len(needed) == 0:
		add("api server", OK, "none is needed: the mesh has no route and no workload", "")
		return
	case !e.cluster:
		add("api server", Unknown, "not asked: the API server does not answer", "")
		return
	}
	var missing []actuate.Permission
	for _, p := range needed {
		var allowed bool
		var why string
		var err error
		e.ask(ctx, func(ctx context.Context) { allowed, why, err = actuate.Allowed(ctx, e.o.Cluster, p) })
		switch {
		case err != nil:
			add("namespace "+p.Namespace, Unknown, err.Error(), "ask as the daemon's user: kubectl auth can-i "+p.Verb+" "+p.Resource+" -n "+p.Namespace)
			return // the others would fare the same
		case !allowed:
			if why != "" {
				why = ": " + why
			}
			add("namespace "+p.Namespace, Problem, "windvane may not "+p.String()+why, "")
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		add("api server", OK, fmt.Sprintf("all that authority %s needs (%s) is allowed", m.Rules.Guard.Authority, plural(len(needed), "permission")), "")
		return
	}
	e.findings[len(e.findings)-1].Do = "add to the Role or ClusterRole of windvane:\n" + role(missing)
}

// role writes the rules that are missing as YAML, one for each resource.
func role(missing []actuate.Permission) string {
	type resource struct{ group, name string }
	var order []resource
	verbs := map[resource][]string{}
	for _, p := range missing {
		r := resource{p.Group, p.Resource}
		if verbs[r] == nil {
			order = append(order, r)
		}
		if !slices.Contains(verbs[r], p.Verb) {
			verbs[r] = append(verbs[r], p.Verb)
		}
	}
	var b strings.Builder
	b.WriteString("rules:\n")
	for _, r := range order {
		fmt.Fprintf(&b, "  - apiGroups: [%s]\n    resources: [%s]\n    verbs: [%s]\n", r.group, r.name, strings.Join(verbs[r], ", "))
	}
	return b.String()
}
