package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/daemon/actuate/kube"
)

// object is the part of a Kubernetes object that the checks share.
type object struct {
	Metadata struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		Managed     []struct {
			Manager string `json:"manager"`
		} `json:"managedFields"`
	} `json:"metadata"`
	Spec struct {
		HTTP []httpRoute `json:"http"`
	} `json:"spec"`
}

// objects reads the VirtualServices and Deployments once and hands them to the checks.
func (e *examination) objects(ctx context.Context, m Mesh) {
	add := e.about(m.Rules.Name, "route")
	if !e.cluster {
		add("all", Unknown, "not looked at: the API server does not answer", "")
		return
	}
	var routes []istio.Examined
	var workloads []kube.Examined
	e.ask(ctx, func(ctx context.Context) { routes = m.Routes.Examine(ctx) })
	e.ask(ctx, func(ctx context.Context) { workloads = m.Replicas.Examine(ctx) })
	rollouts := map[string]rollouts{}
	for _, vs := range routes {
		e.routes(m.Rules, vs)
		if vs.Err != nil {
			continue
		}
		e.routeOwner(ctx, m.Rules, vs, rollouts)
		var o object
		if err := json.Unmarshal(vs.Raw, &o); err != nil {
			add(vs.Object, Unknown, "the API server's answer: "+err.Error(), "")
			continue
		}
		e.retries(m.Rules, vs, o)
		e.gitops(m.Rules, vs.Object, o, fieldsOf(vs))
	}
	for _, d := range workloads {
		e.workload(m.Rules, d)
		var o object
		if d.Err == nil && json.Unmarshal(d.Raw, &o) == nil {
			e.gitops(m.Rules, d.Object, o, replicasOf(d))
		}
	}
}

// split writes weights as "v1 60, v2 40".
func split(r istio.ExaminedRoute) string {
	var parts []string
	for i, name := range r.Destinations {
		parts = append(parts, fmt.Sprintf("%s %d", name, r.Weights[i]))
	}
	return strings.Join(parts, ", ")
}
