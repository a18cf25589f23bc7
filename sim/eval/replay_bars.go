package eval

import "fmt"

// bar is what rows of one budget have to show; zero: nothing is asked.
type bar struct {
	least, most float64            // share of violations of every service in every run, at any delay
	optimum     map[string]float64 // carried, of the optimum of the whole run, by kind of truth
	run         float64            // the same for every run
	price       map[string]float64 // the same for the price
	over        float64            // more of the optimum than the integrator with a constant step
	window      float64            // worst window of 100 intervals, in budgets, mean over runs
	flagged     float64            // share of intervals with nothing feasible
	calm        float64            // less change of the settings than without limits on it, as a share
	calmCost    float64            // what that may cost, of the optimum
}

// replayBars were fixed before the controllers were written, by budget: on a testbed
// with the same truths, a model of the truth's family and an independent
// implementation. Carried load and windows are for an outcome known at once.
var replayBars = map[float64]bar{
	.02: {most: .025, optimum: map[string]float64{"hgb": .90, "et": .75}, window: 4},
	.05: {
		least: .040, most: .055, optimum: map[string]float64{"hgb": .93, "et": .84}, run: .75, over: .06,
		price: map[string]float64{"hgb": .96, "et": .88}, window: 2.7, flagged: .05,
		calm: .4, calmCost: .03,
	},
	.10: {most: .105, optimum: map[string]float64{"hgb": .95, "et": .92}, window: 2, calm: .4, calmCost: .03},
}

// delayCost is the most that one interval of delay may cost, of the optimum.
const delayCost = .07

// rowKey finds a row.
type rowKey struct {
	truth      string
	budget     float64
	delay      int
	controller string
}

func barsOf(rows []ReplayRow) []ReplayBar {
	at := map[rowKey]ReplayRow{}
	for _, r := range rows {
		at[rowKey{r.Truth, r.Budget, r.Delay, r.Controller}] = r
	}
	var out []ReplayBar
	for _, r := range rows {
		b, ok := replayBars[r.Budget]
		if !ok {
			continue
		}
		switch r.Controller {
		case ControllerFull:
			out = append(out, b.full(r, at)...)
		case ControllerPrice:
			if want := b.price[r.Truth]; want > 0 && r.Delay == 0 {
				out = append(out, atLeast(r, "price: carried, of the optimum", want, r.OptimumRatio))
			}
		}
	}
	return out
}

func (b bar) full(r ReplayRow, at map[rowKey]ReplayRow) []ReplayBar {
	out := []ReplayBar{atMost(r, "violated, every service in every run", b.most, r.ViolatedMost)}
	if b.least > 0 {
		out = append(out, atLeast(r, "violated, every service in every run", b.least, r.ViolatedLeast))
	}
	if r.Delay > 0 {
		if now, ok := at[rowKey{r.Truth, r.Budget, 0, r.Controller}]; ok && r.Delay == 1 {
			out = append(out, atMost(r, "cost of one interval of delay, of the optimum", delayCost, now.OptimumRatio-r.OptimumRatio))
		}
		return out
	}
	out = append(out,
		atLeast(r, "carried, of the optimum", b.optimum[r.Truth], r.OptimumRatio),
		atMost(r, "worst window of 100, in budgets", b.window, r.WorstWindow/r.Budget))
	if b.run > 0 {
		out = append(out, atLeast(r, "carried in every run, of the optimum", b.run, r.OptimumLeast))
	}
	if plain, ok := at[rowKey{r.Truth, r.Budget, 0, ControllerIntegrator}]; ok && b.over > 0 {
		out = append(out, atLeast(r, "more than the plain integrator, of the optimum", b.over, r.OptimumRatio-plain.OptimumRatio))
	}
	if free, ok := at[rowKey{r.Truth, r.Budget, 0, ControllerFree}]; ok && b.calm > 0 {
		out = append(out,
			atLeast(r, "less change than unsmoothed, as a share", b.calm, 1-r.Change/free.Change),
			atMost(r, "cost of less change, of the optimum", b.calmCost, free.OptimumRatio-r.OptimumRatio))
	}
	if b.flagged > 0 {
		out = append(out, atMost(r, "intervals with nothing feasible", b.flagged, r.FlaggedRatio))
	}
	return out
}

func atMost(r ReplayRow, name string, want, got float64) ReplayBar {
	return ReplayBar{Name: name, Truth: r.Truth, Budget: r.Budget, Delay: r.Delay, Want: fmt.Sprintf("<= %g", want), Got: got, Met: got <= want}
}

func atLeast(r ReplayRow, name string, want, got float64) ReplayBar {
	return ReplayBar{Name: name, Truth: r.Truth, Budget: r.Budget, Delay: r.Delay, Want: fmt.Sprintf(">= %g", want), Got: got, Met: got >= want}
}
