package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// phaseBar is what a phase has to show under the full controller; zero: nothing is asked.
type phaseBar struct {
	run     float64 // share of violations of every service in every run
	first   float64 // in the first 100 intervals, mean
	firstOf float64 // of every service in every run
	rest    float64 // in those after them, every service in every run
	optimum float64 // carried, of the oracle's, mean
	least   float64 // the same in every run
	window  float64 // worst window of 100, in budgets
	flagged float64 // share of intervals with nothing feasible
	zero    float64 // violations that planning on the mean has at least: the phase asks for something
}

// emulatorBars were fixed before the controllers were written, on an emulated mesh of
// somebody else's, by budget and phase. Carried load and windows are for outcomes known
// at once; they are asked of the daemon's own delay, too.
var emulatorBars = map[float64]map[string]phaseBar{
	.02: {PhaseNormal: {optimum: .87, window: 4}},
	.05: {
		PhaseNormal: {run: .045, optimum: .93, window: 2.7, flagged: .05},
		PhaseFault:  {first: .12, firstOf: .25, rest: .070, optimum: .82, least: .75, flagged: .05, zero: .4},
		PhaseBack:   {flagged: .05},
		PhaseGrowth: {rest: .065, optimum: .82, flagged: .05},
	},
	.10: {PhaseNormal: {window: 2}},
}

// emulatorKey finds a row.
type emulatorKey struct {
	budget            float64
	delay             Delay
	phase, controller string
}

func emulatorBarsOf(rows []EmulatorRow) []EmulatorBar {
	at := map[emulatorKey]EmulatorRow{}
	for _, r := range rows {
		at[emulatorKey{r.Budget, r.Delay, r.Phase, r.Name()}] = r
	}
	var out []EmulatorBar
	for _, r := range rows {
		if b, ok := emulatorBars[r.Budget][r.Phase]; ok && r.Controller == ControllerFull {
			out = append(out, b.full(r, at)...)
		}
	}
	slices.SortStableFunc(out, func(a, b EmulatorBar) int {
		return cmp.Or(cmp.Compare(a.Budget, b.Budget), cmp.Compare(a.Delay, b.Delay), cmp.Compare(a.Through, b.Through), cmp.Compare(a.Age, b.Age))
	})
	return out
}

func (b phaseBar) full(r EmulatorRow, at map[emulatorKey]EmulatorRow) []EmulatorBar {
	var out []EmulatorBar
	upTo := func(name string, want, got float64) {
		if want > 0 {
			out = append(out, EmulatorBar{Name: name, Budget: r.Budget, Delay: r.Delay, Through: r.Through, Age: r.Age, Phase: r.Phase, Want: fmt.Sprintf("<= %g", want), Got: got, Met: got <= want})
		}
	}
	from := func(name string, want float64, got *float64) {
		if want > 0 && got != nil {
			out = append(out, EmulatorBar{Name: name, Budget: r.Budget, Delay: r.Delay, Through: r.Through, Age: r.Age, Phase: r.Phase, Want: fmt.Sprintf(">= %g", want), Got: *got, Met: *got >= want})
		}
	}
	worst := 0.
	for _, v := range r.ViolatedMost {
		worst = max(worst, v)
	}
	upTo("violated, every service in every run", b.run, worst)
	upTo("violated in the first 100, mean", b.first, r.First.Mean)
	upTo("violated in the first 100, every service in every run", b.firstOf, r.FirstMost)
	if r.Rest != nil {
		upTo("violated after the first 100, every service in every run", b.rest, r.RestMost)
	}
	upTo("intervals with nothing feasible", b.flagged, r.Flagged)
	if now, ok := at[emulatorKey{r.Budget, 0, r.Phase, r.Controller}]; ok && r.Delay == 1 && r.OfOptimum != nil {
		upTo("cost of one interval of delay, of the oracle", delayCost, now.OfOptimum.Mean-r.OfOptimum.Mean)
	}
	if r.Delay > 0 {
		return out
	}
	upTo("worst window of 100, in budgets", b.window, r.WorstWindow/r.Budget)
	if r.OfOptimum != nil {
		from("carried, of the oracle", b.optimum, &r.OfOptimum.Mean)
		from("carried in every run, of the oracle", b.least, r.OptimumLeast)
	}
	if zero, ok := at[emulatorKey{r.Budget, r.Delay, r.Phase, ControllerZero}]; ok && zero.First != nil {
		mean := 0.
		for _, v := range zero.Violated {
			mean += v.Mean / float64(len(zero.Violated))
		}
		from("violated without a margin, mean: the phase asks for something", b.zero, &mean)
	}
	return out
}

// auditBars say whether windvane's own account of the runs is as the emulator has it.
func (e *emulation) auditBars(of trial, audits []*audit) []EmulatorBar {
	var sum audit
	for _, a := range audits {
		sum.judged += a.judged
		sum.account += a.account
		sum.flagged += a.flagged
	}
	var out []EmulatorBar
	for _, b := range []struct {
		name string
		got  float64
	}{
		{"intervals judged otherwise than by the emulator's own counters", float64(sum.judged)},
		{"intervals that the account of error budgets has otherwise", math.Round(1e6*sum.account) / 1e6}, // shares of intervals are rounded
		{"intervals with nothing feasible that the status has otherwise", math.Round(1e6*sum.flagged) / 1e6},
	} {
		out = append(out, EmulatorBar{
			Name: b.name, Budget: e.Budgets[of.budget], Delay: e.Delays[of.delay], Through: ThroughDaemon, Age: of.age.Seconds(), Want: "<= 0", Got: b.got, Met: b.got == 0,
		})
	}
	return out
}
