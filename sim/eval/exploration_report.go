package eval

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// ExplorationRow says how one way to explore did, over all runs.
type ExplorationRow struct {
	Method       string   `json:"method"`
	Rows         Estimate `json:"rows"`                       // of the dataset
	OfOptimum    Estimate `json:"of_optimum_ratio"`           // carried under the policy that was learned, of the oracle's
	OptimumLeast float64  `json:"of_optimum_ratio_min"`       // in the worst run
	Violated     Estimate `json:"violated_ratio"`             // under that policy, mean over services
	ViolatedMost float64  `json:"violated_ratio_max"`         // of any service in any run
	Beside       *float64 `json:"of_optimum_difference"`      // of the first way's OfOptimum less this one's, run by run; nil: it is the first
	BesideHalf   *float64 `json:"of_optimum_difference_half"` // half of the 95 % confidence interval of that

	// While it explored. Nil where the mesh was sampled.
	Extra     *Estimate `json:"extra_violations,omitempty"`     // beyond those of the same intervals left alone, mean over objectives
	ExtraMost *float64  `json:"extra_violations_max,omitempty"` // of any objective in any run
	SaidOff   *float64  `json:"account_off,omitempty"`          // by how much the account was wrong about that, mean
	Bounded   *float64  `json:"account_covers_ratio,omitempty"` // share of the accounts that did not say less, with what they hold for likely
	Carried   *Estimate `json:"carried_ratio,omitempty"`        // nominal, of what is offered
	Protected *float64  `json:"protective_ratio,omitempty"`     // share of cycles in which nothing of the allowance was left
}

// ExplorationReport is the answer of Exploration.
type ExplorationReport struct {
	Mesh      string           `json:"mesh"`
	Explored  int              `json:"explored_intervals"`
	Allowance float64          `json:"allowance"`
	Budget    float64          `json:"budget"`
	Seeds     []uint64         `json:"seeds"`
	Oracle    string           `json:"oracle"`
	Rows      []ExplorationRow `json:"rows"`
	Bars      []EmulatorBar    `json:"bars"`
}

// explorationOptimum is what the learned policy has to carry, of the oracle's.
const explorationOptimum = .88

func newExplorationReport(o ExplorationOptions, e *emulation, c *chances, methods []string, results []explored) ExplorationReport {
	r := ExplorationReport{Mesh: o.Rules.Name, Explored: o.Explored, Allowance: o.Allowance, Budget: o.Budget, Oracle: c.describe(e)}
	for i := range o.Runs {
		r.Seeds = append(r.Seeds, o.Seed+uint64(i))
	}
	of := func(method int) []explored {
		var out []explored
		for i := range o.Runs {
			out = append(out, results[i*len(methods)+method])
		}
		return out
	}
	for m, name := range methods {
		r.Rows = append(r.Rows, explorationRow(name, o.Explored, of(m), of(0), m == 0))
	}
	first := r.Rows[0]
	r.Bars = []EmulatorBar{
		{Name: "carried by the learned policy, of the oracle", Budget: o.Budget, Delay: DelayDaemon, Want: fmt.Sprintf(">= %g", explorationOptimum), Got: first.OfOptimum.Mean, Met: first.OfOptimum.Mean >= explorationOptimum},
		{Name: "extra violations, every objective in every run", Budget: o.Budget, Delay: DelayDaemon, Want: fmt.Sprintf("<= %g", o.Allowance), Got: *first.ExtraMost, Met: *first.ExtraMost <= o.Allowance},
	}
	return r
}

func explorationRow(name string, intervals int, runs, beside []explored, first bool) ExplorationRow {
	var rows, optimum, violated, extras, off, carried, protected, difference []float64
	covered, most := 0, math.Inf(-1)
	row := ExplorationRow{Method: name}
	for i, x := range runs {
		rows, optimum, difference = append(rows, float64(x.rows)), append(optimum, x.optimum), append(difference, beside[i].optimum-x.optimum)
		judged := known(x.violated)
		violated, row.ViolatedMost = append(violated, summarise(judged).mean), max(row.ViolatedMost, slices.Max(append(judged, 0)))
		if x.extra == nil {
			continue
		}
		extras, carried, protected = append(extras, summarise(x.extra).mean), append(carried, x.carried), append(protected, float64(x.protected)/float64(intervals))
		for k, is := range x.extra {
			most = max(most, is)
			off = append(off, math.Abs(x.spent[k].Extra()-is))
			if x.spent[k].Most() >= is {
				covered++
			}
		}
	}
	row.Rows, row.OfOptimum, row.OptimumLeast, row.Violated = estimate(rows), estimate(optimum), slices.Min(optimum), estimate(violated)
	if !first {
		d := estimate(difference)
		row.Beside, row.BesideHalf = &d.Mean, d.Half
	}
	if len(extras) > 0 {
		row.Extra, row.ExtraMost, row.SaidOff = new(estimate(extras)), &most, new(summarise(off).mean)
		row.Bounded, row.Carried, row.Protected = new(ratio(float64(covered), len(off))), new(estimate(carried)), new(summarise(protected).mean)
	}
	return row
}

// WriteText writes the report as a table for a person.
func (r ExplorationReport) WriteText(w io.Writer) error {
	lines := []string{strings.Join([]string{"explored", "rows", "of oracle", "least", "bounded is better by", "violated", "most", "extra", "most", "account off", "covers", "carried", "protective"}, "\t")}
	for _, x := range r.Rows {
		beside := "-"
		if x.Beside != nil {
			beside = fmt.Sprintf("%+.3f", *x.Beside)
			if x.BesideHalf != nil {
				beside += fmt.Sprintf(" ± %.3f", *x.BesideHalf)
			}
		}
		cells := []string{x.Method, fmt.Sprintf("%.0f", x.Rows.Mean), fmt.Sprintf("%.3f", x.OfOptimum.Mean), fmt.Sprintf("%.3f", x.OptimumLeast), beside, x.Violated.Percent(), fmt.Sprintf("%.1f %%", 100*x.ViolatedMost)}
		if x.Extra == nil {
			cells = append(cells, "-", "-", "-", "-", "-", "-")
		} else {
			cells = append(cells, fmt.Sprintf("%.1f", x.Extra.Mean), fmt.Sprintf("%.0f", *x.ExtraMost), fmt.Sprintf("%.1f", *x.SaidOff), fmt.Sprintf("%.0f %%", 100**x.Bounded),
				fmt.Sprintf("%.3f", x.Carried.Mean), fmt.Sprintf("%.0f %%", 100**x.Protected))
		}
		lines = append(lines, strings.Join(cells, "\t"))
	}
	lines = append(lines, "",
		fmt.Sprintf("Explored for %d intervals with an allowance of %g extra violations of each objective, then controlled under a budget of %g; seeds %d to %d.",
			r.Explored, r.Allowance, r.Budget, r.Seeds[0], r.Seeds[len(r.Seeds)-1]),
		"Extra are violations beyond those of the same mesh under the same load and left alone, a mean over objectives, and the most of any objective in any run.",
		"Oracle: "+r.Oracle)
	for _, b := range r.Bars {
		word := "missed"
		if b.Met {
			word = "met"
		}
		lines = append(lines, fmt.Sprintf("%s: %s: want %s, got %.3g", word, b.Name, b.Want, b.Got))
	}
	return writeColumns(w, lines)
}
