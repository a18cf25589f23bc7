package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// KnobKind is what a knob controls.
type KnobKind string

// The kinds of knobs.
const (
	Blocking KnobKind = "blocking" // share of a service's offered requests that is refused, 0 to 1
	Replicas KnobKind = "replicas" // pods of a workload, a whole number
	Weight   KnobKind = "weight"   // share of a route's admitted requests sent to one destination, 0 to 1
)

// KnobID names a knob. Target is the service for blocking,
// "namespace/virtualservice/route" for weights and "namespace/deployment" for
// replicas; Part is the destination of a weight and empty otherwise.
type KnobID struct {
	Kind   KnobKind `json:"kind"`
	Target string   `json:"target"`
	Part   string   `json:"part,omitempty"`
}

// String writes kind:target or kind:target:part.
func (id KnobID) String() string {
	if id.Part == "" {
		return string(id.Kind) + ":" + id.Target
	}
	return string(id.Kind) + ":" + id.Target + ":" + id.Part
}

// ParseKnobID reads what String writes.
func ParseKnobID(s string) (KnobID, error) {
	f := strings.SplitN(s, ":", 3)
	if len(f) < 2 || f[1] == "" || len(f) == 3 && f[2] == "" {
		return KnobID{}, fmt.Errorf("knob %q: want kind:target or kind:target:part", s)
	}
	id := KnobID{Kind: KnobKind(f[0]), Target: f[1]}
	switch id.Kind {
	case Weight:
		if len(f) != 3 {
			return KnobID{}, fmt.Errorf("knob %q: a weight names its destination: weight:target:part", s)
		}
		id.Part = f[2]
	case Blocking, Replicas:
		if len(f) != 2 {
			return KnobID{}, fmt.Errorf("knob %q: %s takes no part", s, id.Kind)
		}
	default:
		return KnobID{}, fmt.Errorf("knob %q: unknown kind %q; want blocking, replicas or weight", s, f[0])
	}
	return id, nil
}

// Compare orders knobs by kind, target and part.
func (id KnobID) Compare(other KnobID) int {
	if c := strings.Compare(string(id.Kind), string(other.Kind)); c != 0 {
		return c
	}
	if c := strings.Compare(id.Target, other.Target); c != 0 {
		return c
	}
	return strings.Compare(id.Part, other.Part)
}

// Knob is one thing a policy may set, with its range.
type Knob struct {
	KnobID
	Service string  `json:"service,omitempty"` // the service it acts on; empty for replicas
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
	Levels  int     `json:"levels"` // values from Min to Max, evenly spaced, in a tabular policy's grid
	Cost    float64 `json:"cost"`   // per unit and interval, in the unit of Service.Value; replicas only
}

// Setting is a value of a knob.
type Setting struct {
	KnobID
	Value float64 `json:"value"`
}

// Action is a full set of settings: one for each knob, sorted by KnobID. The
// weights of one target sum to 1.
type Action []Setting

// Sort puts the action into its order.
func (a Action) Sort() {
	slices.SortFunc(a, func(x, y Setting) int { return x.Compare(y.KnobID) })
}

// Get returns the value of a knob, and whether the action has one.
func (a Action) Get(id KnobID) (float64, bool) {
	i, ok := slices.BinarySearchFunc(a, id, func(s Setting, id KnobID) int { return s.Compare(id) })
	if !ok {
		return 0, false
	}
	return a[i].Value, true
}

// Set changes the value of a knob that the action has; it reports whether it has it.
func (a Action) Set(id KnobID, v float64) bool {
	i, ok := slices.BinarySearchFunc(a, id, func(s Setting, id KnobID) int { return s.Compare(id) })
	if ok {
		a[i].Value = v
	}
	return ok
}

// Clone returns a copy.
func (a Action) Clone() Action { return slices.Clone(a) }

// Values are the settings alone, in their order.
func (a Action) Values() []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i].Value
	}
	return out
}

// Equal reports whether both have the same knobs with values no further apart than tol.
func (a Action) Equal(b Action, tol float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].KnobID != b[i].KnobID || !(math.Abs(a[i].Value-b[i].Value) <= tol) {
			return false
		}
	}
	return true
}

// Change is one line of a plan: a knob, what it is and what it shall be.
type Change struct {
	KnobID
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// Diff lists the settings in which two actions over the same knobs differ by more than tol.
func Diff(live, want Action, tol float64) []Change {
	var out []Change
	for _, w := range want {
		if v, ok := live.Get(w.KnobID); ok && !(math.Abs(v-w.Value) <= tol) {
			out = append(out, Change{KnobID: w.KnobID, From: v, To: w.Value})
		}
	}
	return out
}

// WeightTolerance is how far the weights of a target may be from a sum of 1.
const WeightTolerance = 1e-6

// Validate checks that the action has exactly the given knobs (sorted), each
// value finite and within its knob's range, replicas whole, and the weights of
// each target summing to 1. It names the first setting that is wrong.
func (a Action) Validate(knobs []Knob) error {
	if len(a) != len(knobs) {
		return fmt.Errorf("action has %d settings, want %d", len(a), len(knobs))
	}
	const slack = 1e-9
	sum := 0.0
	for i, s := range a {
		k := knobs[i]
		switch {
		case s.KnobID != k.KnobID:
			return fmt.Errorf("action: setting %d is %s, want %s", i, s.KnobID, k.KnobID)
		case math.IsNaN(s.Value) || s.Value < k.Min-slack || s.Value > k.Max+slack:
			return fmt.Errorf("action: %s = %v is outside [%v, %v]", s.KnobID, s.Value, k.Min, k.Max)
		case k.Kind == Replicas && s.Value != math.Trunc(s.Value):
			return fmt.Errorf("action: %s = %v is not a whole number", s.KnobID, s.Value)
		}
		if k.Kind != Weight {
			continue
		}
		sum += s.Value
		if i+1 == len(a) || knobs[i+1].Kind != Weight || knobs[i+1].Target != k.Target {
			if math.Abs(sum-1) > WeightTolerance {
				return fmt.Errorf("action: weights of %s sum to %v, want 1", k.Target, sum)
			}
			sum = 0
		}
	}
	return nil
}

// SortKnobs puts knobs into the order of actions.
func SortKnobs(knobs []Knob) {
	slices.SortFunc(knobs, func(x, y Knob) int { return x.Compare(y.KnobID) })
}
