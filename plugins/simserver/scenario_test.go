package simserver

import (
	"math"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

func TestKeepBounds(t *testing.T) {
	k := &keepBounds{
		&train.Goal{Services: []policy.Service{{Name: "a", Value: 1}, {Name: "b", Value: 3}}, Bound: []float64{.1, math.Inf(1)}},
		[]float64{1, 1},
	}
	for _, c := range []struct {
		what              string
		latency, admitted []float64
		want              float64
	}{
		{"everything is carried", []float64{.1, 9}, []float64{1, 1}, 1},
		{"half of the dear one is not", []float64{.05, 9}, []float64{1, .5}, 1 - 15./40},
		{"a fifth above the bound", []float64{.12, 0}, []float64{1, 1}, -.4},
		{"far above the bound", []float64{5, 0}, []float64{0, 0}, -1},
	} {
		if got := k.Reward(c.latency, []float64{10, 10}, c.admitted, 0); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
	if got := k.Reward([]float64{0, 0}, []float64{0, 0}, []float64{1, 1}, .5); got != -.5 {
		t.Errorf("without load, at a cost of .5: %v, want -.5", got)
	}
}

func TestScatter(t *testing.T) {
	ranges := []model.Span{{Min: 2, Max: 10}, {Min: 1, Max: 1}}
	points := scatter(ranges, 1000)
	least, most := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		least, most = math.Min(least, p[0]), math.Max(most, p[0])
		if p[1] != 1 {
			t.Fatalf("%v is outside of %v", p, ranges)
		}
	}
	if least < 2 || most > 10 || most-least < 7.5 {
		t.Errorf("loads from %v to %v; want all of 2 to 10", least, most)
	}
	if again := scatter(ranges, 1000); again[5][0] != points[5][0] {
		t.Error("the same seed draws other loads")
	}
}
