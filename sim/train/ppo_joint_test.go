package train

import (
	"slices"
	"testing"
)

// fixed is an environment of which only the axes matter.
type fixed struct {
	toy
	sizes []int
	took  []int32
}

func (f *fixed) Axes() []int { return f.sizes }

func (f *fixed) Step(actions []int32, _, _ []float32, _, _ []bool) error {
	f.took = slices.Clone(actions)
	return nil
}

// Every combination of categories has a choice of the joint axes, and one only.
func TestJointAxes(t *testing.T) {
	for _, tt := range []struct{ sizes, want []int }{
		{[]int{6, 6, 6, 6}, []int{36, 36}},
		{[]int{5, 6}, []int{30}},
		{[]int{100, 2, 3}, []int{100, 6}},
		{[]int{2, 2, 2, 2, 2, 2, 2}, []int{64, 2}},
		{[]int{7}, []int{7}},
	} {
		f := &fixed{toy: *newToy(1), sizes: tt.sizes}
		j := newJoint(f)
		if got := j.Axes(); !slices.Equal(got, tt.want) {
			t.Errorf("%v: axes %v, want %v", tt.sizes, got, tt.want)
		}
		seen, all := map[string]bool{}, 1
		choice := make([]int32, len(j.axes))
		for _, n := range j.axes {
			all *= n
		}
		for flat := range all {
			rest := flat
			for i := len(choice) - 1; i >= 0; i-- {
				choice[i] = int32(rest % j.axes[i])
				rest /= j.axes[i]
			}
			if err := j.Step(choice, nil, nil, nil, nil); err != nil {
				t.Fatal(err)
			}
			at, key := 0, make([]byte, len(f.took))
			for i, c := range f.took {
				if c < 0 || int(c) >= tt.sizes[i] {
					t.Fatalf("%v: %v became %v", tt.sizes, choice, f.took)
				}
				at, key[i] = at*tt.sizes[i]+int(c), byte(c)
			}
			if at != flat {
				t.Fatalf("%v: choice %d became action %d", tt.sizes, flat, at)
			}
			seen[string(key)] = true
		}
		if len(seen) != all {
			t.Errorf("%v: %d of %d actions", tt.sizes, len(seen), all)
		}
	}
}
