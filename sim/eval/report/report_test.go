package report

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/eval/page"
	"github.com/windvane/windvane/sim/train"
)

func about() About {
	return About{Command: "windvane evaluate --seed 3", Version: "1.2.3", Mesh: "shop", Rules: "shop.toml", Dataset: "shop.dataset", SHA256: "abc", Rows: 7}
}

// with is an estimate with an interval.
func with(mean, half float64) eval.Estimate { return eval.Estimate{Mean: mean, Half: &half} }

// row is one of a policy on unseen load and configurations held out.
func row(policy, objective string, of float64, violated eval.Estimate) eval.Row {
	regret := with(1-of, .02)
	return eval.Row{
		Policy: policy, Objective: objective, Load: eval.LoadUnseen, On: eval.OnHeldOut, Seeds: 4, RewardRatio: &of, Regret: &regret,
		ViolatedRatio: map[string]float64{"cart": violated.Mean}, Violated: map[string]eval.Estimate{"cart": violated},
		WorstWindow: map[string]float64{"cart": .21}, CarriedRatio: of * .7,
	}
}

// small is a report of every kind of policy: one that keeps its budget, one that does
// not, and references of both kinds.
func small() eval.Report {
	five, ten, zero := .05, .1, 0
	return eval.Report{
		Seed: 3, Seeds: 4, Budget: map[string]float64{"cart": .05},
		Rows: []eval.Row{
			row(eval.Optimum, train.ObjectiveReward, 1, with(.4, .1)),
			row(eval.Tabular, train.ObjectiveReward, .93, with(.5, .1)),
			row(eval.Optimum, train.ObjectiveBudget, 1, with(.05, .01)),
			row(eval.Tabular, train.ObjectiveBudget, .95, with(.049, .002)),
			row(eval.Learned, train.ObjectiveBudget, 1.02, with(.12, .01)),
			row(eval.Static, train.ObjectiveBudget, .64, with(.03, .01)),
			row(eval.None, train.ObjectiveBudget, 1.5, with(.6, .05)),
		},
		Frontier: []eval.FrontierPoint{
			{Policy: eval.Optimum, Budget: &five, Violated: with(.05, .01), Carried: with(.7, .02)},
			{Policy: eval.Optimum, Budget: &ten, Violated: with(.1, .01), Carried: with(.8, .02)},
			{Policy: eval.Tabular, Budget: &five, Violated: with(.049, .01), Carried: with(.66, .02)},
			{Policy: eval.Static, Violated: with(.03, .01), Carried: with(.45, .02)},
			{Policy: eval.None, Violated: with(.6, .05), Carried: with(1, 0)},
		},
		LoadStep: eval.LoadStep{
			Before: map[string]float64{"cart": 8}, After: map[string]float64{"cart": 18}, Bar: map[string]float64{"cart": .085},
			Policies: []eval.Settling{
				{Policy: eval.Tabular, Settled: &zero, First: map[string]float64{"cart": .06}, Windows: map[string][]float64{"cart": {.06, .05, .05, .05, .05, .04}}},
				{Policy: eval.None, First: map[string]float64{"cart": .9}, Windows: map[string][]float64{"cart": {.9, .9}}},
			},
		},
		Timeline: &eval.Timeline{
			Policy: eval.Tabular, Seed: 3, From: 600, Interval: 5 * time.Second,
			Services: []eval.TimelineService{
				{Name: "cart", Bound: .1, Latency: []float64{.09, .12}, Aim: []float64{.095, .09}, Offered: []float64{8, 9}, Blocked: []float64{0, .2}},
				{Name: "free", Bound: math.Inf(1), Latency: []float64{.09, .12}, Aim: []float64{.1, .1}, Offered: []float64{1, 2}, Blocked: []float64{0, 0}},
			},
		},
	}
}

func html(t *testing.T, p page.Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := page.Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEvaluationSaysWhatAManagerAsks(t *testing.T) {
	p := Evaluation(small(), about())
	want := []string{
		"Error budgets (cart 5 %), on load and configurations that no policy had seen. " +
			"They are kept by tabular, which violates cart in 4.9 % of the intervals and carries 95.0 ±2.0 % of what an optimum carries that knows the truth. " +
			"They are also kept by best static (64.0 ±2.0 %). " +
			"They are broken by learned (cart in 12.0 % of the intervals) and no control (cart in 60.0 % of the intervals).",
		"The published reward, on the same: tabular has 93.0 ±2.0 % of the optimum’s, and violates cart in 50.0 % of the intervals.",
	}
	if d := cmp.Diff(want, p.Lead); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
	facts := map[string]string{}
	for _, f := range p.Facts {
		facts[f.Name] = f.Value
	}
	for name, want := range map[string]string{
		"Mesh": "shop", "Rules": "shop.toml", "Dataset": "shop.dataset, 7 rows", "SHA-256 of the dataset": "abc", "windvane": "1.2.3", "Command": "windvane evaluate --seed 3",
		"Policies": "optimum, tabular, learned, best static and no control", "Seeds": "3 to 6; each draws a split of the configurations, loads and noise of its own",
	} {
		if facts[name] != want {
			t.Errorf("fact %s is %q, want %q", name, facts[name], want)
		}
	}
}

func find(t *testing.T, p page.Page, title string) page.Section {
	t.Helper()
	for _, s := range p.Sections {
		if s.Title == title {
			return s
		}
	}
	t.Fatalf("no section %q", title)
	return page.Section{}
}

func TestFiguresOfAnEvaluation(t *testing.T) {
	p := Evaluation(small(), about())
	text := html(t, p)
	if !strings.Contains(text, "Latency of cart") || strings.Contains(text, "Latency of free") {
		t.Error("want the latency of the service with a bound, and of no other")
	}
	frontier := find(t, p, "Violated against carried").Figures[0]
	var names []string
	for _, s := range frontier.Chart.Series {
		names = append(names, s.Name)
	}
	if d := cmp.Diff([]string{"optimum", "tabular", "best static"}, names); d != "" {
		t.Errorf("series of the frontier (-want +got):\n%s", d)
	}
	if want := "Outside of the chart: no control (60.0 % violated, 100.0 % carried)."; frontier.Note != want {
		t.Errorf("note %q, want %q", frontier.Note, want)
	}
	regret := find(t, p, "Regret").Figures
	if len(regret) != 2 || !cmp.Equal(regret[0].Chart.Y.Names, []string{"tabular", "best static"}) || !strings.Contains(regret[0].Note, "broken budgets: learned and no control.") {
		t.Errorf("regret under budgets: %v, %q", regret[0].Chart.Y.Names, regret[0].Note)
	}
	step := find(t, p, "After a step of the load")
	rows := step.Tables[0].Groups[0].Rows
	if d := cmp.Diff([]page.Row{{Cells: []string{"tabular", "0", "6.0"}}, {Cells: []string{"no control", "not in the run", "90.0"}, Bad: true}}, rows); d != "" {
		t.Errorf("settling (-want +got):\n%s", d)
	}
	if !strings.Contains(step.Figures[0].Note, "no control") {
		t.Errorf("note %q does not tell of what is not shown", step.Figures[0].Note)
	}
}

func TestTableOfAnEvaluation(t *testing.T) {
	groups := find(t, Evaluation(small(), about()), "All figures").Tables[0].Groups
	if len(groups) != 2 || groups[0].Title != "Error budgets, unseen load, on configurations held out" {
		t.Fatalf("groups %+v, want the budgets first", groups)
	}
	want := []page.Row{
		{Cells: []string{"optimum", "100.0", "-", "5.0 ±1.0", "21", "70.0", "-"}},
		{Cells: []string{"tabular", "95.0", "5.0 ±2.0", "4.9 ±0.2", "21", "66.5", "-"}},
		{Cells: []string{"learned", "102.0", "-2.0 ±2.0", "12.0 ±1.0", "21", "71.4", "-"}, Bad: true},
	}
	if d := cmp.Diff(want, groups[0].Rows[:3]); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

// A single run has no intervals, and no word of them; without a reward and a planner,
// there is less to say.
func TestLittleOfAnEvaluation(t *testing.T) {
	r := small()
	r.Seeds, r.Timeline = 1, nil
	r.Rows = r.Rows[2:]
	for i := range r.Rows {
		one := r.Rows[i].Violated["cart"].Mean
		r.Rows[i].Violated, r.Rows[i].Regret = map[string]eval.Estimate{"cart": {Mean: one}}, &eval.Estimate{Mean: .1}
	}
	for i := range r.Frontier {
		r.Frontier[i].Violated.Half, r.Frontier[i].Carried.Half = nil, nil
	}
	p := Evaluation(r, about())
	text := html(t, p)
	if len(p.Lead) != 1 || strings.Contains(text, "±") || !strings.Contains(text, "One run: there are no confidence intervals.") || strings.Contains(text, "A sample of a run") {
		t.Errorf("lead %q", p.Lead)
	}
	if names := len(find(t, p, "Violated against carried").Figures[0].Chart.Series); names != 3 {
		t.Errorf("%d series in the frontier, want those of optimum, tabular and best static", names)
	}
	r.Frontier = r.Frontier[3:] // nothing plans under a budget: every point is shown
	if names := len(find(t, Evaluation(r, about()), "Violated against carried").Figures[0].Chart.Series); names != 2 {
		t.Errorf("%d series in the frontier of policies without budgets, want both", names)
	}
	if v := find(t, p, "All figures").Tables[0].Groups[0].Rows[1].Cells[3]; v != "4.9" {
		t.Errorf("violated %q, want 4.9", v)
	}
}

func replayRow(truth, controller string, delay int, violated, of float64) eval.ReplayRow {
	return eval.ReplayRow{
		Truth: truth, Budget: .05, Delay: delay, Controller: controller, Runs: 2,
		ViolatedRatio: map[string]float64{"a": violated, "b": violated}, ViolatedLeast: violated - .001, ViolatedMost: violated + .001,
		OptimumRatio: of, OptimumError: .01, OptimumLeast: of - .1, CarriedRatio: .6 * of, WorstWindow: .1,
	}
}

func TestReplay(t *testing.T) {
	r := eval.ReplayReport{
		Rows: []eval.ReplayRow{
			replayRow("hgb", eval.ControllerOptimum, 0, .4, 1.3), replayRow("hgb", eval.ControllerFull, 0, .05, .95),
			replayRow("hgb", eval.ControllerFull, 1, .051, .9),
			replayRow("et", eval.ControllerFull, 0, .05, .86), replayRow("et", eval.ControllerFull, 1, .05, .8),
		},
		Bars: []eval.ReplayBar{{Name: "carried", Truth: "et", Budget: .05, Want: ">= 0.9", Got: .86}, {Name: "violated", Truth: "et", Budget: .05, Want: "<= 0.06", Got: .05, Met: true}},
	}
	p := Replay(r, 3, about())
	want := []string{
		"Under budgets of 5 %, controller full violates at most 5.2 % of the intervals, of any service in any run at any delay. With a budget of 5 %, outcomes known at once, it carries 95.0 ±1.0 % (hgb) and 86.0 ±1.0 % (et) of the optimum.",
		"1 of the 2 bars that were set beforehand are met. Not met: carried (et, budget 5 %, delay 0).",
	}
	if d := cmp.Diff(want, p.Lead); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
	text := html(t, p)
	for _, want := range []string{"Outside of the chart, at the greatest budget: optimum (40\u00a0% violated, 78\u00a0% carried).", "delay of an outcome (intervals)", "Extremely randomised truth (et), budget 5 %, outcomes known one interval late"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if rows := find(t, p, "Bars").Tables[0].Groups[0].Rows; !rows[0].Bad || rows[1].Bad {
		t.Errorf("bars %+v, want the first to be missed", rows)
	}
	html(t, Replay(eval.ReplayReport{}, 1, about()))
	for _, s := range Replay(eval.ReplayReport{Rows: r.Rows[1:2]}, 1, about()).Sections {
		if s.Title == "Bars" || s.Title == "The cost of delay" {
			t.Errorf("section %q of one row", s.Title)
		}
	}
}

func emulatorRow(controller, phase string, first, rest, of float64) eval.EmulatorRow {
	row := eval.EmulatorRow{
		Budget: .05, Delay: eval.DelayDaemon, Phase: phase, Controller: controller, Runs: 3,
		Violated: map[string]eval.Estimate{"a": with(rest, .01)}, First: new(with(first, .02)), Carried: with(.8, .01), Answered: .7,
	}
	if rest > 0 {
		row.Rest = new(with(rest, .01))
	}
	if of > 0 {
		row.OfOptimum, row.OptimumLeast = new(with(of, .03)), new(of-.1)
	}
	return row
}

func TestEmulator(t *testing.T) {
	r := eval.EmulatorReport{
		Mesh: "small", Policy: "tabular", Samples: 3000, Seeds: []uint64{1001, 1002, 1003}, Oracle: "the whole-run oracle.", Services: []string{"a", "b"},
		Rows: []eval.EmulatorRow{
			emulatorRow("zero", "normal", .4, .5, 1.1), emulatorRow("zero", "fault", .6, .6, 1.2),
			emulatorRow(eval.ControllerFull, "normal", .04, .03, .95), emulatorRow(eval.ControllerFull, "fault", .11, .05, .86),
		},
		Bars: []eval.EmulatorBar{{Name: "violated", Phase: "fault", Budget: .05, Delay: 1, Want: "<= 0.07", Got: .05, Met: true}},
	}
	p := Emulator(r, about())
	want := []string{
		"Controller full, under a budget of 5 %, violates in phase normal, 3.0 ±1.0 % of the intervals after the first 100 (in those, 4.0 ±2.0 %), carrying 95.0 ±3.0 % of the oracle’s load; " +
			"in phase fault, 5.0 ±1.0 % of the intervals after the first 100 (in those, 11.0 ±2.0 %), carrying 86.0 ±3.0 % of the oracle’s load.",
		"All bars that were set beforehand are met (1).",
	}
	if d := cmp.Diff(want, p.Lead); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
	html(t, p)
	if figures := find(t, p, "Budget 5 %, delay daemon").Figures; len(figures) != 3 || len(figures[0].Chart.Series) != 2 {
		t.Errorf("%d figures, want three of two controllers", len(figures))
	}
	groups := find(t, p, "All figures").Tables[0].Groups
	if len(groups) != 2 || groups[0].Title != "Budget 5 %, delay daemon, phase normal" || !cmp.Equal(groups[0].Rows[1].Cells[:4], []string{"full", "3.0 ±1.0", "-", "4.0 ±2.0"}) {
		t.Errorf("groups %+v", groups)
	}
	// Without an oracle and with short phases there is less to show.
	r.Rows = []eval.EmulatorRow{emulatorRow("zero", "normal", .4, 0, 0)}
	if figures := find(t, Emulator(r, about()), "Budget 5 %, delay daemon").Figures; len(figures) != 1 {
		t.Errorf("%d figures, want the first intervals alone", len(figures))
	}
}
