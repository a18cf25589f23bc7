package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/eval/page"
)

// kinds says what the truths of a replay directory are.
var kinds = map[string]string{"hgb": "gradient-boosted truth (hgb)", "et": "extremely randomised truth (et)"}

// replay is a report of eval.Replay that becomes a page.
type replay struct {
	eval.ReplayReport
	truths  []string
	budgets []float64
	delays  []int
}

// Replay is the page of a report of eval.Replay.
func Replay(r eval.ReplayReport, seed uint64, a About) page.Page {
	v := replay{ReplayReport: r}
	runs, controllers := 0, []string(nil)
	for _, row := range r.Rows {
		v.truths, v.budgets, v.delays = unseen(v.truths, row.Truth), unseen(v.budgets, row.Budget), unseen(v.delays, row.Delay)
		controllers, runs = unseen(controllers, row.Controller), row.Runs
	}
	slices.Sort(v.budgets)
	slices.Sort(v.delays)
	if len(r.Rows) == 0 {
		return page.Page{Title: "A replay of nothing", Facts: a.facts()}
	}
	p := page.Page{
		Title: "How controllers keep error budgets: replay of mesh " + a.Mesh,
		Lead:  v.summary(),
		Facts: a.facts(
			page.Fact{Name: "Controllers", Value: list(controllers)},
			page.Fact{Name: "Runs", Value: fmt.Sprintf("%d on each kind of truth, of 2,000 intervals, seed %d", runs, seed)}),
		Sections: []page.Section{v.frontier()},
	}
	if s := v.late(); len(s.Figures) > 0 {
		p.Sections = append(p.Sections, s)
	}
	if len(r.Bars) > 0 {
		p.Sections = append(p.Sections, v.bars())
	}
	p.Sections = append(p.Sections, v.everything(), page.Section{Title: "How it was judged", Text: []string{
		"The truths and the noise are of somebody else’s making: models fitted to one half of the configurations of a trace, and its own residuals, in contiguous pieces. The controllers’ model is fitted to the other half.",
		"Half of the runs have sinusoidal loads, half have steps. A delay is the number of intervals, beyond its own, after which an outcome is known. The optimum of a run knows the truth, the loads and the distribution of the noise, but has no memory: a controller that uses what it has just measured can pass it.",
		"±: standard error of a mean over the runs, which share one trace.",
	}})
	return p
}

// unseen appends what is not there yet.
func unseen[T comparable](to []T, v T) []T {
	if slices.Contains(to, v) {
		return to
	}
	return append(to, v)
}

// at is the row of a controller.
func (v replay) at(truth string, budget float64, delay int, controller string) (eval.ReplayRow, bool) {
	i := slices.IndexFunc(v.Rows, func(r eval.ReplayRow) bool {
		return r.Truth == truth && r.Budget == budget && r.Delay == delay && r.Controller == controller
	})
	if i < 0 {
		return eval.ReplayRow{}, false
	}
	return v.Rows[i], true
}

func (v replay) controllers() []string {
	var out []string
	for _, row := range v.Rows {
		out = unseen(out, row.Controller)
	}
	return out
}

// main is the controller that a reader wants to know about: the daemon's default, or the
// first where that is missing.
func (v replay) main() string {
	if all := v.controllers(); !slices.Contains(all, eval.ControllerFull) {
		return all[0]
	}
	return eval.ControllerFull
}

// summary says how that controller did.
func (v replay) summary() []string {
	var budgets, most, carried []string
	for _, budget := range v.budgets {
		worst := 0.
		for _, row := range v.Rows {
			if row.Controller == v.main() && row.Budget == budget {
				worst = max(worst, row.ViolatedMost)
			}
		}
		budgets, most = append(budgets, fmt.Sprintf("%g", 100*budget)), append(most, fmt.Sprintf("%.1f", 100*worst))
	}
	middle := v.budgets[len(v.budgets)/2]
	for _, truth := range v.truths {
		if row, ok := v.at(truth, middle, v.delays[0], v.main()); ok {
			carried = append(carried, fmt.Sprintf("%.1f ±%.1f %% (%s)", 100*row.OptimumRatio, 100*row.OptimumError, truth))
		}
	}
	out := []string{fmt.Sprintf("Under budgets of %s %%, controller %s violates at most %s %% of the intervals, of any service in any run at any delay. With a budget of %g %%, %s, it carries %s of the optimum.",
		list(budgets), v.main(), list(most), 100*middle, known(v.delays[0]), list(carried))}
	var missed []string
	for _, b := range v.Bars {
		if !b.Met {
			missed = append(missed, fmt.Sprintf("%s (%s, budget %g %%, delay %d)", b.Name, b.Truth, 100*b.Budget, b.Delay))
		}
	}
	return append(out, barsMet(len(v.Bars), missed)...)
}

func known(delay int) string {
	switch delay {
	case 0:
		return "outcomes known at once"
	case 1:
		return "outcomes known one interval late"
	}
	return fmt.Sprintf("outcomes known %d intervals late", delay)
}

// frontier shows, for each kind of truth, what the controllers carry for what they
// violate at the least delay.
func (v replay) frontier() page.Section {
	s := page.Section{
		Title: "Violated against carried",
		Text:  []string{fmt.Sprintf("A point for each budget, %s. A controller that keeps its budgets has its points straight above them. Further up and to the left is better.", known(v.delays[0]))},
	}
	for _, truth := range v.truths {
		c := page.Chart{
			X: page.Axis{Label: "violated, mean over services (% of intervals)", To: 105 * v.budgets[len(v.budgets)-1]},
			Y: page.Axis{Label: "carried (% of what is offered)", To: 100},
		}
		var outside []string
		for n, controller := range v.controllers() {
			one := page.Series{Name: controller, Style: page.LineDots, Colour: n}
			for _, budget := range v.budgets {
				row, ok := v.at(truth, budget, v.delays[0], controller)
				if !ok {
					continue
				}
				one.Points = append(one.Points, page.Point{X: 100 * meanOf(row.ViolatedRatio), Y: 100 * row.CarriedRatio})
			}
			if len(one.Points) == 0 {
				continue
			}
			if one.Points[len(one.Points)-1].X > 200*v.budgets[len(v.budgets)-1] {
				at := one.Points[len(one.Points)-1]
				outside = append(outside, fmt.Sprintf("%s (%.0f %% violated, %.0f %% carried)", controller, at.X, at.Y))
				continue
			}
			c.Series = append(c.Series, one)
		}
		for _, budget := range v.budgets {
			c.Lines = append(c.Lines, page.Line{At: 100 * budget, Vertical: true, Label: "budget"})
		}
		f := page.Figure{Title: upper(cmp.Or(kinds[truth], truth)), Chart: c, Description: "Carried load over violated intervals by controller, a point for each budget. The figures are in the last table."}
		if len(outside) > 0 {
			f.Note = "Outside of the chart, at the greatest budget: " + list(outside) + "."
		}
		s.Figures = append(s.Figures, f)
	}
	return s
}

func meanOf(shares map[string]float64) float64 {
	sum := 0.0
	for _, service := range slices.Sorted(maps.Keys(shares)) {
		sum += shares[service] / float64(len(shares))
	}
	return sum
}

// late shows what it costs to know outcomes later.
func (v replay) late() page.Section {
	s := page.Section{Title: "The cost of delay", Text: []string{"What is carried when outcomes are known later, for each budget. The violations keep to the budget at any delay; what is lost is load."}}
	if len(v.delays) < 2 {
		return s
	}
	for _, truth := range v.truths {
		c := page.Chart{X: page.Axis{Label: "delay of an outcome (intervals)", Whole: true}, Y: page.Axis{Label: "carried (% of the optimum)", From: 50, To: 100}}
		for n, budget := range v.budgets {
			one := page.Series{Name: fmt.Sprintf("budget %g %%", 100*budget), Style: page.LineDots, Colour: n}
			for _, delay := range v.delays {
				if row, ok := v.at(truth, budget, delay, v.main()); ok {
					one.Points = append(one.Points, page.Point{X: float64(delay), Y: 100 * row.OptimumRatio, YHalf: 100 * row.OptimumError})
				}
			}
			c.Series = append(c.Series, one)
		}
		s.Figures = append(s.Figures, page.Figure{
			Title: "Controller " + v.main() + ", " + cmp.Or(kinds[truth], truth), Chart: c,
			Description: "Carried load as a share of the optimum over the delay of an outcome, by budget, with standard errors.",
		})
	}
	return s
}

func (v replay) bars() page.Section {
	var rows []page.Row
	for _, b := range v.Bars {
		rows = append(rows, barRow(b.Name, b.Truth, b.Budget, fmt.Sprint(b.Delay), b.Want, b.Got, b.Met))
	}
	return barSection("truth", rows)
}

// everything is the table of all rows.
func (v replay) everything() page.Section {
	t := page.Table{
		Title: "Every controller, by truth, budget and delay",
		Note: "Of any run: least and most of any service in any run. Worst 100: violated in the worst 100 intervals in a row, mean over services and runs. Change: moved over all knobs, per interval. " +
			"Infeasible: share of intervals in which nothing was feasible. Red: some run violates more than 1.1 budgets.",
		Columns: []page.Column{{Name: "controller", Text: true}, {Name: "violated %"}, {Name: "of any run %"}, {Name: "worst 100 %"}, {Name: "carried %"}, {Name: "of optimum %"}, {Name: "least %"}, {Name: "change"}, {Name: "infeasible %"}},
	}
	for _, row := range v.Rows {
		title := fmt.Sprintf("%s, budget %g %%, %s", upper(cmp.Or(kinds[row.Truth], row.Truth)), 100*row.Budget, known(row.Delay))
		if n := len(t.Groups); n == 0 || t.Groups[n-1].Title != title {
			t.Groups = append(t.Groups, page.Group{Title: title})
		}
		g := &t.Groups[len(t.Groups)-1]
		g.Rows = append(g.Rows, page.Row{Bad: row.ViolatedMost > 1.1*row.Budget, Cells: []string{
			row.Controller, fmt.Sprintf("%.1f", 100*meanOf(row.ViolatedRatio)), fmt.Sprintf("%.1f to %.1f", 100*row.ViolatedLeast, 100*row.ViolatedMost),
			fmt.Sprintf("%.0f", 100*row.WorstWindow), fmt.Sprintf("%.1f", 100*row.CarriedRatio),
			fmt.Sprintf("%.1f ±%.1f", 100*row.OptimumRatio, 100*row.OptimumError), fmt.Sprintf("%.1f", 100*row.OptimumLeast),
			fmt.Sprintf("%.2f", row.Change), fmt.Sprintf("%.1f", 100*row.FlaggedRatio),
		}})
	}
	return page.Section{Title: "All figures", Tables: []page.Table{t}}
}
