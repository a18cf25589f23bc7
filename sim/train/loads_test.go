package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/windvane/windvane/sim/dataset"
)

func loads(next func() float64) [][]float64 {
	d := dataset.New("m", 5, nil, []string{"a"})
	for range 5000 {
		d.Offered[0] = append(d.Offered[0], next())
	}
	d.Offered[0][7] = math.NaN()
	return LoadGrid(d)
}

// A ladder is found through noise whose tails run into each other.
func TestLoadGridFindsALadder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	got := loads(func() float64 {
		v := float64(5+5*rng.IntN(4)) + float64(rng.IntN(5)-2)/5
		if rng.IntN(8) == 0 {
			v += 2 * rng.Float64()
		}
		return v
	})
	if len(got[0]) != 4 {
		t.Fatalf("grid %v, want 4 rungs", got)
	}
	for i, want := range []float64{5, 10, 15, 20} {
		if math.Abs(got[0][i]-want) > .21 {
			t.Errorf("rung %v, want about %v", got[0][i], want)
		}
	}
}

func TestLoadGridSpreadsOverContinuousLoad(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for name, next := range map[string]func() float64{
		"uniform":  func() float64 { return 5 + 15*rng.Float64() },
		"sinusoid": func() float64 { return 12.5 + 7.5*math.Sin(7*rng.Float64()) },
	} {
		got := loads(next)[0]
		if len(got) != maxLoads || !slices.IsSorted(got) {
			t.Errorf("%s: grid %v", name, got)
		}
	}
	if got := loads(func() float64 { return 3 })[0]; !slices.Equal(got, []float64{3}) {
		t.Errorf("grid of a constant load: %v", got)
	}
}
