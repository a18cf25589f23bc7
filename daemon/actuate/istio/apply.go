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

// Apply makes the settings those of want, as policy.Quantise rounds them. A target that want
// has no setting of stays as it is; a knob that is not the actuator's, a value out of
// range, or only some weights of a target are an error before anything is written.
// Where nothing differs, nothing is sent.
//
// Each VirtualService is one atomic write, several are not: after an error some may
// be written. The error names all that are not.
func (a *Actuator) Apply(ctx context.Context, want policy.Action) error {
	if err := a.check(want); err != nil {
		return fmt.Errorf("istio: %w; nothing was written", err)
	}
	want = policy.Quantise(want)
	return kubeapi.Each(len(a.objects), func(i int) error { return a.apply(ctx, a.objects[i], want) })
}

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

func (a *Actuator) apply(ctx context.Context, o object, want policy.Action) error {
	if !o.concerns(want) {
		return nil
	}
	var last error // of the patch before
	var version string
	for try := 0; ; try++ {
		v, err := a.read(ctx, o)
		if err != nil {
			return err
		}
		// A failed test is answered like an object that does not validate. If nobody
		// has changed the object, it was the latter.
		if kubeapi.Code(last) == http.StatusUnprocessableEntity && v.Metadata.ResourceVersion == version {
			return fmt.Errorf("istio: the API server refuses the patch of VirtualService %s: %w", o.name, last)
		}
		ops, err := o.patch(v, want)
		if err != nil {
			return fmt.Errorf("istio: VirtualService %s: %w", o.name, err)
		}
		if len(ops) == 0 {
			return nil
		}
		body, err := json.Marshal(ops)
		if err != nil {
			return fmt.Errorf("istio: VirtualService %s: %w", o.name, err)
		}
		last, version = a.client.Patch(ctx, o.name.Namespace, o.name.Name, body), v.Metadata.ResourceVersion
		switch code := kubeapi.Code(last); {
		case last == nil:
			return nil
		case code != http.StatusConflict && code != http.StatusUnprocessableEntity:
			return fmt.Errorf("istio: patch VirtualService %s: %w", o.name, last)
		case try == retries:
			return fmt.Errorf("istio: patch VirtualService %s, %d times: %w: %w", o.name, try+1, ErrConflict, last)
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
