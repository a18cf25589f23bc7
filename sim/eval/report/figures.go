package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/eval/page"
	"github.com/windvane/windvane/sim/train"
)

// frontier shows what is carried for what is violated.
func (e evaluation) frontier() page.Section {
	t := page.Table{
		Title: "Violated against carried", Note: e.intervals(),
		Columns: []page.Column{{Name: "policy", Text: true}, {Name: "budget %"}, {Name: "violated %"}, {Name: "carried %"}},
		Groups:  []page.Group{{}},
	}
	byPolicy, swept, order, most := map[string][]page.Point{}, map[string]bool{}, []string(nil), 0.0
	for _, p := range e.Frontier {
		at, budget := page.Point{X: 100 * p.Violated.Mean, Y: 100 * p.Carried.Mean, XHalf: half(p.Violated), YHalf: half(p.Carried)}, "-"
		if p.Budget != nil {
			budget = fmt.Sprintf("%.3g", 100**p.Budget)
			at.XHalf, at.YHalf = 0, 0 // they would hide each other: the table has them
			if p.Policy == eval.Optimum {
				at.Label = budget + " %"
			}
			swept[p.Policy] = true
			most = max(most, at.X)
		}
		if byPolicy[p.Policy] == nil {
			order = append(order, p.Policy)
		}
		byPolicy[p.Policy] = append(byPolicy[p.Policy], at)
		t.Groups[0].Rows = append(t.Groups[0].Rows, page.Row{Cells: []string{called(p.Policy), budget, plus(p.Violated), plus(p.Carried)}})
	}
	c := page.Chart{
		X: page.Axis{Label: "violated, mean over services (% of intervals)", To: 1.05 * most, Percent: true},
		Y: page.Axis{Label: "carried (% of what is offered)", To: 100, Percent: true},
	}
	var outside []string
	for _, policy := range order {
		points := byPolicy[policy]
		if !swept[policy] && most > 0 && points[0].X > 1.6*most {
			outside = append(outside, fmt.Sprintf("%s (%.1f %% violated, %.1f %% carried)", called(policy), points[0].X, points[0].Y))
			continue
		}
		s := page.Series{Name: called(policy), Style: page.LineDots, Colour: colour(policy), Points: points}
		if !swept[policy] {
			s.Style = page.Dots
		}
		c.Series = append(c.Series, s)
	}
	f := page.Figure{
		Title: "What each policy carries for what it violates", Chart: c,
		Description: "Carried load over violated intervals. Further up and to the left is better. The figures are in the table below.",
	}
	if len(outside) > 0 {
		f.Note = "Outside of the chart: " + list(outside) + "."
	}
	return page.Section{
		Title: "Violated against carried",
		Text: []string{"Every violation that a budget allows buys carried load. A policy that plans under budgets has a point for each of several, as the optimum has, beside whose points the budget is written; the others have one. " +
			"Further up and to the left is better, and nothing should be above the optimum. Unseen load, configurations held out."},
		Figures: []page.Figure{f}, Tables: []page.Table{t},
	}
}

// regrets shows what policies lack to the optimum.
func (e evaluation) regrets() page.Section {
	s := page.Section{
		Title: "Regret",
		Text:  []string{"What a policy lacks to an optimum that knows the truth. Unseen load, configurations held out."},
	}
	for _, objective := range []string{train.ObjectiveBudget, train.ObjectiveReward} {
		var rows []eval.Row
		var broke []string
		for _, row := range e.hardest(objective) {
			switch {
			case row.Policy == eval.Optimum || row.Regret == nil:
			case objective == train.ObjectiveBudget && !e.keeps(row):
				broke = append(broke, called(row.Policy))
			default:
				rows = append(rows, row)
			}
		}
		if len(rows) == 0 {
			continue
		}
		slices.SortStableFunc(rows, func(a, b eval.Row) int {
			switch {
			case a.Regret.Mean < b.Regret.Mean:
				return -1
			case a.Regret.Mean > b.Regret.Mean:
				return 1
			}
			return 0
		})
		of := "of the optimum’s value of carried load"
		if objective == train.ObjectiveReward {
			of = "of the optimum’s reward"
		}
		c := page.Chart{X: page.Axis{Label: "regret (% " + of + ")", To: 1}}
		var said []string
		for i, row := range rows {
			c.Y.Names = append(c.Y.Names, called(row.Policy))
			c.Series = append(c.Series, page.Series{
				Style: page.Dots, Colour: colour(row.Policy),
				Points: []page.Point{{X: 100 * row.Regret.Mean, Y: float64(i), XHalf: half(*row.Regret)}},
			})
			said = append(said, called(row.Policy)+" "+row.Regret.Percent())
		}
		f := page.Figure{Title: objectives[objective], Description: "Regret by policy, less is better: " + list(said) + ".", Chart: c, Note: e.intervals()}
		if len(broke) > 0 {
			f.Note += " Not shown, because what they carry is paid for with broken budgets: " + list(broke) + "."
		}
		s.Figures = append(s.Figures, f)
	}
	return s
}

// loadStep shows how policies settle.
func (e evaluation) loadStep() page.Section {
	l := e.LoadStep
	var steps, bars []string
	for _, s := range slices.Sorted(maps.Keys(l.Before)) {
		steps = append(steps, fmt.Sprintf("%s from %.3g to %.3g requests/s", s, l.Before[s], l.After[s]))
	}
	for _, s := range e.services {
		bars = append(bars, fmt.Sprintf("%s %.3g %%", s, 100*l.Bar[s]))
	}
	s := page.Section{
		Title: "After a step of the load",
		Text: []string{fmt.Sprintf("The load of every service steps up (%s). A policy has settled when the next 100 intervals violate no service more often than in 1.5 budgets and a point (%s). "+
			"The load is known to the policies; what has to settle is how wrong their model is at the new one.", list(steps), strings.Join(bars, ", "))},
		Tables: []page.Table{e.settling()},
	}
	if f := e.afterStep(); len(f.Chart.Series) > 0 {
		s.Figures = []page.Figure{f}
	}
	return s
}

// settling is when each policy has settled.
func (e evaluation) settling() page.Table {
	t := page.Table{
		Title: "After the step", Columns: []page.Column{{Name: "policy", Text: true}, {Name: "settled after, intervals"}}, Groups: []page.Group{{}},
		Note: fmt.Sprintf("Means over the runs (%d). Single runs are noisy: 100 intervals at a budget of 5 %% hold 5 violations, give or take bursts.", e.Seeds),
	}
	for _, s := range e.services {
		t.Columns = append(t.Columns, page.Column{Name: "first 100, " + s + " %"})
	}
	for _, p := range e.LoadStep.Policies {
		row := page.Row{Cells: []string{called(p.Policy), "not in the run"}, Bad: p.Settled == nil}
		if p.Settled != nil {
			row.Cells[1] = fmt.Sprint(*p.Settled)
		}
		for _, s := range e.services {
			row.Cells = append(row.Cells, fmt.Sprintf("%.1f", 100*p.First[s]))
		}
		t.Groups[0].Rows = append(t.Groups[0].Rows, row)
	}
	return t
}

// afterStep is how each policy settles, less those that are far above.
func (e evaluation) afterStep() page.Figure {
	c := page.Chart{X: page.Axis{Label: "intervals since the step, at the start of the 100"}, Y: page.Axis{Label: "violated in 100 intervals (%)"}}
	highest := 0.0
	for _, s := range e.services {
		bar := 100 * e.LoadStep.Bar[s]
		if !slices.ContainsFunc(c.Lines, func(l page.Line) bool { return l.At == bar }) {
			c.Lines = append(c.Lines, page.Line{At: bar, Label: "settled below"})
		}
		highest = max(highest, bar)
	}
	c.Y.To = 1.5 * highest
	var above []string
	for _, p := range e.LoadStep.Policies {
		points := worstCurve(p)
		if slices.ContainsFunc(points, func(at page.Point) bool { return at.Y > 4*highest }) {
			above = append(above, called(p.Policy))
			continue
		}
		c.Series = append(c.Series, page.Series{Name: called(p.Policy), Colour: colour(p.Policy), Points: points})
	}
	f := page.Figure{
		Title: "Violated in 100 intervals, of the service with the most", Chart: c,
		Description: "The share of violated intervals in windows of 100 after the step, by policy, with the share at which it has settled. The table says when that is.",
	}
	if len(above) > 0 {
		f.Note = "Far above, and not shown: " + list(above) + "."
	}
	return f
}

// worstCurve is, by the start of a window, the share of the service with the most.
func worstCurve(p eval.Settling) []page.Point {
	var out []page.Point
	for _, w := range p.Windows {
		for len(out) < len(w) {
			out = append(out, page.Point{X: float64(len(out))})
		}
		for i, v := range w {
			out[i].Y = max(out[i].Y, 100*v)
		}
	}
	return thin(out)
}

// thin leaves what a chart can show: every fifth point.
func thin(points []page.Point) []page.Point {
	var out []page.Point
	for i := 0; i < len(points); i += 5 {
		out = append(out, points[i])
	}
	return out
}

// timelineServices are as many as a reader looks at.
const timelineServices = 6

// timeline shows a sample of a run.
func timeline(l eval.Timeline) page.Section {
	minutes := page.Axis{Label: "minutes"}
	at := func(t int) float64 { return float64(t) * l.Interval.Minutes() }
	blocked := page.Chart{X: minutes, Y: page.Axis{Label: "blocked (% of what is offered)", To: 100}}
	offered := page.Chart{X: minutes, Y: page.Axis{Label: "offered (requests/s)", To: 1}}
	s := page.Section{
		Title: "A sample of a run",
		Text: []string{fmt.Sprintf("%s under error budgets, unseen load, configurations held out, seed %d, from interval %d on. "+
			"The policy lets its prediction of the latency go up to the bound less a margin, which moves with what is measured: it is below the bound where the model is too hopeful, and above it where the budget would be left unused.",
			upper(called(l.Policy)), l.Seed, l.From)},
	}
	for i, service := range l.Services[:min(len(l.Services), timelineServices)] {
		var latency, aim, above, share, load []page.Point
		for t := range service.Latency {
			v := 1000 * service.Latency[t]
			latency = append(latency, page.Point{X: at(t), Y: v})
			aim = append(aim, page.Point{X: at(t), Y: 1000 * service.Aim[t]})
			share = append(share, page.Point{X: at(t), Y: 100 * service.Blocked[t]})
			load = append(load, page.Point{X: at(t), Y: service.Offered[t]})
			if service.Latency[t] > service.Bound {
				above = append(above, page.Point{X: at(t), Y: v})
			}
		}
		blocked.Series = append(blocked.Series, page.Series{Name: service.Name, Colour: i, Points: share})
		offered.Series = append(offered.Series, page.Series{Name: service.Name, Colour: i, Points: load})
		if math.IsInf(service.Bound, 1) || len(latency) == 0 {
			continue
		}
		c := page.Chart{
			X: minutes, Y: page.Axis{Label: "latency (ms)"}, Lines: []page.Line{{At: 1000 * service.Bound, Label: "bound"}},
			Series: []page.Series{{Name: "measured", Colour: 0, Points: latency}, {Name: "bound less margin", Style: page.Dashed, Colour: 1, Points: aim}},
		}
		if len(above) > 0 {
			c.Series = append(c.Series, page.Series{Name: "above the bound", Style: page.Dots, Colour: 4, Points: above})
		}
		s.Figures = append(s.Figures, page.Figure{
			Title: "Latency of " + service.Name, Chart: c,
			Description: fmt.Sprintf("Measured latency of %s against its bound of %.4g ms; %d of %d intervals are above it.", service.Name, 1000*service.Bound, len(above), len(latency)),
		})
	}
	s.Figures = append(s.Figures,
		page.Figure{Title: "Blocking", Description: "The share of the offered load that the policy blocks, by service.", Chart: blocked},
		page.Figure{Title: "Load", Description: "The offered load, by service.", Chart: offered})
	return s
}
