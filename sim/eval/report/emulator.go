package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/eval/page"
)

// emulation is a report of eval.Emulator that becomes a page.
type emulation struct {
	eval.EmulatorReport
	controllers, phases []string
}

// Emulator is the page of a report of eval.Emulator. The mesh is the report's; there is
// no dataset.
func Emulator(r eval.EmulatorReport, a About) page.Page {
	e := emulation{EmulatorReport: r}
	for _, row := range r.Rows {
		e.controllers, e.phases = unseen(e.controllers, row.Name()), unseen(e.phases, row.Phase)
	}
	p := page.Page{
		Title: "How controllers keep error budgets: emulated mesh " + r.Mesh,
		Lead:  e.summary(),
		Facts: []page.Fact{
			{Name: "Mesh", Value: r.Mesh + ", " + list(r.Services)},
			{Name: "Policy", Value: fmt.Sprintf("%s, learned from %d intervals of the emulator in each run", r.Policy, r.Samples)},
			{Name: "Controllers", Value: list(e.controllers)},
			{Name: "Phases", Value: list(e.phases)},
			{Name: "Seeds", Value: seeds(r.Seeds[0], len(r.Seeds))},
			{Name: "windvane", Value: a.Version},
			{Name: "Command", Value: a.Command, Code: true},
		},
		Sections: e.phaseSections(),
	}
	if len(r.Bars) > 0 {
		p.Sections = append(p.Sections, e.bars())
	}
	judged := page.Section{Title: "How it was judged", Text: []string{
		"The emulator is a queueing mesh that no model knows, with bursts and pauses of its own. What the controllers know of it was learned from a sample of each run’s emulator.",
		"Oracle: " + r.Oracle,
		"Delay “daemon”: a decision knows the outcome of the interval that has just ended, and a load that is one interval old, as the daemon does. A number: outcomes are known so many intervals late, and the load of the coming interval is.",
		"±: half of a 95 % confidence interval, by Student’s t over one figure a run.",
	}}
	if slices.ContainsFunc(r.Rows, func(row eval.EmulatorRow) bool { return row.Through == eval.ThroughDaemon }) {
		judged.Text = append(judged.Text, "Through the daemon: windvane as it is shipped controlled the mesh, on the same requests as the loop of the simulations, with its Prometheus client, journal, guard, actuator and plugin process. Its account of error budgets was held against the emulator’s counters.")
	}
	p.Sections = append(p.Sections, e.everything(), judged)
	return p
}

// main is the controller that a reader wants to know about.
func (e emulation) main() string {
	if !slices.Contains(e.controllers, eval.ControllerFull) {
		return e.controllers[0]
	}
	return eval.ControllerFull
}

// summary says how that controller did under the first budget and delay.
func (e emulation) summary() []string {
	var phases []string
	budget, delay := e.Rows[0].Budget, e.Rows[0].Delay
	for _, row := range e.Rows {
		if row.Name() != e.main() || row.Budget != budget || row.Delay != delay {
			continue
		}
		violated := row.First
		if row.Rest != nil {
			violated = row.Rest
		}
		text := fmt.Sprintf("in phase %s, %s of the intervals", row.Phase, violated.Percent())
		if row.Rest != nil {
			text += fmt.Sprintf(" after the first 100 (in those, %s)", row.First.Percent())
		}
		if row.OfOptimum != nil {
			text += fmt.Sprintf(", carrying %s of the oracle’s load", row.OfOptimum.Percent())
		}
		phases = append(phases, text)
	}
	out := []string{fmt.Sprintf("Controller %s, under a budget of %g %%, violates %s.", e.main(), 100*budget, strings.Join(phases, "; "))}
	var missed []string
	for _, b := range e.Bars {
		if !b.Met {
			missed = append(missed, fmt.Sprintf("%s (%s, budget %g %%, delay %s)", b.Name, b.Where(), 100*b.Budget, b.Delay))
		}
	}
	return append(out, barsMet(len(e.Bars), missed)...)
}

// beside is how far controllers are drawn from each other, in phases.
const beside = .2

// phaseSections shows the phases, for each budget and delay.
func (e emulation) phaseSections() []page.Section {
	type under struct {
		budget float64
		delay  eval.Delay
	}
	var all []under
	for _, row := range e.Rows {
		all = unseen(all, under{row.Budget, row.Delay})
	}
	var out []page.Section
	for _, u := range all {
		s := page.Section{Title: fmt.Sprintf("Budget %g %%, delay %s", 100*u.budget, u.delay)}
		for _, f := range []struct {
			title, label string
			line         bool
			of           func(eval.EmulatorRow) *eval.Estimate
		}{
			{"The first 100 intervals of a phase", "violated, mean over services (%)", true, func(r eval.EmulatorRow) *eval.Estimate { return r.First }},
			{"The intervals after them", "violated, mean over services (%)", true, func(r eval.EmulatorRow) *eval.Estimate { return r.Rest }},
			{"Carried", "carried (% of the oracle’s)", false, func(r eval.EmulatorRow) *eval.Estimate { return r.OfOptimum }},
		} {
			c := page.Chart{X: page.Axis{Label: f.label, To: 1, Percent: f.line}, Y: page.Axis{Names: e.phases}}
			if f.line {
				c.Lines = []page.Line{{At: 100 * u.budget, Vertical: true, Label: "budget"}}
				c.X.To = 200 * u.budget
			} else {
				c.X.To = 100
			}
			for n, controller := range e.controllers {
				one := page.Series{Name: controller, Style: page.Dots, Colour: n}
				for _, row := range e.Rows {
					if v := f.of(row); v != nil && row.Name() == controller && row.Budget == u.budget && row.Delay == u.delay {
						at := float64(slices.Index(e.phases, row.Phase)) + beside*(float64(n)-float64(len(e.controllers)-1)/2)
						one.Points = append(one.Points, page.Point{X: 100 * v.Mean, Y: at, XHalf: half(*v)})
					}
				}
				if len(one.Points) > 0 {
					c.Series = append(c.Series, one)
				}
			}
			if len(c.Series) > 0 {
				s.Figures = append(s.Figures, page.Figure{Title: f.title, Chart: c, Description: f.label + " by phase and controller. The figures are in the last table."})
			}
		}
		out = append(out, s)
	}
	return out
}

func (e emulation) bars() page.Section {
	var rows []page.Row
	for _, b := range e.Bars {
		rows = append(rows, barRow(b.Name, b.Where(), b.Budget, b.Delay.String(), b.Want, b.Got, b.Met))
	}
	return barSection("phase", rows)
}

// everything is the table of all rows.
func (e emulation) everything() page.Section {
	t := page.Table{
		Title: "Every controller, by budget, delay and phase",
		Note: "Most: of any service in any run. Worst 100: violated in the worst 100 intervals in a row, mean over services and runs. Answered: requests answered in time, of those offered. " +
			"Change: moved over all knobs, per interval. Infeasible: share of intervals in which nothing was feasible.",
		Columns: []page.Column{{Name: "controller", Text: true}},
	}
	for _, s := range e.Services {
		t.Columns = append(t.Columns, page.Column{Name: "violated " + s + " %"})
	}
	for _, name := range []string{"first 100 %", "most %", "rest %", "most %", "worst 100 %", "carried %", "of oracle %", "least %", "answered %", "change", "infeasible %"} {
		t.Columns = append(t.Columns, page.Column{Name: name})
	}
	for _, row := range e.Rows {
		title := fmt.Sprintf("Budget %g %%, delay %s, phase %s", 100*row.Budget, row.Delay, row.Phase)
		i := slices.IndexFunc(t.Groups, func(g page.Group) bool { return g.Title == title })
		if i < 0 {
			i, t.Groups = len(t.Groups), append(t.Groups, page.Group{Title: title})
		}
		t.Groups[i].Rows = append(t.Groups[i].Rows, page.Row{Cells: e.cells(row)})
	}
	return page.Section{Title: "All figures", Tables: []page.Table{t}}
}

func (e emulation) cells(row eval.EmulatorRow) []string {
	out := []string{row.Name()}
	for _, s := range e.Services {
		v, ok := row.Violated[s]
		if !ok {
			out = append(out, "-")
			continue
		}
		out = append(out, plus(v))
	}
	rest, restMost, of, least := "-", "-", "-", "-"
	if row.Rest != nil {
		rest, restMost = plus(*row.Rest), fmt.Sprintf("%.1f", 100*row.RestMost)
	}
	if row.OfOptimum != nil {
		of, least = plus(*row.OfOptimum), fmt.Sprintf("%.1f", 100**row.OptimumLeast)
	}
	return append(out, plus(*row.First), fmt.Sprintf("%.1f", 100*row.FirstMost), rest, restMost, fmt.Sprintf("%.0f", 100*row.WorstWindow),
		plus(row.Carried), of, least, fmt.Sprintf("%.1f", 100*row.Answered), fmt.Sprintf("%.2f", row.Change), fmt.Sprintf("%.1f", 100*row.Flagged))
}
