package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

// scaler is a kind of objects that scale Deployments.
type scaler struct {
	kind, group, plural string
	reference           string // the member of spec that names the Deployment
}

// A Canary and a Rollout are looked up by what they refer to as well: until they have
// scaled the Deployment for the first time nothing at it shows whose it is.
var scalers = []scaler{
	{"HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers", "scaleTargetRef"},
	{"ScaledObject", "keda.sh/v1alpha1", "scaledobjects", "scaleTargetRef"},
	{"Canary", "flagger.app/v1beta1", "canaries", "targetRef"},
	{"Rollout", "argoproj.io/v1alpha1", "rollouts", "workloadRef"},
}

// scaledByOthers is an error if somebody else scales the Deployment, or if that cannot be
// told.
func (a *Actuator) scaledByOthers(ctx context.Context, name kubeapi.Name, v view) error {
	if owner := v.Metadata.Owner("replicas"); owner != "" {
		return fmt.Errorf("kube: %w", &kubeapi.OwnedError{Object: Object(name), Owner: owner})
	}
	for _, s := range scalers {
		if err := a.scaledBy(ctx, name, s); err != nil {
			return err
		}
	}
	return nil
}

// scaledBy is an error if an object of a kind scales the Deployment, or if that cannot be
// told. A kind that the cluster does not have scales nothing.
func (a *Actuator) scaledBy(ctx context.Context, name kubeapi.Name, s scaler) error {
	raw, err := a.client.Get(ctx, "/apis/"+s.group+"/namespaces/"+name.Namespace+"/"+s.plural)
	if kubeapi.Code(err) == http.StatusNotFound {
		return nil
	}
	var list struct {
		Items []struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Spec map[string]json.RawMessage `json:"spec"`
		} `json:"items"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	for _, i := range list.Items {
		var target struct {
			Kind string `json:"kind"` // KEDA: a Deployment if it is left out
			Name string `json:"name"`
		}
		if ref, ok := i.Spec[s.reference]; ok && err == nil {
			err = json.Unmarshal(ref, &target)
		}
		if err == nil && target.Name == name.Name && (target.Kind == "Deployment" || target.Kind == "") {
			return fmt.Errorf("kube: %w", &kubeapi.OwnedError{Object: Object(name), Owner: s.kind + " " + i.Metadata.Name})
		}
	}
	if err != nil {
		return fmt.Errorf("kube: whether a %s scales deployment %s cannot be told: %w; allow windvane to list %s in namespace %s",
			s.kind, name, err, s.plural, name.Namespace)
	}
	return nil
}
