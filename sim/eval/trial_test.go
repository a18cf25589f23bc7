package eval

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/sim/train"
)

// failing answers nothing.
type failing struct{ policy.Policy }

func (failing) Decide(context.Context, policy.Observation) (policy.Decision, error) {
	return policy.Decision{}, errors.New("no idea")
}

// A policy that is handed in is judged as the same one is that Evaluate knows.
func tried(t *testing.T, e *evaluation) {
	trial, err := NewTrial(e.Rules, e.Dataset, e.full, 1005)
	if err != nil {
		t.Fatal(err)
	}
	trial.Shorten(150)
	trial.arena.Policies = []string{Tabular, Threshold}
	table, err := e.full.Table.Encode()
	if err != nil {
		t.Fatal(err)
	}
	guest := tabular.New()
	if err := guest.Configure(t.Context(), policy.Config{Artefact: table}); err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	r, err := trial.Run(t.Context(), "guest", guest, func(what string, done, _ int) { told[what] = done })
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 2*2*5 || told["intervals of seen load"] != 150 || told["intervals of unseen load"] != 150 {
		t.Errorf("%d rows, told %v", len(r.Rows), told)
	}
	for _, load := range []string{LoadSeen, LoadUnseen} {
		got, want := find(t, r, "guest", train.ObjectiveBudget, load, OnModel), find(t, r, Tabular, train.ObjectiveBudget, load, OnModel)
		got.Policy = Tabular
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s load: judged otherwise (-by name +handed in):\n%s", load, d)
		}
		find(t, r, "guest", train.ObjectiveReward, load, OnModel)
	}
	var text strings.Builder
	if err := r.WriteRows(&text); err != nil || !strings.Contains(text.String(), "guest") || strings.Contains(text.String(), "frontier") {
		t.Errorf("%v\n%s", err, text.String())
	}
	if _, err := trial.Run(t.Context(), "failing", failing{}, nil); err == nil || !strings.Contains(err.Error(), "interval 0: no idea") {
		t.Errorf("a policy that fails: %v", err)
	}
}
