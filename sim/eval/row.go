package eval

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// The names of what a row is about.
const (
	LoadSeen   = "seen"   // every combination of the loads that the table was made at
	LoadUnseen = "unseen" // sinusoids between the least and the greatest of them

	OnModel   = "model"    // the truth is the model of all data
	OnHeldOut = "held_out" // the truth is a model of the configurations that the policy's model did not see
)

// Row says how one policy did under one objective and load, over all seeds.
type Row struct {
	Policy    string `json:"policy"`
	Artefact  string `json:"artefact,omitempty"` // its directory's name, where one was judged
	Objective string `json:"objective"`          // "reward" or "budget"
	Load      string `json:"load"`               // "seen" or "unseen"
	On        string `json:"on"`                 // "model", "held_out" or "emulator"
	Seeds     int    `json:"seeds"`

	// RewardRatio is, under "reward", the reward on the truth's mean as a share of the
	// optimum's; under "budget", the value of the nominal carried load less costs as a
	// share of the optimum's, which a policy can exceed only by breaking its budget.
	// Nil where the optimum has none.
	RewardRatio   *float64           `json:"reward_ratio"`
	ViolatedRatio map[string]float64 `json:"violated_ratio"` // by service with a bound: share of intervals whose measured latency is above it
	CarriedRatio  float64            `json:"carried_ratio"`  // nominal, offered (1 - blocking), of what is offered
	// CarriedMeasuredRatio is what a model of the measured carried load predicts, of
	// what is offered: blocking can be a rate limit. Nil where it was never measured.
	CarriedMeasuredRatio *float64 `json:"carried_measured_ratio"`
}

// Report is the answer of Evaluate.
type Report struct {
	Rows []Row `json:"rows"`
}

// WriteText writes the report as a table for a person.
func (r Report) WriteText(w io.Writer) error {
	services := map[string]bool{}
	for _, row := range r.Rows {
		for s := range row.ViolatedRatio {
			services[s] = true
		}
	}
	names := slices.Sorted(maps.Keys(services))
	head := []string{"objective", "load", "on", "policy", "of optimum"}
	for _, s := range names {
		head = append(head, "violated "+s)
	}
	head = append(head, "carried", "measured")
	lines := []string{strings.Join(head, "\t")}
	for i, row := range r.Rows {
		if i > 0 && (row.Objective != r.Rows[i-1].Objective || row.Load != r.Rows[i-1].Load || row.On != r.Rows[i-1].On) {
			lines = append(lines, strings.Repeat("\t", len(head)-1)) // a line without cells would end the columns
		}
		name := row.Policy
		if row.Artefact != "" {
			name = row.Artefact
		}
		cells := []string{row.Objective, row.Load, row.On, name, number(row.RewardRatio, "%.4f")}
		for _, s := range names {
			v, ok := row.ViolatedRatio[s]
			if !ok {
				cells = append(cells, "-")
				continue
			}
			cells = append(cells, fmt.Sprintf("%.1f %%", 100*v))
		}
		cells = append(cells, fmt.Sprintf("%.3f", row.CarriedRatio), number(row.CarriedMeasuredRatio, "%.3f"))
		lines = append(lines, strings.Join(cells, "\t"))
	}
	var b strings.Builder
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, l := range lines {
		_, _ = fmt.Fprintln(out, l)
	}
	_ = out.Flush() // a strings.Builder does not fail
	for l := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(l, " \n")); err != nil {
			return fmt.Errorf("evaluation: %w", err)
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
