package doctor

import (
	"context"
	"encoding/json"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/daemon/actuate/kube"
	"github.com/windvane/windvane/rules"
)

// rollouts are the Rollouts of a namespace by the VirtualServices that they refer to, as
// namespace/name.
type rollouts struct {
	byService map[string]string
	err       error
}

// routeOwner looks who else sets the routes of a VirtualService: by what is at the object,
// as windvane does before it writes, and by the Rollouts that name it. One that has not
// written yet leaves nothing at the object.
func (e *examination) routeOwner(ctx context.Context, m *rules.Mesh, vs istio.Examined, known map[string]rollouts) {
	add := e.about(m.Name, "owner")
	owner := vs.Owner
	if owner == "" {
		r, ok := known[vs.Namespace]
		if !ok {
			e.ask(ctx, func(ctx context.Context) { r = e.rolloutsIn(ctx, vs.Namespace) })
			known[vs.Namespace] = r
		}
		if r.err != nil {
			add(vs.Object, Unknown, "whether an Argo Rollout sets it: "+r.err.Error(), "let this user list rollouts in namespace "+vs.Namespace)
			return
		}
		owner = r.byService[vs.Namespace+"/"+vs.Name]
	}
	if owner == "" {
		add(vs.Object, OK, "nobody else sets its routes", "")
		return
	}
	add(vs.Object, matters(m), "its routes are set by "+owner, "two must not set the same: take it out of "+m.File+", or that one away")
}

// rolloutsIn reads the Rollouts of a namespace; without their CRD there are none.
func (e *examination) rolloutsIn(ctx context.Context, namespace string) rollouts {
	out := rollouts{byService: map[string]string{}}
	raw, err := kube.NewClient(e.o.Cluster).Get(ctx, "/apis/argoproj.io/v1alpha1/namespaces/"+namespace+"/rollouts")
	if apierrors.IsNotFound(err) {
		return out
	}
	type reference struct {
		Name string `json:"name"`
	}
	var list struct {
		Items []struct {
			Metadata reference `json:"metadata"`
			Spec     struct {
				Strategy struct {
					Canary struct {
						Routing struct {
							Istio struct {
								One  *reference  `json:"virtualService"`
								Many []reference `json:"virtualServices"`
							} `json:"istio"`
						} `json:"trafficRouting"`
					} `json:"canary"`
				} `json:"strategy"`
			} `json:"spec"`
		} `json:"items"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	out.err = err
	for _, r := range list.Items {
		named := r.Spec.Strategy.Canary.Routing.Istio.Many
		if one := r.Spec.Strategy.Canary.Routing.Istio.One; one != nil {
			named = append(named, *one)
		}
		for _, vs := range named {
			// A Rollout writes name or name.namespace.
			name, in, ok := strings.Cut(vs.Name, ".")
			if !ok {
				in = namespace
			}
			out.byService[in+"/"+name] = "Rollout " + r.Metadata.Name
		}
	}
	return out
}
