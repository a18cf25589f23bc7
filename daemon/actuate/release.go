package actuate

import (
	"context"
	"encoding/json"
	"errors"
	"math"

	"github.com/windvane/windvane/plugins/policy"
)

// Where a baseline came from.
const (
	FromJournal    = "journal"
	FromAnnotation = "annotation"
)

// ErrDrift says that others have changed what is to be restored.
var ErrDrift = errors.New("others have changed what windvane had set; look at it, then put it right or force the release")

// ReleaseOptions say what is known of the settings that are to be given back.
type ReleaseOptions struct {
	Known     map[string]json.RawMessage // baselines from the journal, by object; of others the annotation counts
	Commanded []policy.Action            // what windvane may have left in force; a knob without a setting: not known
	Force     bool                       // restore over the changes of others
	DryRun    bool                       // the server does all but store it
}

// Drift reports whether a value in force is none that windvane may have left, and names one
// of those.
func (o ReleaseOptions) Drift(id policy.KnobID, value, tolerance float64) (float64, bool) {
	known, left := false, 0.
	for _, a := range o.Commanded {
		if v, ok := a.Get(id); ok {
			if math.Abs(v-value) <= tolerance {
				return v, false
			}
			known, left = true, v
		}
	}
	return left, known
}

// Released is what became of one object.
type Released struct {
	Object   string   `json:"object"`             // such as "VirtualService default/front"
	Baseline string   `json:"baseline,omitempty"` // where it came from; empty: windvane has not written the object
	Changed  bool     `json:"changed"`            // it was restored; false: it was so already, or there is a problem
	Kubectl  []string `json:"kubectl,omitempty"`  // commands that do the same
	Drift    []string `json:"drift,omitempty"`    // what others have changed
	Problem  string   `json:"problem,omitempty"`  // why it was not restored
}

// Releaser gives the settings of some objects back.
type Releaser interface {
	Release(ctx context.Context, o ReleaseOptions) []Released
}

// Release gives back what the actuators of the group have written. The problems of one
// object do not keep the others from being restored; the error says that there were some.
func Release(ctx context.Context, all []Releaser, o ReleaseOptions) ([]Released, error) {
	var out []Released
	var errs []error
	for _, r := range all {
		for _, x := range r.Release(ctx, o) {
			out = append(out, x)
			if x.Problem != "" {
				errs = append(errs, errors.New(x.Object+": "+x.Problem))
			}
		}
	}
	return out, errors.Join(errs...)
}
