package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
	"github.com/windvane/windvane/plugins/policy"
)

// ErrConflict says that others kept changing a Deployment while it was scaled.
var ErrConflict = errors.New("others keep changing it; nothing was written in this cycle")

// retries is how often a conflict is answered by reading and trying again.
const retries = 3

// Options are what an Actuator is made of.
type Options struct {
	Client      Client
	Deployments []string // namespace/name
}

// Actuator reads and writes the replicas of one mesh's workloads.
type Actuator struct {
	client Client
	names  []kubeapi.Name
}

// New checks the options. What it refuses is a mistake in the wiring: a rules file
// that passed its checks leads to none.
func New(o Options) (*Actuator, error) {
	if o.Client == nil {
		return nil, errors.New("kube: no client")
	}
	a := &Actuator{client: o.Client}
	for _, d := range o.Deployments {
		name, err := kubeapi.ParseName(d)
		if err != nil {
			return nil, fmt.Errorf("kube: deployment %w", err)
		}
		if slices.Contains(a.names, name) {
			return nil, fmt.Errorf("kube: deployment %s is there twice", name)
		}
		a.names = append(a.names, name)
	}
	return a, nil
}

func knob(n kubeapi.Name) policy.KnobID {
	return policy.KnobID{Kind: policy.Replicas, Target: n.String()}
}

// Owns reports whether the knob is one of this actuator's.
func (a *Actuator) Owns(id policy.KnobID) bool {
	return slices.ContainsFunc(a.names, func(n kubeapi.Name) bool { return knob(n) == id })
}

// Live returns the replicas that are asked for (not those that run yet), sorted. It is
// an error if one of them cannot be read. Deployments say nothing of the authority.
func (a *Actuator) Live(ctx context.Context) (policy.Action, map[string]string, error) {
	out := make(policy.Action, len(a.names))
	err := kubeapi.Each(len(a.names), func(i int) error {
		s, err := a.read(ctx, a.names[i])
		out[i] = policy.Setting{KnobID: knob(a.names[i]), Value: float64(s.replicas)}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	out.Sort()
	return out, nil, nil
}

// Apply makes the replicas those of want. A Deployment that want has no setting of
// stays as it is; a knob that is not the actuator's, or a value that is no number of
// replicas, is an error before anything is written. Where nothing differs, nothing is
// sent. Of a Deployment that is written, the baseline in known is left in its annotation,
// first. One whose replicas are neither as in live nor as in want was scaled by somebody
// else, and is left so. The error names all Deployments that were not written.
func (a *Actuator) Apply(ctx context.Context, live, want policy.Action, known map[string]json.RawMessage) error {
	if err := a.check(want); err != nil {
		return fmt.Errorf("kube: %w; nothing was written", err)
	}
	return a.each(want, func(name kubeapi.Name, replicas int64) error {
		was, ok := live.Get(knob(name))
		return a.apply(ctx, name, seen{int64(was), ok}, replicas, known[Object(name)])
	})
}

// check refuses what cannot be a setting.
func (a *Actuator) check(want policy.Action) error {
	for i, s := range want {
		switch {
		case !a.Owns(s.KnobID):
			return fmt.Errorf("%s is not a knob of this mesh", s.KnobID)
		case slices.ContainsFunc(want[:i], func(t policy.Setting) bool { return t.KnobID == s.KnobID }):
			return fmt.Errorf("%s is there twice", s.KnobID)
		case !(s.Value >= 0 && s.Value <= math.MaxInt32) || s.Value != math.Trunc(s.Value):
			return fmt.Errorf("%s = %v is no number of replicas", s.KnobID, s.Value)
		}
	}
	return nil
}

// each calls f for the Deployments that want has a setting of.
func (a *Actuator) each(want policy.Action, f func(name kubeapi.Name, replicas int64) error) error {
	return kubeapi.Each(len(a.names), func(i int) error {
		v, ok := want.Get(knob(a.names[i]))
		if !ok {
			return nil
		}
		return f(a.names[i], int64(v))
	})
}

// seen is how many replicas there were when the plan was made, if that is known.
type seen struct {
	replicas int64
	known    bool
}

func (a *Actuator) apply(ctx context.Context, name kubeapi.Name, was seen, replicas int64, baseline json.RawMessage) error {
	if baseline == nil {
		return a.put(ctx, name, was, replicas, false, nil)
	}
	return a.put(ctx, name, was, replicas, false, func() error {
		v, err := a.view(ctx, name)
		if err != nil {
			return err
		}
		return a.annotate(ctx, name, v, string(baseline), false)
	})
}

// put writes the scale, and reads again when others were faster. before is called before
// each write; what it changes makes a new version, so that the scale is then read again.
func (a *Actuator) put(ctx context.Context, name kubeapi.Name, was seen, replicas int64, dryRun bool, before func() error) error {
	for try := 0; ; try++ {
		s, err := a.read(ctx, name)
		if err != nil || s.replicas == replicas {
			return err
		}
		if was.known && s.replicas != was.replicas {
			return fmt.Errorf("kube: the replicas of deployment %s were %d and are %d: %w", name, was.replicas, s.replicas, actuate.ErrChanged)
		}
		if try == 0 && before != nil {
			if err := before(); err != nil {
				return err
			}
			if s, err = a.read(ctx, name); err != nil {
				return err
			}
		}
		body, err := s.with(replicas)
		if err != nil {
			return fmt.Errorf("kube: scale of deployment %s: %w", name, err)
		}
		err = a.client.PutScale(ctx, name.Namespace, name.Name, body, dryRun)
		switch {
		case err == nil:
			return nil
		case kubeapi.Code(err) != http.StatusConflict:
			return fmt.Errorf("kube: scale deployment %s to %d: %w", name, replicas, err)
		case try == retries:
			return fmt.Errorf("kube: scale deployment %s to %d, %d times: %w: %w", name, replicas, try+1, ErrConflict, err)
		}
	}
}

func (a *Actuator) read(ctx context.Context, name kubeapi.Name) (scale, error) {
	raw, err := a.client.GetScale(ctx, name.Namespace, name.Name)
	if kubeapi.Code(err) == http.StatusNotFound {
		return scale{}, fmt.Errorf("kube: deployment %s does not exist; create it, or correct `deployment` in the rules file: %w", name, err)
	}
	if err != nil {
		return scale{}, fmt.Errorf("kube: read the scale of deployment %s: %w", name, err)
	}
	s, err := parseScale(raw)
	if err != nil {
		return scale{}, fmt.Errorf("kube: scale of deployment %s: the API server's answer: %w", name, err)
	}
	return s, nil
}

// scale is an autoscaling/v1 Scale with every member that it came with.
type scale struct {
	object   map[string]json.RawMessage
	spec     map[string]json.RawMessage
	replicas int64
}

func parseScale(raw []byte) (scale, error) {
	var s scale
	if err := json.Unmarshal(raw, &s.object); err != nil {
		return scale{}, err
	}
	if kind := string(s.object["kind"]); kind != `"Scale"` {
		return scale{}, fmt.Errorf("it is of kind %s, want Scale", kind)
	}
	var meta struct {
		ResourceVersion string `json:"resourceVersion"`
	}
	if err := json.Unmarshal(s.object["metadata"], &meta); err != nil || meta.ResourceVersion == "" {
		return scale{}, errors.New("it has no metadata.resourceVersion")
	}
	if err := json.Unmarshal(s.object["spec"], &s.spec); err != nil || s.spec == nil {
		return scale{}, errors.New("it has no spec")
	}
	// By the API's convention a scale of 0 has no spec.replicas.
	if n, ok := s.spec["replicas"]; ok {
		if err := json.Unmarshal(n, &s.replicas); err != nil {
			return scale{}, fmt.Errorf("spec.replicas: %w", err)
		}
	}
	return s, nil
}

// with returns the scale's JSON with another number of replicas.
func (s scale) with(replicas int64) ([]byte, error) {
	var err error
	if s.spec["replicas"], err = json.Marshal(replicas); err != nil {
		return nil, err
	}
	if s.object["spec"], err = json.Marshal(s.spec); err != nil {
		return nil, err
	}
	return json.Marshal(s.object)
}
