package eval

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/windvane/windvane/sim/model"
)

func faultOptions(t *testing.T) FaultOptions {
	t.Helper()
	g, m, err := SmallGraph()
	if err != nil {
		t.Fatal(err)
	}
	return FaultOptions{Graph: g, Rules: m, Seed: 1000, Seeds: 1, Samples: 250, tested: 150, intervals: []int{0, 60}}
}

// Every model predicts what it was not fitted on, and each group is held out once.
func TestModelsAreComparedWhereTheyWereNotFitted(t *testing.T) {
	m := tinyMesh(t)
	all := tinyData(m)
	d := all.Select(func(row int) bool { return row%9 == row/27%9 }) // three loads of each configuration
	r, err := Models(t.Context(), ModelOptions{Rules: m, Dataset: d, Seed: 1000, Seeds: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	if len(r.Scores) != 2*len(modelNames)*len(d.Services) {
		t.Fatalf("%d scores", len(r.Scores))
	}
	for _, s := range r.Scores {
		if s.Model != ModelTable && s.R2.Mean < .3 {
			t.Errorf("%s of %s, %s held out: R2 %.2f", s.Model, s.Service, s.HeldOut, s.R2.Mean)
		}
		if s.Model == ModelTable && s.HeldOut == HeldOutConfigurations && s.Supported.Mean != 0 {
			t.Errorf("the table says that it has seen %.2f of the configurations held out", s.Supported.Mean)
		}
	}
	for _, s := range r.Splits {
		groups := r.Configurations
		if s.HeldOut == HeldOutLoads {
			groups = len(s.Regions)
		}
		seen := map[int]int{}
		for _, fold := range s.Folds {
			for _, g := range fold {
				seen[g]++
			}
		}
		if len(seen) != groups {
			t.Errorf("%s: %d of %d groups are held out", s.HeldOut, len(seen), groups)
		}
		for g, n := range seen {
			if n != 1 || g < 0 || g >= groups {
				t.Errorf("%s: group %d of %d is held out %d times", s.HeldOut, g, groups, n)
			}
		}
	}
	var out strings.Builder
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"configurations  a        trees", "loads           b        combined", "the table has a cell for 0.0 % of the rows"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// Errors that come again in part are taken off by as much, learned on the other folds,
// and a row without one before it keeps its own.
func TestLastResidualIsTakenOff(t *testing.T) {
	rng := rand.New(rand.NewPCG(1000, 1))
	v := validation{folds: model.HoldOut{Group: make([]int, 4000), Fold: []int{0, 1}, Count: 2}}
	errors := make([]float64, len(v.folds.Group))
	for row := range errors {
		v.folds.Group[row] = row % 2
		if row > 0 {
			errors[row] = .6*errors[row-1] + .1*rng.NormFloat64()
		}
	}
	errors[7] = math.NaN()
	left := v.lessLast(errors)
	if left[8] != errors[8] || left[0] != errors[0] {
		t.Error("a row without a residual before it was changed")
	}
	squares := 0.0
	for row, e := range left {
		if row > 8 {
			squares += e * e / float64(len(left))
		}
	}
	if got := math.Sqrt(squares); math.Abs(got-.1) > .01 {
		t.Errorf("%.3f is left, want the .1 that is new in each", got)
	}
}

// After a fault both corrections lessen the error of trees, and neither does harm where
// nothing has happened.
func TestFaultIsCorrected(t *testing.T) {
	o := faultOptions(t)
	r, err := ModelFaults(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	by := map[[3]string][]FaultError{}
	for _, s := range r.Scores {
		by[[3]string{s.Live, s.Model, s.Correction}] = s.Errors
	}
	for _, c := range faultCases {
		if c.held {
			continue // one action tells too little for a bar
		}
		for _, correction := range faultCorrections {
			e := by[[3]string{c.name, ModelTrees, correction}]
			before, after := e[0].Log.Mean, e[1].Log.Mean
			switch {
			case correction == CorrectionNone && before != after,
				c.fault && correction != CorrectionNone && after > .98*before,
				!c.fault && after > 1.1*before:
				t.Errorf("%s, %s: the error is %.3f before and %.3f after", c.name, correction, before, after)
			}
		}
	}
	if stale := by[[3]string{faultCases[0].name, ModelTrees, CorrectionNone}][0].Log.Mean; r.Bound.Log.Mean > stale {
		t.Errorf("trees that are fitted anew miss by %.3f, stale ones by %.3f", r.Bound.Log.Mean, stale)
	}
	var out strings.Builder
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	if want := "fault, random actions        trees     capacity"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
}
