package backtest

import (
	"fmt"
	"time"

	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/eval/page"
)

// verdicts are what the effect of a setting is to a reader.
var verdicts = map[dataset.Verdict]string{
	dataset.Identifiable: "yes", dataset.Weak: "weakly", dataset.NotIdentifiable: "no",
}

// About says where a report is from, for who wants the same one.
type About struct{ Command, Version, Rules, Source string }

// Page is the report for people who were not there: for a change request, say.
func (r *Report) Page(a About) page.Page {
	p := page.Page{
		Title: fmt.Sprintf("What policy %s would have done on mesh %s", r.Policy, r.Mesh),
		Lead:  []string{r.summary(), r.covered()},
		Facts: []page.Fact{
			{Name: "Mesh", Value: r.Mesh},
			{Name: "Rules", Value: a.Rules},
			{Name: "History", Value: a.Source},
			{Name: "Learned from", Value: stamp(r.From) + " to " + stamp(r.Judged)},
			{Name: "Judged", Value: stamp(r.Judged) + " to " + stamp(r.To)},
			{Name: "Ranges", Value: fmt.Sprintf("%d further worlds, seed %d", r.Worlds, r.Seed)},
			{Name: "windvane", Value: a.Version},
			{Name: "Command", Value: a.Command, Code: true},
		},
		Sections: []page.Section{r.results(), r.overTime(), r.moved(), r.decisions(), r.untold(), howTo()},
	}
	p.Sections[len(p.Sections)-1].Text = append(p.Sections[len(p.Sections)-1].Text, r.learned())
	return p
}

// summary is for who reads nothing else.
func (r *Report) summary() string {
	kept, known := 0, 0
	for _, o := range r.Objectives {
		if o.Violated != nil {
			known++
			if o.Violated.High <= o.Budget {
				kept++
			}
		}
	}
	text := fmt.Sprintf("By the model, %d of %d objectives would have kept their error budget even at the upper end of the range", kept, len(r.Objectives))
	if known < len(r.Objectives) {
		text += fmt.Sprintf("; of %d history does not tell", len(r.Objectives)-known)
	}
	return text + fmt.Sprintf(". The policy would have acted in %d of %d cycles.", r.Decided.Acts, r.Coverage.Intervals)
}

// results are the figures.
func (r *Report) results() page.Section {
	broken := page.Table{
		Title:   "Error budgets",
		Columns: []page.Column{{Name: "objective", Text: true}, {Name: "budget"}, {Name: "would have been broken"}, {Name: "range"}, {Name: "was broken"}},
		Groups:  []page.Group{{}},
		Note:    "Shares of intervals. The range is meant to hold the truth nine times of ten. Red: more than the budget.",
	}
	chart := page.Chart{X: page.Axis{Label: "broken (% of intervals)", To: 1, Percent: true}}
	model := page.Series{Name: "by the model, with its range", Style: page.Dots}
	was := page.Series{Name: "as it was", Style: page.Dots, Colour: 1}
	for i, o := range r.Objectives {
		name := o.Signal + " of " + o.Service
		value, within := ranged(o.Violated, percent)
		broken.Groups[0].Rows = append(broken.Groups[0].Rows, page.Row{
			Cells: []string{name, percent(o.Budget), value, within, maybe(o.Measured, percent)}, Bad: o.Violated != nil && o.Violated.Value > o.Budget,
		})
		chart.Y.Names = append(chart.Y.Names, name)
		if f := o.Violated; f != nil {
			model.Points = append(model.Points, page.Point{X: 100 * f.Value, Y: float64(i), XHalf: 50 * (f.High - f.Low)})
		}
		if o.Measured != nil {
			was.Points = append(was.Points, page.Point{X: 100 * *o.Measured, Y: float64(i)})
		}
		chart.Lines = addLine(chart.Lines, 100*o.Budget)
	}
	chart.Series = []page.Series{model, was}
	carried := page.Table{
		Title:   "Load",
		Columns: []page.Column{{Name: "service", Text: true}, {Name: "offered"}, {Name: "would have been carried"}, {Name: "range"}, {Name: "was carried"}},
		Groups:  []page.Group{{}}, Note: "Requests a second, mean.",
	}
	for _, s := range r.Services {
		value, within := ranged(s.Carried, rate)
		carried.Groups[0].Rows = append(carried.Groups[0].Rows, page.Row{Cells: []string{s.Service, maybe(s.Offered, rate), value, within, maybe(s.Measured, rate)}})
	}
	return page.Section{
		Title:  "What would have become of it",
		Tables: []page.Table{broken, carried},
		Figures: []page.Figure{{
			Title: "Broken intervals", Chart: chart, Description: "Share of broken intervals by objective: as the model says it would have been, and as it was. The figures are in the table below.",
		}},
	}
}

// addLine adds the line of a budget, once.
func addLine(to []page.Line, at float64) []page.Line {
	for _, l := range to {
		if l.At == at {
			return to
		}
	}
	return append(to, page.Line{At: at, Vertical: true, Label: fmt.Sprintf("budget of %.3g %%", at)})
}

// overTime are the plots over time, one of each kind for each service.
func (r *Report) overTime() page.Section {
	unit, name := time.Hour, "hours"
	if r.To.Sub(r.Judged) > 4*24*time.Hour {
		unit, name = 24*time.Hour, "days"
	}
	x := page.Axis{Label: name + " since " + stamp(r.Judged)}
	s := page.Section{Title: "Over time", Text: []string{"Each point is a stretch of the judged time. Where a line has a gap, nothing is known."}}
	for i, service := range r.Services {
		lines := [5]page.Series{
			{Name: "would have been broken"},
			{Name: "was broken", Style: page.Dashed, Colour: 1},
			{Name: "would have been carried"},
			{Name: "was carried", Style: page.Dashed, Colour: 1},
			{Name: "offered", Style: page.Dashed, Colour: 5},
		}
		for _, t := range r.Timeline {
			of := t.Services[i]
			at := float64(t.From.Sub(r.Judged)) / float64(unit)
			for k, v := range []*float64{of.Violated, of.ViolatedMeasured, of.Carried, of.CarriedMeasured, of.Offered} {
				if v != nil {
					y := *v
					if k < 2 {
						y *= 100
					}
					lines[k].Points = append(lines[k].Points, page.Point{X: at, Y: y})
				}
			}
		}
		s.Figures = append(s.Figures,
			page.Figure{
				Title: "Broken intervals of " + service.Service, Description: "Share of broken intervals over time, by the model and as it was.",
				Chart: page.Chart{X: x, Y: page.Axis{Label: "broken (% of intervals)", To: 1, Percent: true}, Series: lines[:2]},
			},
			page.Figure{
				Title: "Load of " + service.Service, Description: "Offered and carried load over time, by the model and as it was.",
				Chart: page.Chart{X: x, Y: page.Axis{Label: "requests/s"}, Series: lines[2:]},
			})
	}
	acts := page.Series{}
	for _, t := range r.Timeline {
		acts.Points = append(acts.Points, page.Point{X: float64(t.From.Sub(r.Judged)) / float64(unit), Y: float64(t.Acts)})
	}
	s.Figures = append(s.Figures, page.Figure{
		Title: "Cycles in which it would have acted", Description: "Number of acts in each stretch of time.",
		Chart: page.Chart{X: x, Y: page.Axis{Label: "acts", To: 1, Whole: true}, Series: []page.Series{acts}},
	})
	return s
}

// moved is what would have been changed.
func (r *Report) moved() page.Section {
	t := page.Table{
		Columns: []page.Column{{Name: "setting", Text: true}, {Name: "mean"}, {Name: "was"}, {Name: "changes"}, {Name: "flaps"}, {Name: "effect told by history", Text: true}},
		Groups:  []page.Group{{}}, Note: fmt.Sprintf("A flap is a change that takes back one of at most %d intervals before.", FlapIntervals),
	}
	for _, k := range r.Knobs {
		t.Groups[0].Rows = append(t.Groups[0].Rows, page.Row{Cells: []string{
			k.String(), fmt.Sprintf("%.3f", k.Mean), maybe(k.Measured, func(v float64) string { return fmt.Sprintf("%.3f", v) }),
			fmt.Sprint(k.Changes), fmt.Sprint(k.Flaps), verdicts[k.Verdict],
		}})
	}
	return page.Section{Title: "What it would have changed", Tables: []page.Table{t}}
}

// mostShown of the acts are on the page.
const mostShown = 50

// decisions are the first acts, and why others were none.
func (r *Report) decisions() page.Section {
	s := page.Section{Title: "What it would have decided", Text: r.decided()}
	t := page.Table{Title: "Its first acts", Columns: []page.Column{{Name: "at", Text: true}, {Name: "changes", Text: true}, {Name: "why", Text: true}}, Groups: []page.Group{{}}}
	for i, a := range r.Acted {
		if i == mostShown {
			t.Note = fmt.Sprintf("%d of %d.", mostShown, r.Decided.Acts)
			break
		}
		t.Groups[0].Rows = append(t.Groups[0].Rows, page.Row{Cells: []string{stamp(a.At), changes(a.Changes), a.Reason}})
	}
	if len(r.Acted) > 0 {
		s.Tables = []page.Table{t}
	}
	return s
}

// untold is what history cannot tell.
func (r *Report) untold() page.Section {
	s := page.Section{Title: "What history cannot tell"}
	if len(r.Untold) == 0 {
		s.Text = []string{"Nothing is missing that would have to be known of each setting. That a model has seen it does not make it right."}
		return s
	}
	t := page.Table{Columns: []page.Column{{Name: "not identifiable", Text: true}}, Groups: []page.Group{{}}}
	for _, u := range r.Untold {
		t.Groups[0].Rows = append(t.Groups[0].Rows, page.Row{Cells: []string{u}})
	}
	s.Tables = []page.Table{t}
	return s
}

func howTo() page.Section {
	return page.Section{Title: "How far to trust it", Text: []string{
		"What would have happened, nobody has seen. The decisions are the daemon’s own: its loop, policies, guard and limits went through the recorded intervals. What the mesh would have answered is a model’s word, with errors as it made them on intervals that it had not seen. It is as good as that model.",
		"The ranges say how far worlds differ that have learned from other halves of the same history, with errors drawn in blocks, and with an error that lasts. They do not cover what is in none of it: another version, a lost node, callers who try again when they are refused, load that history never had.",
		"A policy that looks good here has earned a trial as a shadow, and not yet the authority to act.",
	}}
}
