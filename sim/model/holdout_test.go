package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// Loads that cluster are parted into their clusters; rows without a load are in none of
// their own.
func TestLoadRegionsAreClusters(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	d := dataset.New("test", 5, []policy.KnobID{testKnobs[0].KnobID}, []string{"a", "b"})
	var cluster []int
	for range 400 {
		c := rng.IntN(9)
		offered := []float64{5 + 5*float64(c%3) + .3*rng.Float64(), 100 + 50*float64(c/3) + 3*rng.Float64()}
		if rng.IntN(20) == 0 {
			c, offered[0] = -1, math.NaN()
		}
		cluster = append(cluster, c)
		one := []float64{1, 1}
		if err := d.Append(dataset.Row{Settings: []float64{1}, Offered: offered, Carried: one, Latency: one}); err != nil {
			t.Fatal(err)
		}
	}
	regions := NewLoadRegions(d)
	n := len(regions.Centres)
	of := map[int]int{}
	for row, r := range regions.Rows(d) {
		if cluster[row] < 0 {
			continue
		}
		if c, ok := of[r]; ok && c != cluster[row] {
			t.Fatalf("region %d has rows of clusters %d and %d", r, c, cluster[row])
		}
		of[r] = cluster[row]
	}
	if len(of) != n || n != mostRegions {
		t.Errorf("%d regions, %d with rows; want %d", n, len(of), mostRegions)
	}
}

func TestOneLoadIsNotHeldOut(t *testing.T) {
	d := mesh(1, 500)
	for row := range d.Offered[0] {
		d.Offered[0][row] = 20
	}
	m, err := FitSystem(d, testKnobs, quickTrees, 1)
	if err != nil {
		t.Fatal(err)
	}
	if m.Fit[0].R2Loads != nil {
		t.Errorf("R2 of loads held out is %v, but there is one only", *m.Fit[0].R2Loads)
	}
}

// Every group is in one fold, and all folds have about as many.
func TestFoldsAreEven(t *testing.T) {
	for groups, want := range map[int]int{7: folds, 3: 3, 1: 1} {
		h, sizes := drawFolds(nil, groups, 3), map[int]int{}
		for _, f := range h.Fold {
			sizes[f]++
		}
		if h.Count != want || len(sizes) != want {
			t.Errorf("%d groups: %d folds, groups in %d of them; want %d", groups, h.Count, len(sizes), want)
		}
		for f, n := range sizes {
			if f < 0 || f >= h.Count || n > (groups+want-1)/want {
				t.Errorf("%d groups: fold %d has %d", groups, f, n)
			}
		}
	}
}
