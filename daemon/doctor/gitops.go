package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/daemon/actuate/kube"
	"github.com/windvane/windvane/rules"
)

// How Argo CD and Flux mark what they manage: a label or annotation, or their field managers.
var (
	argoMarks    = []string{"argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance"}
	argoManagers = []string{"argocd-controller", "argocd-application-controller"}
	fluxMarks    = []string{"kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"}
	fluxManagers = []string{"kustomize-controller", "helm-controller"}
)

// fields are what windvane sets of an object, in the words of Argo CD and of Flux.
type fields struct {
	group, kind, namespace, name string
	jq                           []string // path expressions
	pointers                     []string // JSON pointers
}

// fieldsOf returns what windvane sets of a VirtualService. The fault as a whole is meant,
// because windvane makes one where Git has none.
func fieldsOf(vs istio.Examined) fields {
	f := fields{group: "networking.istio.io", kind: "VirtualService", namespace: vs.Namespace, name: vs.Name}
	for _, r := range vs.Routes {
		if r.Err != nil {
			continue
		}
		route := fmt.Sprintf(".spec.http[] | select(.name == %q)", r.HTTP)
		at := "/spec/http/" + strconv.Itoa(r.Index)
		f.jq = append(f.jq, route+" | .route[].weight")
		for i := range r.Destinations {
			f.pointers = append(f.pointers, at+"/route/"+strconv.Itoa(i)+"/weight")
		}
		if r.Status != 0 {
			f.jq = append(f.jq, route+" | .fault")
			f.pointers = append(f.pointers, at+"/fault")
		}
	}
	return f
}

// replicasOf returns what windvane sets of a Deployment.
func replicasOf(d kube.Examined) fields {
	_, full, _ := strings.Cut(d.Object, " ")
	namespace, name, _ := strings.Cut(full, "/")
	return fields{group: "apps", kind: "Deployment", namespace: namespace, name: name, jq: []string{".spec.replicas"}, pointers: []string{"/spec/replicas"}}
}

// gitops looks whether Argo CD or Flux puts an object back to what is in Git, and says
// which fields to leave to windvane.
func (e *examination) gitops(m *rules.Mesh, name string, o object, f fields) {
	add := e.about(m.Name, "gitops")
	argo, flux := marked(o, argoMarks, argoManagers), marked(o, fluxMarks, fluxManagers)
	const what = " manages it, and puts back what windvane sets unless it is told not to"
	switch {
	case len(f.pointers) == 0: // no route of it can be set
	case argo != "":
		add(name, Warning, "Argo CD ("+argo+")"+what, "unless it is there already, add to the Application:\n"+f.argo())
	case flux != "":
		add(name, Warning, "Flux ("+flux+")"+what, "unless it is there already, add to the Kustomization (in a HelmRelease the same below spec.driftDetection.ignore):\n"+f.flux()+
			"where the Kustomization has no spec.ignore yet, annotate the object in Git with kustomize.toolkit.fluxcd.io/ssa: IfNotPresent")
	default:
		add(name, OK, "neither Argo CD nor Flux manages it", "")
	}
}

// marked returns by what an object is seen to be managed; empty: it is not.
func marked(o object, marks, managers []string) string {
	for _, mark := range marks {
		for _, of := range []map[string]string{o.Metadata.Labels, o.Metadata.Annotations} {
			if _, ok := of[mark]; ok {
				return mark
			}
		}
	}
	seen := map[string]bool{}
	for _, f := range o.Metadata.Managed {
		seen[strings.ToLower(f.Manager)] = true
	}
	for _, manager := range slices.Sorted(maps.Keys(seen)) {
		if slices.Contains(managers, manager) {
			return "field manager " + manager
		}
	}
	return ""
}

func (f fields) argo() string {
	var b strings.Builder
	fmt.Fprintf(&b, "spec:\n  ignoreDifferences:\n    - group: %s\n      kind: %s\n      namespace: %s\n      name: %s\n      jqPathExpressions:\n",
		f.group, f.kind, f.namespace, f.name)
	for _, p := range f.jq {
		fmt.Fprintf(&b, "        - '%s'\n", p)
	}
	b.WriteString("  syncPolicy:\n    syncOptions: [RespectIgnoreDifferences=true]\n")
	return b.String()
}

func (f fields) flux() string {
	var b strings.Builder
	b.WriteString("spec:\n  ignore:\n    - paths:\n")
	for _, p := range f.pointers {
		fmt.Fprintf(&b, "        - %s\n", p)
	}
	fmt.Fprintf(&b, "      target: {kind: %s, name: %s, namespace: %s}\n", f.kind, f.name, f.namespace)
	return b.String()
}
