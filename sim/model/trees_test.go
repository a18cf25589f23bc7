package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// problem is a smooth surface with an interaction, noise of .1, and one feature without effect.
func problem(seed uint64, rows int) (columns [][]float64, y []float64) {
	rng := rand.New(rand.NewPCG(seed, 9))
	columns = make([][]float64, 4)
	for range rows {
		a, b, c, d := rng.Float64(), rng.Float64(), float64(rng.IntN(6))/5, rng.Float64()
		for i, v := range []float64{a, b, c, d} {
			columns[i] = append(columns[i], v)
		}
		y = append(y, math.Sin(4*a)+2*a*b+c*c+.1*rng.NormFloat64())
	}
	return columns, y
}

func r2(e *Ensemble, columns [][]float64, y []float64) float64 {
	mean, within, all := 0.0, 0.0, 0.0
	for _, v := range y {
		mean += v / float64(len(y))
	}
	x := make([]float64, len(columns))
	for row, v := range y {
		for f := range columns {
			x[f] = columns[f][row]
		}
		d := v - e.Predict(x)
		within += d * d
		all += (v - mean) * (v - mean)
	}
	return 1 - within/all
}

func TestTreesLearnASurface(t *testing.T) {
	train, y := problem(1, 4000)
	test, want := problem(2, 2000)
	e, err := FitTrees(train, y, DefaultTreeParams())
	if err != nil {
		t.Fatal(err)
	}
	if got := r2(e, test, want); got < .95 {
		t.Errorf("R2 on fresh rows = %.3f, want at least .95", got)
	}
}

func TestTreesAreDeterministic(t *testing.T) {
	x, y := problem(3, 500)
	a, err := FitTrees(x, y, DefaultTreeParams())
	if err != nil {
		t.Fatal(err)
	}
	b, err := FitTrees(x, y, DefaultTreeParams())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("two fits differ:\n%s", d)
	}
}

// One tree with one split is the best of all splits, by brute force.
func TestOneSplitIsTheBest(t *testing.T) {
	x, y := problem(4, 300)
	p := TreeParams{Trees: 1, Leaves: 2, Rate: 1, MinLeafRows: 10}
	e, err := FitTrees(x, y, p)
	if err != nil {
		t.Fatal(err)
	}
	root := e.Nodes[e.Roots[0]]
	best, mean := 0.0, 0.0
	for _, v := range y {
		mean += v / float64(len(y))
	}
	gain := func(f int, threshold float64) float64 {
		var left, right struct{ sum, rows float64 }
		for row, v := range y {
			if x[f][row] <= threshold {
				left.sum += v - mean
				left.rows++
			} else {
				right.sum += v - mean
				right.rows++
			}
		}
		if left.rows < 10 || right.rows < 10 {
			return 0
		}
		return left.sum*left.sum/left.rows + right.sum*right.sum/right.rows
	}
	for f := range x {
		for _, edge := range newBinning(slices.Clone(x[f])).edges {
			best = math.Max(best, gain(f, edge))
		}
	}
	if got := gain(int(root.Feature), root.Threshold); math.Abs(got-best) > 1e-9 {
		t.Errorf("split on %d at %v gains %v, the best gains %v", root.Feature, root.Threshold, got, best)
	}
}

func TestTreesRefuseBadInput(t *testing.T) {
	x, y := problem(5, 100)
	x[1][7] = math.NaN()
	if _, err := FitTrees(x, y, DefaultTreeParams()); err == nil {
		t.Error("NaN was taken")
	}
	if _, err := FitTrees([][]float64{{1, 2}}, []float64{1, 2}, DefaultTreeParams()); err == nil {
		t.Error("two rows were taken")
	}
}

func BenchmarkFitTrees(b *testing.B) {
	x, y := problem(1, 45_000)
	p := DefaultTreeParams()
	p.Trees = 100
	for b.Loop() {
		if _, err := FitTrees(x, y, p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPredict(b *testing.B) {
	x, y := problem(1, 5_000)
	e, err := FitTrees(x, y, DefaultTreeParams())
	if err != nil {
		b.Fatal(err)
	}
	at := []float64{.3, .4, .6, .1}
	for b.Loop() {
		e.Predict(at)
	}
}
