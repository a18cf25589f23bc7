package env

import (
	"math"

	"github.com/windvane/windvane/plugins/policy"
)

// Limiter says where an axis gets to in one interval. It is immutable.
type Limiter struct {
	toward [][]int32 // by axis: [from * categories + to]; nil: unlimited
	sizes  []int
}

// NewLimiter returns the limiter of a space. An axis moves at most levels (0: any
// number) of its knob's grid in an interval, towards what was asked for; the weights of
// a target move by so many levels in sum, from the destinations that have too much to
// those that have too little, in their order. With freeRaise, blocking rises at once.
func NewLimiter(s *Space, levels int, freeRaise bool) *Limiter {
	l := &Limiter{sizes: s.Axes()}
	if levels == 0 {
		return l
	}
	for _, axis := range s.axes {
		n := len(axis.Values)
		knob := s.knobs[axis.First]
		to := make([]int32, n*n)
		for from := range n {
			for want := range n {
				var at int
				switch {
				case knob.Kind == policy.Weight:
					at = shift(axis.Values, from, want, levels, knob.Levels)
				case freeRaise && knob.Kind == policy.Blocking && want > from:
					at = want
				case want > from:
					at = min(want, from+levels)
				default:
					at = max(want, from-levels)
				}
				to[from*n+want] = int32(at)
			}
		}
		l.toward = append(l.toward, to)
	}
	return l
}

// Move returns the category that an axis gets to from one, towards another.
func (l *Limiter) Move(axis int, from, to int32) int32 {
	if l.toward == nil {
		return to
	}
	return l.toward[axis][int(from)*l.sizes[axis]+int(to)]
}

// shift moves weights by up to so many units; it stays where what it gets to is
// outside the knobs' ranges.
func shift(categories [][]float64, from, to, units, levels int) int {
	unit := 1 / float64(max(levels-1, 1))
	at := append([]float64(nil), categories[from]...)
	want := categories[to]
	for range units {
		more, less := -1, -1
		for i := range at {
			if at[i]-want[i] > unit/2 && more < 0 {
				more = i
			}
			if want[i]-at[i] > unit/2 && less < 0 {
				less = i
			}
		}
		if more < 0 || less < 0 {
			break
		}
		at[more] -= unit
		at[less] += unit
	}
	for c, values := range categories {
		same := true
		for i, v := range values {
			same = same && math.Abs(v-at[i]) < unit/2
		}
		if same {
			return c
		}
	}
	return from
}

// features are what observations show of settings, by axis and category.
type features struct {
	width []int       // by axis
	value [][]float32 // by axis: [category][feature]
	total int
}

func newFeatures(s *Space) features {
	var f features
	for _, axis := range s.axes {
		knobs := s.knobs[axis.First:][:len(axis.Values[0])]
		width := len(knobs)
		if knobs[0].Kind == policy.Weight {
			width-- // the last weight is what the others leave
		}
		values := make([]float32, 0, width*len(axis.Values))
		for _, v := range axis.Values {
			for i := range width {
				values = append(values, within((v[i]-knobs[i].Min)/(knobs[i].Max-knobs[i].Min)))
			}
		}
		f.width, f.value = append(f.width, width), append(f.value, values)
		f.total += width
	}
	return f
}

// The ends of what an observation can be.
const (
	MinObservation = -1
	MaxObservation = 2
)

// within clamps an observation; a range without width is at its lower end.
func within(x float64) float32 {
	if math.IsNaN(x) {
		return 0
	}
	return float32(math.Max(MinObservation, math.Min(MaxObservation, x)))
}
