package planning

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// A table that is linear in the settings is predicted as it is, on the grid and between its actions;
// what lies beyond it is not.
func TestLiveBetweenActionsOfTheGrid(t *testing.T) {
	tb := flat(t)
	grid, err := policy.Grid(tb.Knobs)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(a policy.Action) (v float64) {
		for k, s := range a {
			v += float64(k+1) * s.Value
		}
		return v
	}
	for i := range tb.Values {
		tb.Values[i] = float32(linear(grid[i/2%len(grid)]))
	}
	c, err := NewCase("test", tb, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 4))
	for range 200 {
		o := observe(c, rng, 20*rng.Float64(), 20*rng.Float64())
		for k := 0; k < len(o.Live); k++ {
			switch knob := c.Table.Knobs[k]; knob.Kind {
			case policy.Blocking:
				o.Live[k].Value = knob.Max * rng.Float64()
			case policy.Weight:
				o.Live[k].Value = rng.Float64()
				o.Live[k+1].Value = 1 - o.Live[k].Value
				k++
			case policy.Replicas:
			}
		}
		if err := c.Begin(o); err != nil {
			t.Fatal(err)
		}
		if rounding := .3; math.Abs(c.Live[0]-linear(o.Live)) > rounding || !c.knowsLive {
			t.Fatalf("%v: %v, want %v", o.Live, c.Live[0], linear(o.Live))
		}
	}
	o := observe(c, rng, 10, 10)
	for k := range o.Live {
		if c.Table.Knobs[k].Kind == policy.Replicas {
			o.Live[k].Value = c.Table.Knobs[k].Max + 1
		}
	}
	if err := c.Begin(o); err != nil {
		t.Fatal(err)
	}
	if c.knowsLive || math.Abs(c.Live[0]-linear(c.Grid[c.Nearest])) > 1e-4 {
		t.Errorf("beyond the grid: %v", c.Live[0])
	}
}
