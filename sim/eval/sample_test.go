package eval

import (
	"context"
	"strings"
	"testing"

	"github.com/windvane/windvane/sim/train"
)

// Whoever has learned from a sample is judged by the truth of all data, and has less
// than who has seen it all, but most of it.
func TestASampleIsJudgedByTheWhole(t *testing.T) {
	m := tinyMesh(t)
	o := Options{Rules: m, Dataset: tinyData(m), Policies: []string{Tabular}, Seed: 1003, Seeds: 1, Trees: tinyTrees, SampleRows: 250}
	r, err := Evaluate(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, load := range []string{LoadSeen, LoadUnseen} {
		best := find(t, r, Optimum, train.ObjectiveReward, load, OnSample)
		if all := find(t, r, Optimum, train.ObjectiveReward, load, OnModel); best.CarriedRatio != all.CarriedRatio {
			t.Errorf("%s: the optimum carries %v, on the model %v; the truth is not the same", load, best.CarriedRatio, all.CarriedRatio)
		}
		if got := *find(t, r, Tabular, train.ObjectiveReward, load, OnSample).RewardRatio; got < .8 || got >= 1 {
			t.Errorf("%s: tabular from 250 rows has %v of the optimum", load, got)
		}
	}
	o.SampleRows = 5
	if _, err := Evaluate(context.Background(), o); err == nil || !strings.Contains(err.Error(), "a sample of 5 rows, seed 1003") {
		t.Errorf("a sample too small to learn from: %v", err)
	}
}
