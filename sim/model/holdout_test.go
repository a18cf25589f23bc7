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
	region, n := LoadRegions(d)
	of := map[int]int{}
	for row, r := range region {
		if cluster[row] < 0 {
			continue
		}
		if c, ok := of[r]; ok && c != cluster[row] {
			t.Fatalf("region %d has rows of clusters %d and %d", r, c, cluster[row])
		}
		of[r] = cluster[row]
	}
	if len(of) != n || n != loadRegions {
		t.Errorf("%d regions, %d with rows; want %d", n, len(of), loadRegions)
	}
}

func TestOneLoadIsNotHeldOut(t *testing.T) {
	d := mesh(1, 500)
	for row := range d.Offered[0] {
		d.Offered[0][row] = 20
	}
	m, err := FitSystem(d, testKnobs, DefaultTreeParams(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if m.Fit[0].R2Loads != nil {
		t.Errorf("R2 of loads held out is %v, but there is one only", *m.Fit[0].R2Loads)
	}
}

// Every row is in one fold, and a group in one fold only.
func TestFoldsKeepGroupsTogether(t *testing.T) {
	group := []int{0, 1, 2, 0, 3, 4, 5, 6, 6, 1}
	for groups, want := range map[int]int{7: folds, 3: 3} {
		of := map[int]int{}
		out := drawFolds(group[:min(len(group), groups)], groups, 3)
		if out.count != want {
			t.Errorf("%d groups: %d folds, want %d", groups, out.count, want)
		}
		for row, f := range out.fold {
			g := group[row]
			if was, ok := of[g]; ok && was != f || f < 0 || f >= out.count {
				t.Errorf("group %d is in folds %d and %d of %d", g, was, f, out.count)
			}
			of[g] = f
		}
	}
}
