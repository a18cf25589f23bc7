package policy

import (
	"fmt"
	"math"
)

// Value returns the i-th of the knob's grid values, 0 <= i < Levels.
func (k Knob) Value(i int) float64 {
	if k.Levels < 2 {
		return k.Min
	}
	v := k.Min + (k.Max-k.Min)*float64(i)/float64(k.Levels-1)
	if k.Kind == Replicas {
		v = math.Round(v)
	}
	return v
}

// MaxGrid bounds the number of actions that Grid enumerates.
const MaxGrid = 1 << 20

// Grid enumerates every action on the knobs' grids (knobs sorted), the last
// knob varying fastest. The weights of a target with d destinations and n levels
// are the vectors of multiples of 1/(n-1) that sum to 1. It is an error if there
// are more than MaxGrid actions, or if a knob has no level.
func Grid(knobs []Knob) ([]Action, error) {
	axes, err := Axes(knobs)
	if err != nil {
		return nil, err
	}
	size := 1
	for _, axis := range axes {
		size *= len(axis.Values)
		if size > MaxGrid {
			return nil, fmt.Errorf("grid: more than %d actions; use fewer levels, or a policy that searches", MaxGrid)
		}
	}
	flat := make([]Setting, 0, size*len(knobs))
	out := make([]Action, size)
	for n := range size {
		start := len(flat)
		rest, stride := n, size
		for _, axis := range axes {
			stride /= len(axis.Values)
			for _, v := range axis.Values[rest/stride] {
				flat = append(flat, Setting{KnobID: knobs[len(flat)-start].KnobID, Value: v})
			}
			rest %= stride
		}
		out[n] = flat[start:len(flat):len(flat)]
	}
	return out, nil
}

// Axis is what can be chosen on its own: the value of one knob, or the weights of one
// target, which have to sum to 1.
type Axis struct {
	First  int         // position of its first knob; the others follow
	Values [][]float64 // [category][knob of the axis]
}

// Axes lists the axes of the knobs' grid (knobs sorted), each with its categories in
// the order of Grid: the actions of Grid are their product, the last axis varying
// fastest. It is an error if a knob has no level, or an axis more than MaxGrid categories.
func Axes(knobs []Knob) ([]Axis, error) {
	var axes []Axis
	for i := 0; i < len(knobs); {
		j := i + 1
		for knobs[i].Kind == Weight && j < len(knobs) && knobs[j].Kind == Weight && knobs[j].Target == knobs[i].Target {
			j++
		}
		values, err := axisOf(knobs[i:j])
		if err != nil {
			return nil, err
		}
		axes = append(axes, Axis{First: i, Values: values})
		i = j
	}
	return axes, nil
}

func axisOf(knobs []Knob) ([][]float64, error) {
	k := knobs[0]
	if k.Levels < 1 {
		return nil, fmt.Errorf("grid: knob %s has no levels", k.KnobID)
	}
	if k.Levels > MaxGrid {
		return nil, fmt.Errorf("grid: more than %d levels of %s; use fewer", MaxGrid, k.KnobID)
	}
	if k.Kind != Weight {
		axis := make([][]float64, k.Levels)
		for i := range axis {
			axis[i] = []float64{k.Value(i)}
		}
		return axis, nil
	}
	if k.Levels < 2 && len(knobs) > 1 {
		return nil, fmt.Errorf("grid: weights of %s need at least 2 levels", k.Target)
	}
	var axis [][]float64
	var fill func(prefix []float64, left int)
	units := max(k.Levels-1, 1)
	fill = func(prefix []float64, left int) {
		if len(axis) > MaxGrid {
			return
		}
		if len(prefix) == len(knobs)-1 {
			axis = append(axis, append(append([]float64(nil), prefix...), float64(left)/float64(units)))
			return
		}
		for n := 0; n <= left; n++ {
			fill(append(prefix, float64(n)/float64(units)), left-n)
		}
	}
	fill(nil, units)
	if len(axis) > MaxGrid {
		return nil, fmt.Errorf("grid: more than %d weights of %s; use fewer levels, or a policy that searches", MaxGrid, k.Target)
	}
	inRange := axis[:0]
	for _, vs := range axis {
		ok := true
		for i, v := range vs {
			ok = ok && v >= knobs[i].Min && v <= knobs[i].Max
		}
		if ok {
			inRange = append(inRange, vs)
		}
	}
	if len(inRange) == 0 {
		return nil, fmt.Errorf("grid: no weights of %s lie within their ranges; use more levels", k.Target)
	}
	return inRange, nil
}
