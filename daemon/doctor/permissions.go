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
	missing, err := e.missing(ctx, needed)
	switch {
	case err != nil:
		add("api server", Unknown, err.Error(), "ask as the daemon's user: kubectl auth can-i patch virtualservices.networking.istio.io -n NAMESPACE, and so on")
	case len(missing) == 0:
		add("api server", OK, fmt.Sprintf("all that authority %s needs (%s) is allowed", m.Rules.Guard.Authority, plural(len(needed), "permission")), "")
	default:
		add("api server", Problem, "windvane may not "+some(missing), grant(missing))
	}
}

// missing returns which permissions are not there. One for all objects of a namespace is
// asked for first: where it is there, no object has to be asked for by name.
func (e *examination) missing(ctx context.Context, needed []actuate.Permission) ([]actuate.Permission, error) {
	var out []actuate.Permission
	known := map[actuate.Permission]bool{}
	allowed := func(p actuate.Permission) (bool, error) {
		if is, ok := known[p]; ok {
			return is, nil
		}
		var is bool
		var err error
		e.ask(ctx, func(ctx context.Context) { is, err = actuate.Allowed(ctx, e.o.Cluster, p) })
		known[p] = is
		return is, err
	}
	for _, p := range needed {
		wide := p
		wide.Name = ""
		is, err := allowed(wide)
		if err == nil && !is {
			is, err = allowed(p)
		}
		if err != nil {
			return nil, err // the others would fare the same
		}
		if !is {
			out = append(out, p)
		}
	}
	return out, nil
}

// some names the first of what is missing.
func some(missing []actuate.Permission) string {
	var words []string
	for _, p := range missing[:min(named, len(missing))] {
		words = append(words, p.String())
	}
	if more := len(missing) - len(words); more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	return strings.Join(words, ", ")
}

// grant says what to add to windvane's roles, namespace by namespace.
func grant(missing []actuate.Permission) string {
	var order []string
	in := map[string][]actuate.Permission{}
	for _, p := range missing {
		if in[p.Namespace] == nil {
			order = append(order, p.Namespace)
		}
		in[p.Namespace] = append(in[p.Namespace], p)
	}
	var b strings.Builder
	for _, namespace := range order {
		fmt.Fprintf(&b, "add to the Role or ClusterRole that windvane is bound to in namespace %s:\n%s", namespace, role(in[namespace]))
	}
	return b.String()
}

// role writes the rules that are missing as YAML, one for each resource.
func role(missing []actuate.Permission) string {
	type resource struct{ group, name string }
	var order []resource
	verbs := map[resource][]string{}
	for _, p := range missing {
		r := resource{p.Group, p.Resource}
		if r.group == "" { // of the core
			r.group = `""`
		}
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
