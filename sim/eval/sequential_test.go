package eval

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/rules"
)

// Value iteration is the yardstick that nobody exceeds but by what is left to its
// tolerance, who never moves earns least where the load is foreseeable, and the same
// options give the same report.
func TestSequential(t *testing.T) {
	m := tinyMesh(t)
	o := Options{Rules: m, Dataset: tinyData(m), Seed: 1003, Seeds: 1, Trees: tinyTrees, Steps: 4096, intervals: 500}
	r, err := Sequential(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 2*5 {
		t.Fatalf("%d rows, want 10", len(r.Rows))
	}
	ratio := map[string]float64{}
	for _, row := range r.Rows {
		if len(row.Ratios) != 1 || row.Ratio > 1.002 || row.Reward <= 0 {
			t.Errorf("row %+v", row)
		}
		ratio[row.Load+" "+row.Policy] = row.Ratio
	}
	for _, load := range []string{LoadRedrawn, LoadUnseen} {
		if ratio[load+" "+ValueIteration] != 1 {
			t.Errorf("%s: value iteration has %v of itself", load, ratio[load+" "+ValueIteration])
		}
	}
	if ratio["unseen rollout"] < .97 || ratio["unseen rollout"] < ratio["unseen static"] {
		t.Errorf("shares %v", ratio)
	}
	again, err := Sequential(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, again); d != "" {
		t.Errorf("asked again:\n%s", d)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"of value iteration", "redrawn  rollout", "unseen   ppo"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, text.String())
		}
	}
}

func TestSequentialRefuses(t *testing.T) {
	without, _, _ := strings.Cut(tinyRules, "[reward]")
	m, err := rules.Parse("rules.toml", []byte(without))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Rules: m, Dataset: tinyData(m), Seeds: 1, Trees: fewTrees}
	if _, err := Sequential(context.Background(), o); err == nil || !strings.Contains(err.Error(), "add [reward]") {
		t.Errorf("rules without a reward: %v", err)
	}
	o.Rules = tinyMesh(t)
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Sequential(stopped, o); err == nil {
		t.Error("went on after it was stopped")
	}
}
