package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The masks say what the trees say, to the last bit, at thresholds and off the scale too.
func TestMasksAreTheTrees(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, p := range []TreeParams{
		{Trees: 1, Leaves: 2, Rate: .1, MinLeafRows: 5},
		{Trees: 7, Leaves: 32, Rate: .1, MinLeafRows: 1},
		{Trees: 50, Leaves: 31, Rate: .3, MinLeafRows: 2},
	} {
		for features := 1; features <= 6; features++ {
			columns, y := make([][]float64, features), make([]float64, 400)
			for f := range columns {
				columns[f] = make([]float64, len(y))
				for i := range y {
					columns[f][i] = math.Round(float64(f+2)*rng.Float64()*4) / 4
					y[i] += columns[f][i] * rng.Float64()
				}
			}
			e, err := FitTrees(columns, y, p)
			if err != nil {
				t.Fatal(err)
			}
			m := newMasks(e)
			if m == nil {
				t.Fatalf("%+v: no masks", p)
			}
			x, left := make([]float64, features), make([]uint64, m.words)
			for range 2000 {
				for f := range x {
					switch x[f] = columns[f][rng.IntN(len(y))]; rng.IntN(8) {
					case 0:
						x[f] = e.Nodes[rng.IntN(len(e.Nodes))].Threshold
					case 1:
						x[f] = []float64{math.Inf(1), math.Inf(-1), math.NaN()}[rng.IntN(3)]
					}
				}
				if got, want := m.predict(x, left), e.Predict(x); got != want {
					t.Fatalf("%+v, %d features: %v at %v, the trees say %v", p, features, got, x, want)
				}
			}
		}
	}
}

func TestMasksRefuseLargeTrees(t *testing.T) {
	columns, y := [][]float64{make([]float64, 200)}, make([]float64, 200)
	for i := range y {
		columns[0][i], y[i] = float64(i), float64(i*i)
	}
	e, err := FitTrees(columns, y, TreeParams{Trees: 2, Leaves: maskLeaves + 1, Rate: .1, MinLeafRows: 1})
	if err != nil {
		t.Fatal(err)
	}
	if newMasks(e) != nil {
		t.Error("a tree with 33 leaves has masks")
	}
}
