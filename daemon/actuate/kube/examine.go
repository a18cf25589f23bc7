package kube

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

// Examined is what the API server has of one Deployment.
type Examined struct {
	Object   string          // as in "Deployment default/front"
	Replicas int64           // that are asked for; without Err
	Raw      json.RawMessage // the whole object; nil with Err
	Err      error           // it, or its scale, cannot be read
	Owner    string          // who else scales it; empty: nobody that was found
	OwnerErr error           // whether somebody does cannot be told
}

// Examine reads the Deployments as Prepare does, and says of each what keeps windvane from
// scaling it.
func (a *Actuator) Examine(ctx context.Context) []Examined {
	out := make([]Examined, len(a.names))
	_ = kubeapi.Each(len(a.names), func(i int) error { // errors are in the result
		out[i] = a.examine(ctx, a.names[i])
		return nil
	})
	return out
}

func (a *Actuator) examine(ctx context.Context, name kubeapi.Name) Examined {
	out := Examined{Object: Object(name)}
	s, err := a.read(ctx, name)
	if err != nil {
		out.Err = err
		return out
	}
	out.Replicas = s.replicas
	if out.Raw, err = a.client.Get(ctx, deployment(name.Namespace, name.Name)); err != nil {
		out.OwnerErr = err
		return out
	}
	var v view
	if err := json.Unmarshal(out.Raw, &v); err != nil {
		out.OwnerErr = err
		return out
	}
	if err := a.scaledByOthers(ctx, name, v); err != nil {
		if owned, ok := errors.AsType[*kubeapi.OwnedError](err); ok {
			out.Owner = owned.Owner
		} else {
			out.OwnerErr = err
		}
	}
	return out
}

// Permissions returns what the API server has to allow: to read, and where act says so
// to scale.
func (a *Actuator) Permissions(act bool) []actuate.Permission {
	var out []actuate.Permission
	seen := map[actuate.Permission]bool{}
	add := func(verb, group, resource string, name kubeapi.Name) {
		p := actuate.Permission{Verb: verb, Group: group, Resource: resource, Namespace: name.Namespace, Name: name.Name}
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	for _, name := range a.names {
		add("get", "apps", "deployments/scale", name)
		if !act {
			continue
		}
		add("update", "apps", "deployments/scale", name)
		add("get", "apps", "deployments", name)
		add("patch", "apps", "deployments", name)
		for _, s := range scalers {
			group, _, _ := strings.Cut(s.group, "/")
			add("list", group, s.plural, kubeapi.Name{Namespace: name.Namespace})
		}
	}
	return out
}
