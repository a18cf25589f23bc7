package policy

import (
	"slices"
	"testing"
)

// Axes and Grid agree: the actions are the product of the categories, the last axis
// varying fastest.
func TestGridIsTheProductOfItsAxes(t *testing.T) {
	knobs := twoRoutes(4)
	axes, err := Axes(knobs)
	if err != nil {
		t.Fatal(err)
	}
	grid, err := Grid(knobs)
	if err != nil {
		t.Fatal(err)
	}
	size := 1
	for _, a := range axes {
		size *= len(a.Values)
	}
	if len(axes) != 3 || size != len(grid) {
		t.Fatalf("%d axes with %d actions, the grid has %d", len(axes), size, len(grid))
	}
	for n, action := range grid {
		rest := n
		for _, a := range slices.Backward(axes) {
			for k, v := range a.Values[rest%len(a.Values)] {
				if got := action[a.First+k].Value; got != v {
					t.Fatalf("action %d: knob %d is %v, want %v", n, a.First+k, got, v)
				}
			}
			rest /= len(a.Values)
		}
	}
}

func TestAxesRefuses(t *testing.T) {
	var many []Knob
	for _, part := range []string{"v1", "v2", "v3", "v4"} {
		many = append(many, Knob{KnobID: KnobID{Kind: Weight, Target: "t", Part: part}, Max: 1, Levels: 1000})
	}
	for name, knobs := range map[string][]Knob{
		"too many weights": many,
		"too many levels":  {{KnobID: KnobID{Kind: Blocking, Target: "b"}, Max: 1, Levels: MaxGrid + 1}},
		"no level":         {{KnobID: KnobID{Kind: Blocking, Target: "b"}, Max: 1}},
	} {
		if _, err := Axes(knobs); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
