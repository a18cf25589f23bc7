package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/eval/page"
	"github.com/windvane/windvane/sim/train"
)

// evaluation is a report of eval.Evaluate that becomes a page.
type evaluation struct {
	eval.Report
	services []string // with a bound, sorted
}

// Evaluation is the page of a report of eval.Evaluate.
func Evaluation(r eval.Report, a About) page.Page {
	e := evaluation{r, slices.Sorted(maps.Keys(r.Budget))}
	p := page.Page{
		Title: "Evaluation of policies for mesh " + a.Mesh,
		Facts: a.facts(
			page.Fact{Name: "Policies", Value: list(e.policies())},
			page.Fact{Name: "Seeds", Value: fmt.Sprintf("%s; each draws a split of the configurations, loads and noise of its own", seeds(r.Seed, r.Seeds))}),
	}
	for _, objective := range []string{train.ObjectiveBudget, train.ObjectiveReward} {
		if text := e.summary(objective); text != "" {
			p.Lead = append(p.Lead, text)
		}
	}
	p.Sections = append(p.Sections, e.frontier(), e.regrets())
	if r.Timeline != nil {
		p.Sections = append(p.Sections, timeline(*r.Timeline))
	}
	p.Sections = append(p.Sections, e.loadStep(), e.everything(), e.method())
	return p
}

func (e evaluation) policies() []string {
	var out []string
	for _, row := range e.Rows {
		if name := called(nameOf(row)); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func nameOf(r eval.Row) string { return cmp.Or(r.Artefact, r.Policy) }

// hardest are the rows about an objective that say most of a live mesh: load that was
// not seen, on configurations that were not seen.
func (e evaluation) hardest(objective string) []eval.Row {
	var out []eval.Row
	for _, row := range e.Rows {
		if row.Objective == objective && row.Load == eval.LoadUnseen && row.On == eval.OnHeldOut {
			out = append(out, row)
		}
	}
	return out
}

// keeps reports whether a row keeps every budget, as far as its runs can tell: as
// settling does, 1.5 budgets and a point.
func (e evaluation) keeps(r eval.Row) bool {
	for service, v := range r.Violated {
		if v.Mean > e.LoadStep.Bar[service] {
			return false
		}
	}
	return true
}

// summary says in a few words how an objective was met: of the first policy in full, of
// the others the figure that counts.
func (e evaluation) summary(objective string) string {
	var rows []eval.Row
	var broke []string
	for _, row := range e.hardest(objective) {
		switch {
		case row.RewardRatio == nil || row.Policy == eval.Optimum || row.Policy == eval.Random:
		case objective == train.ObjectiveBudget && !e.keeps(row):
			broke = append(broke, fmt.Sprintf("%s (%s)", called(row.Policy), e.broken(row)))
		default:
			rows = append(rows, row)
		}
	}
	if len(rows)+len(broke) == 0 {
		return ""
	}
	var out, others []string
	for i, row := range rows {
		of := eval.Estimate{Mean: *row.RewardRatio, Half: row.Regret.Half}.Percent()
		switch {
		case i > 0:
			others = append(others, fmt.Sprintf("%s (%s)", called(row.Policy), of))
		case objective == train.ObjectiveReward:
			out = append(out, fmt.Sprintf("The published reward, on the same: %s has %s of the optimum’s, and violates %s.", called(row.Policy), of, e.broken(row)))
		default:
			out = append(out, fmt.Sprintf("They are kept by %s, which violates %s and carries %s of what an optimum carries that knows the truth.", called(row.Policy), e.broken(row), of))
		}
	}
	switch {
	case len(others) == 0:
	case objective == train.ObjectiveReward:
		out = append(out, "Beside it: "+list(others)+".")
	default:
		out = append(out, "They are also kept by "+list(others)+".")
	}
	if len(broke) > 0 {
		out = append(out, "They are broken by "+list(broke)+".")
	}
	if objective == train.ObjectiveBudget {
		out = append([]string{fmt.Sprintf("Error budgets (%s), on load and configurations that no policy had seen.", list(e.budgets()))}, out...)
	}
	return strings.Join(out, " ")
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (e evaluation) budgets() []string {
	var out []string
	for _, s := range e.services {
		out = append(out, fmt.Sprintf("%s %.3g %%", s, 100*e.Budget[s]))
	}
	return out
}

func (e evaluation) broken(r eval.Row) string {
	var out []string
	for _, s := range e.services {
		out = append(out, fmt.Sprintf("%s in %s", s, percent(r.ViolatedRatio[s])))
	}
	return list(out) + " of the intervals"
}

// everything is the table of all rows.
func (e evaluation) everything() page.Section {
	t := page.Table{Title: "Every policy, by objective, load and truth", Note: e.intervals() +
		" Worst 100: violated in the worst 100 intervals in a row of a run, mean over the runs, of the service with the most." +
		" Carried: by the settings, offered less blocked. Measured: what a model of the measured carried load says of it." +
		" Red: a budget is broken, beyond the interval of the estimate."}
	t.Columns = []page.Column{{Name: "policy", Text: true}, {Name: "of optimum %"}, {Name: "regret %"}}
	for _, s := range e.services {
		t.Columns = append(t.Columns, page.Column{Name: "violated " + s + " %"})
	}
	t.Columns = append(t.Columns, page.Column{Name: "worst 100 %"}, page.Column{Name: "carried %"}, page.Column{Name: "measured %"})
	rows := slices.Clone(e.Rows)
	slices.SortStableFunc(rows, func(a, b eval.Row) int { return cmp.Compare(a.Objective, b.Objective) }) // the budgets first
	for _, row := range rows {
		title := fmt.Sprintf("%s, %s load, %s", objectives[row.Objective], row.Load, cmp.Or(truths[row.On], "on "+row.On))
		if n := len(t.Groups); n == 0 || t.Groups[n-1].Title != title {
			t.Groups = append(t.Groups, page.Group{Title: title})
		}
		g := &t.Groups[len(t.Groups)-1]
		g.Rows = append(g.Rows, e.row(row))
	}
	return page.Section{Title: "All figures", Tables: []page.Table{t}}
}

var objectives = map[string]string{train.ObjectiveBudget: "Error budgets", train.ObjectiveReward: "Published reward"}

var truths = map[string]string{
	eval.OnModel: "on the model of all data", eval.OnHeldOut: "on configurations held out", eval.OnSample: "on the same, known from a few rows",
}

func (e evaluation) row(r eval.Row) page.Row {
	out := page.Row{Cells: []string{called(nameOf(r)), "-", "-"}}
	if r.RewardRatio != nil {
		out.Cells[1], out.Cells[2] = fmt.Sprintf("%.1f", 100**r.RewardRatio), plus(*r.Regret)
	}
	if r.Policy == eval.Optimum {
		out.Cells[2] = "-" // it is what regret is against
	}
	worst := 0.0
	for _, s := range e.services {
		v := r.Violated[s]
		out.Cells = append(out.Cells, plus(v))
		worst = max(worst, r.WorstWindow[s])
		if r.Objective == train.ObjectiveBudget && 100*v.Mean-half(v) > 100*e.Budget[s] {
			out.Bad = true
		}
	}
	out.Cells = append(out.Cells, fmt.Sprintf("%.0f", 100*worst), fmt.Sprintf("%.1f", 100*r.CarriedRatio), "-")
	if m := r.CarriedMeasuredRatio; m != nil {
		out.Cells[len(out.Cells)-1] = fmt.Sprintf("%.1f", 100**m)
	}
	return out
}

// intervals says what stands behind ±.
func (e evaluation) intervals() string {
	if e.Seeds < 2 {
		return "One run: there are no confidence intervals."
	}
	return fmt.Sprintf("±: half of a 95 %% confidence interval over the %d runs.", e.Seeds)
}

// method says how the figures came about.
func (e evaluation) method() page.Section {
	return page.Section{Title: "How it was judged", Text: []string{
		"Policies steer a truth: a model that was fitted to the dataset, with the model's own errors on configurations held out as noise, in contiguous pieces, so that bursts stay bursts. " +
			"“On the model of all data”, the policies know the truth. “On configurations held out”, the truth is a model of one half of the configurations, and the policies were trained on the other half.",
		"Seen load visits every combination of the loads that the policies were trained at; unseen load is a sinusoid of its own for each service. The load of an interval is known when it is decided on, and its outcome before the next decision.",
		"The optimum knows the truth and the distribution of the noise, not what comes next. Under error budgets it takes the actions worth most after a price for each violation, with the least prices that keep every budget over the run. Regret is what a policy lacks to it; it is below zero only where a budget is broken.",
		e.intervals() + " A run counts as one figure, whatever its length: its intervals depend on each other, since noise comes in bursts and a controller answers to what it has seen. All runs share one dataset, so that the intervals say nothing of other data.",
	}}
}
