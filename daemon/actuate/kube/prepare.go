package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
	"github.com/windvane/windvane/plugins/policy"
)

// BaselineAnnotation holds what windvane found before its first write, as a Baseline.
const BaselineAnnotation = "windvane.io/baseline"

// Baseline is how many replicas a Deployment had before windvane set them.
type Baseline struct {
	Replicas int64 `json:"replicas"`
}

const kind = "Deployment"

// Object is what a Deployment is called where there are other kinds.
func Object(n kubeapi.Name) string { return kind + " " + n.String() }

// view is the part of a Deployment that is read.
type view struct {
	Metadata kubeapi.Metadata `json:"metadata"`
}

// Prepare finds out whether Apply would succeed: it reads the Deployments that want would
// change, refuses those that somebody else scales, and has the API server try without
// storing. It returns the baselines of these Deployments, by Object, that are to be
// recorded before Apply, and known ones as they are.
func (a *Actuator) Prepare(ctx context.Context, live, want policy.Action, known map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	if err := a.check(want); err != nil {
		return nil, fmt.Errorf("kube: %w; nothing was written", err)
	}
	var mu sync.Mutex
	out := map[string]json.RawMessage{}
	err := a.each(want, func(name kubeapi.Name, replicas int64) error {
		s, err := a.read(ctx, name)
		if err != nil {
			return err
		}
		object := Object(name)
		baseline := known[object]
		was, ok := live.Get(knob(name))
		if s.replicas != replicas {
			if baseline, err = a.admit(ctx, name, s.replicas, baseline); err != nil {
				return err
			}
			if err := a.put(ctx, name, seen{int64(was), ok}, replicas, true, nil); err != nil {
				return fmt.Errorf("in a dry run: %w", err)
			}
		}
		if baseline != nil {
			mu.Lock()
			defer mu.Unlock()
			out[object] = baseline
		}
		return nil
	})
	return out, err
}

// admit refuses a Deployment that somebody else scales, or that may not be annotated, and
// returns its baseline.
func (a *Actuator) admit(ctx context.Context, name kubeapi.Name, replicas int64, known json.RawMessage) (json.RawMessage, error) {
	v, err := a.view(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := a.scaledByOthers(ctx, name, v); err != nil {
		return nil, err
	}
	baseline := known
	if text, ok := v.Metadata.Annotations[BaselineAnnotation]; ok && baseline == nil {
		if _, err := parseBaseline([]byte(text)); err != nil {
			return nil, fmt.Errorf("kube: deployment %s: annotation %s: %w; correct it, or remove it to take what is there now for the baseline", name, BaselineAnnotation, err)
		}
		baseline = json.RawMessage(text)
	}
	if baseline == nil {
		if baseline, err = json.Marshal(Baseline{Replicas: replicas}); err != nil {
			return nil, err
		}
	}
	return baseline, a.annotate(ctx, name, v, string(baseline), true)
}

func parseBaseline(raw []byte) (Baseline, error) {
	var b Baseline
	err := json.Unmarshal(raw, &b)
	return b, err
}

func (a *Actuator) view(ctx context.Context, name kubeapi.Name) (view, error) {
	raw, err := a.client.Get(ctx, deployment(name.Namespace, name.Name))
	var v view
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		return view{}, fmt.Errorf("kube: read deployment %s: %w", name, err)
	}
	return v, nil
}

// annotate leaves the baseline at the Deployment, unless it is there.
func (a *Actuator) annotate(ctx context.Context, name kubeapi.Name, v view, baseline string, dryRun bool) error {
	return a.edit(ctx, name, v, dryRun, func(v view) []operation {
		switch {
		case v.Metadata.Annotations[BaselineAnnotation] == baseline:
			return nil
		case v.Metadata.Annotations == nil:
			return []operation{{Op: "add", Path: "/metadata/annotations", Value: map[string]string{BaselineAnnotation: baseline}}}
		}
		return []operation{{Op: "add", Path: annotationPath, Value: baseline}}
	})
}

var annotationPath = "/metadata/annotations/" + strings.ReplaceAll(BaselineAnnotation, "/", "~1")

// operation is one line of a JSON Patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// edit changes the Deployment as it was read, and reads again when others were faster.
func (a *Actuator) edit(ctx context.Context, name kubeapi.Name, v view, dryRun bool, make func(v view) []operation) error {
	for try := 0; ; try++ {
		ops := make(v)
		if len(ops) == 0 {
			return nil
		}
		version := v.Metadata.ResourceVersion
		body, err := json.Marshal(append([]operation{{Op: "test", Path: "/metadata/resourceVersion", Value: version}}, ops...))
		if err == nil {
			err = a.client.Patch(ctx, name.Namespace, name.Name, body, dryRun)
		}
		if err == nil {
			return nil
		}
		if code := kubeapi.Code(err); try == retries || code != http.StatusConflict && code != http.StatusUnprocessableEntity {
			return fmt.Errorf("kube: annotate deployment %s: %w", name, err)
		}
		last := err
		if v, err = a.view(ctx, name); err != nil {
			return err
		}
		// A failed test is answered like an object that does not validate. If nobody has
		// changed the object, it was the latter.
		if kubeapi.Code(last) == http.StatusUnprocessableEntity && v.Metadata.ResourceVersion == version {
			return fmt.Errorf("kube: annotate deployment %s: %w", name, last)
		}
	}
}
