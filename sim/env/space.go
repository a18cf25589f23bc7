package env

import (
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
)

// Space is the space of actions: the product of the axes of the knobs' grid. It is
// immutable.
type Space struct {
	knobs  []policy.Knob
	axes   []policy.Axis
	sizes  []int
	stride []int // by axis, of the flat index; nil where there are too many actions for one
	length int   // number of actions; 0 where there are too many to count
}

// NewSpace returns the space of the knobs (sorted). It is an error if a knob has no
// level or an axis more categories than policy.MaxGrid; the number of actions is not
// bounded.
func NewSpace(knobs []policy.Knob) (*Space, error) {
	axes, err := policy.Axes(knobs)
	if err != nil {
		return nil, err
	}
	s := &Space{knobs: knobs, axes: axes, length: 1}
	for _, a := range axes {
		s.sizes = append(s.sizes, len(a.Values))
		if s.length > math.MaxInt32/len(a.Values) {
			s.length = 0
		}
		s.length *= len(a.Values)
	}
	if s.length == 0 {
		return s, nil
	}
	s.stride = make([]int, len(axes))
	at := 1
	for i := len(axes) - 1; i >= 0; i-- {
		s.stride[i] = at
		at *= s.sizes[i]
	}
	return s, nil
}

// Knobs returns the knobs, in the order of actions. It is only to be read.
func (s *Space) Knobs() []policy.Knob { return s.knobs }

// Axes returns the number of categories of each axis. The caller owns the slice.
func (s *Space) Axes() []int { return append([]int(nil), s.sizes...) }

// Len returns the number of actions; 0 where they are more than 2^31 and have no flat
// index.
func (s *Space) Len() int { return s.length }

// Check reports the first axis whose category does not exist.
func (s *Space) Check(choice []int32) error {
	if len(choice) != len(s.sizes) {
		return fmt.Errorf("%d categories, want one for each of %d axes", len(choice), len(s.sizes))
	}
	for i, c := range choice {
		if c < 0 || int(c) >= s.sizes[i] {
			return fmt.Errorf("category %d of axis %d is outside [0, %d)", c, i, s.sizes[i])
		}
	}
	return nil
}

// Flat returns the position of an action in policy.Grid. It needs Len() > 0.
func (s *Space) Flat(choice []int32) int {
	at := 0
	for i, c := range choice {
		at += int(c) * s.stride[i]
	}
	return at
}

// Choice writes the categories of a position in policy.Grid into out. It needs Len() > 0.
func (s *Space) Choice(flat int, out []int32) {
	for i, stride := range s.stride {
		out[i] = int32(flat / stride)
		flat %= stride
	}
}

// Settings writes the values of the knobs into out, in the order of actions.
func (s *Space) Settings(choice []int32, out []float64) {
	for i, c := range choice {
		a := &s.axes[i]
		copy(out[a.First:], a.Values[c])
	}
}

// Action returns an action as policies write it.
func (s *Space) Action(choice []int32) policy.Action {
	values := make([]float64, len(s.knobs))
	s.Settings(choice, values)
	out := make(policy.Action, len(values))
	for i, v := range values {
		out[i] = policy.Setting{KnobID: s.knobs[i].KnobID, Value: v}
	}
	return out
}

// Nearest writes the categories closest to an action over the same knobs into out.
func (s *Space) Nearest(a policy.Action, out []int32) {
	for i, axis := range s.axes {
		least := math.Inf(1)
		for c, values := range axis.Values {
			d := 0.0
			for k, v := range values {
				d += (v - a[axis.First+k].Value) * (v - a[axis.First+k].Value)
			}
			if d < least {
				least, out[i] = d, int32(c)
			}
		}
	}
}
