package eval

import (
	"context"
	"testing"

	"github.com/windvane/windvane/sim/train"
)

// An artefact of the learned policy is judged as it is served, on the model; on
// configurations held out, what made it is judged beside it.
func TestEvaluateLearnedArtefact(t *testing.T) {
	m := tinyMesh(t)
	d := tinyData(m)
	goal, err := train.NewGoal(m, d.Services)
	if err != nil {
		t.Fatal(err)
	}
	tabular, err := train.EnumerateTabularAt(m, d, train.LoadGrid(d), fewTrees, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	params := train.DefaultPPO()
	params.Steps = 2048
	l, err := train.NewLearning(goal, tabular, params, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	src, err := l.Learned().Artefact.Encode()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Rules: m, Dataset: d, Seed: 3, Seeds: 1, Trees: fewTrees, Steps: 2048, intervals: 100, factors: []float64{1}}
	o.Artefacts = map[string]*train.Artefact{"mine": {Card: l.Learned().Card, Policy: src}}
	r, err := Evaluate(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var served, beside int
	for _, row := range r.Rows {
		switch {
		case row.Artefact == "mine" && row.Policy == Learned && row.On == OnModel && row.Objective == train.ObjectiveBudget:
			served++
		case row.Artefact != "":
			t.Errorf("row %+v", row)
		case row.Policy == Learned && row.On == OnHeldOut:
			beside++
		}
	}
	if served != 2 || beside != 4 {
		t.Errorf("%d rows of the artefact, %d of what made it; want 2 and 4", served, beside)
	}
	o.Artefacts["mine"].Policy = src[1:]
	if _, err := Evaluate(context.Background(), o); err == nil {
		t.Error("a damaged artefact was judged")
	}
}
