package istio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"

	"github.com/windvane/windvane/daemon/actuate/internal/kubeapi"
	"github.com/windvane/windvane/plugins/policy"
)

// ErrConflict says that others kept changing a VirtualService while it was written.
var ErrConflict = errors.New("others keep changing it; nothing was written in this cycle")

// retries is how often a conflict is answered by reading and trying again.
const retries = 3

// Prepare finds out whether Apply would succeed: it reads the VirtualServices that want
// concerns, refuses what somebody else sets, and has the API server try the patches
// without storing them. It returns the baselines of these objects, by Object, that are
// to be recorded before Apply, and known ones as they are.
func (a *Actuator) Prepare(ctx context.Context, live, want policy.Action, known map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	return a.all(ctx, live, want, known, true)
}

// Apply makes the settings those of want, as policy.Quantise rounds them. A target that want
// has no setting of stays as it is; a knob that is not the actuator's, a value out of
// range, or only some weights of a target are an error before anything is written.
// Where nothing differs, nothing is sent. A setting that is neither as in live nor as in want is
// somebody else's, and its VirtualService is not written. The first write of an object leaves its
// baseline in the annotation: that of known, else what is found.
//
// Each VirtualService is one atomic write, several are not: after an error some may
// be written. The error names all that are not.
func (a *Actuator) Apply(ctx context.Context, live, want policy.Action, known map[string]json.RawMessage) error {
	_, err := a.all(ctx, live, want, known, false)
	return err
}

func (a *Actuator) all(ctx context.Context, live, want policy.Action, known map[string]json.RawMessage, dryRun bool) (map[string]json.RawMessage, error) {
	if err := a.check(want); err != nil {
		return nil, fmt.Errorf("istio: %w; nothing was written", err)
	}
	want = policy.Quantise(want)
	baselines := make([]json.RawMessage, len(a.objects))
	err := kubeapi.Each(len(a.objects), func(i int) error {
		o := a.objects[i]
		if !o.concerns(want) {
			return nil
		}
		_, err := a.send(ctx, o.name, o.owned, dryRun, func(v view) (ops []operation, err error) {
			ops, baselines[i], err = o.patch(v, live, want, known[Object(o.name)])
			if owner := v.Metadata.Owner("http"); owner != "" && err == nil && len(ops) > 0 {
				err = &kubeapi.OwnedError{Object: Object(o.name), Owner: owner}
			}
			return ops, err
		})
		return err
	})
	out := map[string]json.RawMessage{}
	for i, raw := range baselines {
		if raw != nil {
			out[Object(a.objects[i].name)] = raw
		}
	}
	return out, err
}

const kind = "VirtualService"

// Object is what a VirtualService is called where there are other kinds.
func Object(n kubeapi.Name) string { return kind + " " + n.String() }

func (a *Actuator) check(want policy.Action) error {
	seen := map[policy.KnobID]bool{}
	sums := map[string]float64{}
	for _, s := range want {
		switch {
		case !a.owned[s.KnobID]:
			return fmt.Errorf("%s is not a knob of this mesh", s.KnobID)
		case seen[s.KnobID]:
			return fmt.Errorf("%s is there twice", s.KnobID)
		case !(s.Value >= 0 && s.Value <= 1):
			return fmt.Errorf("%s = %v is outside [0, 1]", s.KnobID, s.Value)
		}
		seen[s.KnobID] = true
		if s.Kind == policy.Weight {
			sums[s.Target] += s.Value
		}
	}
	for _, o := range a.objects {
		for _, r := range o.routes {
			sum, ok := sums[r.target()]
			if !ok {
				continue
			}
			for _, d := range r.Destinations {
				if id := r.weightID(d); !seen[id] {
					return fmt.Errorf("%s is missing beside the other weights of its route", id)
				}
			}
			if math.Abs(sum-1) > policy.WeightTolerance {
				return fmt.Errorf("the weights of %s sum to %v, want 1", r.target(), sum)
			}
		}
	}
	return nil
}

// send patches a VirtualService with what make says of it as it is read, or applies it whole
// if it is owned, and reads again when others were faster. It returns the operations that were sent; none: nothing was
// to be changed.
func (a *Actuator) send(ctx context.Context, name kubeapi.Name, owned, dryRun bool, make func(v view) ([]operation, error)) ([]operation, error) {
	var last error // of the patch before
	var version string
	for try := 0; ; try++ {
		v, err := a.read(ctx, name)
		if err != nil {
			return nil, err
		}
		// A failed test is answered like an object that does not validate. If nobody
		// has changed the object, it was the latter.
		if kubeapi.Code(last) == http.StatusUnprocessableEntity && v.Metadata.ResourceVersion == version {
			return nil, fmt.Errorf("istio: the API server refuses the patch of VirtualService %s: %w", name, last)
		}
		ops, err := make(v)
		if err != nil {
			return nil, fmt.Errorf("istio: VirtualService %s: %w", name, err)
		}
		if len(ops) == 0 {
			return nil, nil
		}
		write := a.client.Patch
		body, err := json.Marshal(ops)
		if owned && err == nil {
			write = a.client.Apply
			body, err = v.whole(name, body)
		}
		if err != nil {
			return nil, fmt.Errorf("istio: VirtualService %s: %w", name, err)
		}
		last, version = write(ctx, name.Namespace, name.Name, body, dryRun), v.Metadata.ResourceVersion
		switch code := kubeapi.Code(last); {
		case last == nil:
			return ops, nil
		case code != http.StatusConflict && code != http.StatusUnprocessableEntity:
			return nil, fmt.Errorf("istio: patch VirtualService %s: %w", name, last)
		case try == retries:
			return nil, fmt.Errorf("istio: patch VirtualService %s, %d times: %w: %w", name, try+1, ErrConflict, last)
		}
	}
}

// concerns reports whether want has a setting of the object's.
func (o object) concerns(want policy.Action) bool {
	for _, r := range o.routes {
		if _, ok := want.Get(r.blockingID()); ok {
			return true
		}
		if _, ok := want.Get(r.weightID(r.Destinations[0])); ok {
			return true
		}
	}
	return false
}
