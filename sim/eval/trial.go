package eval

import (
	"context"
	"fmt"
	"io"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/train"
)

// Trial judges policies behind the contract on the model that they were trained on, as
// Evaluate judges those that it knows: in the closed loop, on loads that were seen and not,
// beside the optimum, the best static setting and thresholds.
type Trial struct{ arena arena }

// NewTrial prepares a trial on what EnumerateTabular made of the rules and the dataset. It is
// an error if they have nothing to judge by, such as a bound.
func NewTrial(m *rules.Mesh, d *dataset.Dataset, trained *train.Tabular, seed uint64) (*Trial, error) {
	o := Options{Rules: m, Dataset: d, Policies: []string{Threshold}, Seed: seed, Seeds: 1}.complete()
	goal, err := boundedGoal(m, d)
	if err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	e, err := newEvaluation(o, goal, trained)
	if err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	return &Trial{arena{evaluation: e, on: OnModel, truth: e.truth, trained: trained}}, nil
}

// Shorten limits each run to so many intervals.
func (t *Trial) Shorten(intervals int) { t.arena.intervals = intervals }

// Run judges a policy that is configured. Its first error is the trial's. A policy that is
// deterministic gets the same report again.
func (t *Trial) Run(ctx context.Context, name string, p policy.Policy, progress Progress) (Report, error) {
	r := t.arena
	rows := tallies{}
	if progress != nil {
		progress("judging what the policy is held against", 0, 0)
	}
	if err := r.judge(ctx, r.Seed, rows); err != nil {
		return Report{}, fmt.Errorf("trial: %w", err)
	}
	for load, s := range r.runs(r.Seed) {
		n := 0
		r.watch = func(int, *policy.Observation, *asker, []float64) {
			if n++; progress != nil {
				progress("intervals of "+load+" load", n, len(s.offered))
			}
		}
		sum, err := r.steer(ctx, p, r.trained.Card, s)
		if err != nil {
			return Report{}, fmt.Errorf("trial: %s load: %w", load, err)
		}
		for _, objective := range r.objectives() {
			rows[subject{objective, load, OnModel, name, ""}] = sum.closed()
		}
	}
	runs := map[subject][]tally{}
	for s, sum := range rows {
		runs[s] = []tally{sum}
	}
	return r.tabulate(runs), nil
}

// WriteRows writes the report's rows as a table for a person.
func (r Report) WriteRows(w io.Writer) error {
	if err := writeColumns(w, r.rowLines()); err != nil {
		return fmt.Errorf("evaluation: %w", err)
	}
	return nil
}
