package eval

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report as tables for a person.
func (r Report) WriteText(w io.Writer) error {
	for i, lines := range [][]string{r.rowLines(), r.frontierLines(), r.loadStepLines()} {
		if i > 0 {
			lines = append([]string{""}, lines...)
		}
		if err := writeColumns(w, lines); err != nil {
			return fmt.Errorf("evaluation: %w", err)
		}
	}
	return nil
}

// services are those with a bound, sorted.
func (r Report) services() []string { return slices.Sorted(maps.Keys(r.Budget)) }

func (r Report) rowLines() []string {
	head := []string{"objective", "load", "on", "policy", "of optimum", "regret"}
	for _, s := range r.services() {
		head = append(head, "violated "+s)
	}
	head = append(head, "worst 100", "carried", "measured")
	lines := []string{strings.Join(head, "\t")}
	for i, row := range r.Rows {
		if i > 0 && (row.Objective != r.Rows[i-1].Objective || row.Load != r.Rows[i-1].Load || row.On != r.Rows[i-1].On) {
			lines = append(lines, strings.Repeat("\t", len(head)-1)) // a line without cells would end the columns
		}
		name := row.Policy
		if row.Artefact != "" {
			name = row.Artefact
		}
		regret := "-"
		if row.Regret != nil {
			regret = row.Regret.Percent()
		}
		cells := []string{row.Objective, row.Load, row.On, name, number(row.RewardRatio, "%.4f"), regret}
		worst := 0.0
		for _, s := range r.services() {
			cells = append(cells, row.Violated[s].Percent())
			worst = max(worst, row.WorstWindow[s])
		}
		cells = append(cells, fmt.Sprintf("%.0f %%", 100*worst), fmt.Sprintf("%.3f", row.CarriedRatio), number(row.CarriedMeasuredRatio, "%.3f"))
		lines = append(lines, strings.Join(cells, "\t"))
	}
	if r.Seeds > 1 {
		lines = append(lines, fmt.Sprintf("±: half of a 95 %% confidence interval, by Student's t over one figure a run; %d runs", r.Seeds))
	}
	return lines
}

func (r Report) frontierLines() []string {
	lines := []string{
		"What is carried for what is violated: unseen load, configurations held out, mean over services",
		"policy\tbudget\tviolated\tcarried",
	}
	for _, p := range r.Frontier {
		budget := "-"
		if p.Budget != nil {
			budget = fmt.Sprintf("%.3g %%", 100**p.Budget)
		}
		lines = append(lines, strings.Join([]string{p.Policy, budget, p.Violated.Percent(), p.Carried.Percent()}, "\t"))
	}
	return lines
}

func (r Report) loadStepLines() []string {
	var steps, bars []string
	head := []string{"policy", "settled after"}
	for _, s := range slices.Sorted(maps.Keys(r.LoadStep.Before)) {
		steps = append(steps, fmt.Sprintf("%s from %.3g to %.3g/s", s, r.LoadStep.Before[s], r.LoadStep.After[s]))
	}
	for _, s := range r.services() {
		bars = append(bars, fmt.Sprintf("%s %.3g %%", s, 100*r.LoadStep.Bar[s]))
		head = append(head, "first 100 "+s)
	}
	lines := []string{
		fmt.Sprintf("After a step of the load (%s): settled when the next 100 intervals violate at most 1.5 budgets and a point (%s),",
			strings.Join(steps, ", "), strings.Join(bars, ", ")),
		fmt.Sprintf("mean over the runs (%d); single runs are noisy", r.Seeds),
		strings.Join(head, "\t"),
	}
	for _, p := range r.LoadStep.Policies {
		settled := "not in the run"
		if p.Settled != nil {
			settled = fmt.Sprintf("%d intervals", *p.Settled)
		}
		cells := []string{p.Policy, settled}
		for _, s := range r.services() {
			cells = append(cells, fmt.Sprintf("%.1f %%", 100*p.First[s]))
		}
		lines = append(lines, strings.Join(cells, "\t"))
	}
	return lines
}

// Percent writes an estimate of a share, as in "4.9 ±0.2 %".
func (e Estimate) Percent() string {
	if e.Half == nil {
		return fmt.Sprintf("%.1f %%", 100*e.Mean)
	}
	return fmt.Sprintf("%.1f ±%.1f %%", 100*e.Mean, 100**e.Half)
}

// writeColumns aligns cells that are separated by tabs.
func writeColumns(w io.Writer, lines []string) error {
	var b strings.Builder
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, l := range lines {
		_, _ = fmt.Fprintln(out, l)
	}
	_ = out.Flush() // a strings.Builder does not fail
	for l := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(l, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func number(v *float64, format string) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf(format, *v)
}
