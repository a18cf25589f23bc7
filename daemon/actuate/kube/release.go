package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
)

var _ actuate.Releaser = (*Actuator)(nil)

// Release scales the Deployments back to what they had, and takes the annotation away, and
// windvane's name as a manager of fields. It does so for the actuator's Deployments and for those in o.Known, and refuses one whose
// replicas are neither as commanded nor as in the baseline, unless it is forced.
func (a *Actuator) Release(ctx context.Context, o actuate.ReleaseOptions) []actuate.Released {
	names := slices.Clone(a.names)
	for object := range o.Known {
		if rest, ok := strings.CutPrefix(object, kind+" "); ok {
			if name, err := kubeapi.ParseName(rest); err == nil {
				names = append(names, name)
			}
		}
	}
	slices.SortFunc(names, func(x, y kubeapi.Name) int { return strings.Compare(x.String(), y.String()) })
	names = slices.Compact(names)
	out := make([]actuate.Released, len(names))
	_ = kubeapi.Each(len(names), func(i int) error {
		out[i].Object = Object(names[i])
		if err := a.release(ctx, names[i], o, &out[i]); err != nil {
			out[i].Changed, out[i].Problem = false, err.Error()
		}
		return nil
	})
	return out
}

func (a *Actuator) release(ctx context.Context, name kubeapi.Name, o actuate.ReleaseOptions, out *actuate.Released) error {
	v, err := a.view(ctx, name)
	if err != nil {
		return err
	}
	text, annotated := v.Metadata.Annotations[BaselineAnnotation]
	raw := json.RawMessage(text)
	switch known := o.Known[out.Object]; {
	case known != nil:
		raw, out.Baseline = known, actuate.FromJournal
	case annotated:
		out.Baseline = actuate.FromAnnotation
	default:
		return nil // windvane has not written it
	}
	base, err := parseBaseline(raw)
	if err != nil {
		return fmt.Errorf("kube: the baseline from the %s: %w", out.Baseline, err)
	}
	s, err := a.read(ctx, name)
	if err != nil {
		return err
	}
	if s.replicas != base.Replicas {
		if v, drift := o.Drift(knob(name), float64(s.replicas), 0); drift {
			out.Drift = append(out.Drift, fmt.Sprintf("there are %d replicas, windvane had set %v", s.replicas, v))
			if !o.Force {
				return fmt.Errorf("kube: deployment %s: %w", name, actuate.ErrDrift)
			}
		}
		if err := a.put(ctx, name, seen{}, base.Replicas, o.DryRun, nil); err != nil {
			return err
		}
		out.Changed = true
		out.Kubectl = append(out.Kubectl, fmt.Sprintf("kubectl -n %s scale deployment %s --replicas=%d", name.Namespace, name.Name, base.Replicas))
	}
	if annotated {
		out.Changed = true
		out.Kubectl = append(out.Kubectl, fmt.Sprintf("kubectl -n %s annotate deployment %s %s-", name.Namespace, name.Name, BaselineAnnotation))
	}
	if o.DryRun {
		return nil
	}
	if v, err = a.view(ctx, name); err != nil { // the scale has made a new version
		return err
	}
	return a.edit(ctx, name, v, false, forget)
}

// forget takes the baseline away, and windvane's entries out of the field managers.
func forget(v view) []operation {
	var out []operation
	if _, ok := v.Metadata.Annotations[BaselineAnnotation]; ok {
		out = append(out, operation{Op: "remove", Path: annotationPath})
	}
	for _, path := range v.Metadata.OwnEntries() {
		out = append(out, operation{Op: "remove", Path: path})
	}
	return out
}
