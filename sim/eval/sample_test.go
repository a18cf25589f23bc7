package eval

import (
	"context"
	"strings"
	"testing"

	"github.com/windvane/windvane/sim/train"
)

// Whoever has learned from a sample is judged by the truth that is held out, as who has
// learned from all else is, and has most of what that one has.
func TestASampleIsJudgedByTheWhole(t *testing.T) {
	m := tinyMesh(t)
	o := Options{Rules: m, Dataset: tinyData(m), Policies: []string{Tabular}, Seed: 1003, Seeds: 1, Trees: tinyTrees, SampleRows: 250, intervals: 540, factors: []float64{1}}
	r, err := Evaluate(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, load := range []string{LoadSeen, LoadUnseen} {
		best := find(t, r, Optimum, train.ObjectiveReward, load, OnSample)
		if all := find(t, r, Optimum, train.ObjectiveReward, load, OnHeldOut); best.CarriedRatio != all.CarriedRatio {
			t.Errorf("%s: the optimum carries %v, with all rows %v; the truth is not the same", load, best.CarriedRatio, all.CarriedRatio)
		}
		got, all := *find(t, r, Tabular, train.ObjectiveReward, load, OnSample).RewardRatio, *find(t, r, Tabular, train.ObjectiveReward, load, OnHeldOut).RewardRatio
		if got < .8*all || got == all {
			t.Errorf("%s: tabular from 250 rows has %v of the optimum, from all %v", load, got, all)
		}
	}
	o.SampleRows = 5
	if _, err := Evaluate(context.Background(), o); err == nil || !strings.Contains(err.Error(), "a sample of 5 rows, seed 1003") {
		t.Errorf("a sample too small to learn from: %v", err)
	}
}
