package eval

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestExplorationJudgesWhatWasLearnedAndWhatItCost(t *testing.T) {
	small := emulatorOptions(t)
	o := ExplorationOptions{Graph: small.Graph, Rules: small.Rules, Budget: .05, Explored: 80, Allowance: 4, Intervals: 40, Seed: 1001, Runs: 1}
	r, err := Exploration(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]ExplorationRow{}
	for _, row := range r.Rows {
		at[row.Method] = row
	}
	explores, samples := at[ExploreBounded], at[ExploreSample]
	switch {
	case len(at) != 5 || len(r.Bars) != 2 || len(r.Seeds) != 1:
		t.Fatalf("%d ways, %d bars, seeds %v", len(at), len(r.Bars), r.Seeds)
	case explores.OfOptimum.Mean < .1 || explores.OfOptimum.Mean > 1.1 || explores.Beside != nil:
		t.Errorf("bounded: %+v", explores)
	case explores.Rows.Mean > 80 || explores.Rows.Mean < 30 || *explores.Carried == Estimate{} || *explores.ExtraMost > 16:
		t.Errorf("bounded: %+v, extra %v", explores, *explores.ExtraMost)
	case samples.Extra != nil || samples.Beside == nil || samples.Rows.Mean != 80:
		t.Errorf("sample: %+v", samples)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "bounded") || strings.Contains(text.String(), "NaN") {
		t.Errorf("%v\n%s", err, text.String())
	}
	again, err := Exploration(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := json.Marshal(r)
	second, _ := json.Marshal(again)
	if string(first) != string(second) || len(first) < 500 {
		t.Errorf("the same options give another report:\n%s\n%s", first, second)
	}
}

func TestExplorationRefuses(t *testing.T) {
	small := emulatorOptions(t)
	for want, o := range map[string]ExplorationOptions{
		"0 intervals":      {Graph: small.Graph, Rules: small.Rules, Budget: .05, Runs: 1},
		"an allowance":     {Graph: small.Graph, Rules: small.Rules, Budget: .05, Runs: 1, Explored: 10, Allowance: -1},
		"budget 2":         {Graph: small.Graph, Rules: small.Rules, Budget: 2, Runs: 1, Explored: 10},
		"at least one run": {Graph: small.Graph, Rules: small.Rules, Budget: .05, Explored: 10},
	} {
		if _, err := Exploration(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
