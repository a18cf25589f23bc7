package eval

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// ReplayRow says how one controller did on one kind of truth, over all runs.
type ReplayRow struct {
	Truth      string  `json:"truth"` // "hgb" or "et"
	Budget     float64 `json:"budget"`
	Delay      int     `json:"delay"` // intervals
	Controller string  `json:"controller"`
	Runs       int     `json:"runs"`

	ViolatedRatio    map[string]float64 `json:"violated_ratio"` // by service: mean over runs
	ViolatedLeast    float64            `json:"violated_ratio_min"`
	ViolatedMost     float64            `json:"violated_ratio_max"`        // of any service in any run
	EarlyRatio       float64            `json:"early_violated_ratio"`      // in the first 200 intervals, mean over services and runs
	WorstWindow      float64            `json:"worst_window_ratio"`        // of 100 intervals, mean over services and runs
	WorstWindowMost  float64            `json:"worst_window_ratio_max"`    //
	CarriedRatio     float64            `json:"carried_ratio"`             // nominal, of what is offered
	OptimumRatio     float64            `json:"of_optimum_ratio"`          // carried, of the optimum of the whole run: mean over runs
	OptimumLeast     float64            `json:"of_optimum_ratio_min"`      //
	OptimumError     float64            `json:"of_optimum_standard_error"` // of the mean
	Change           float64            `json:"change"`                    // moved over all knobs, per interval
	FlaggedRatio     float64            `json:"flagged_ratio"`             // share of intervals in which nothing was feasible
	FlaggedMost      float64            `json:"flagged_ratio_max"`
	FlaggedViolation float64            `json:"flagged_violated_ratio"` // of flagged intervals, mean over services

	optimum []float64 // by run
}

// ReplayBar is one thing that was to be shown.
type ReplayBar struct {
	Name   string  `json:"name"`
	Truth  string  `json:"truth"`
	Budget float64 `json:"budget"`
	Delay  int     `json:"delay"`
	Want   string  `json:"want"` // such as "<= 0.055"
	Got    float64 `json:"got"`
	Met    bool    `json:"met"`
}

// ReplayReport is the answer of Replay.
type ReplayReport struct {
	Rows []ReplayRow `json:"rows"`
	Bars []ReplayBar `json:"bars"`
}

// report sums up the runs.
func (e *replayEvaluation) report(jobs []replayJob) ReplayReport {
	var r ReplayReport
	for _, kind := range replayKinds {
		for b := range e.Budgets {
			for d := range e.Delays {
				for c := range e.controllers {
					r.Rows = append(r.Rows, e.row(jobs, kind, b, d, c))
				}
			}
		}
	}
	r.Bars = barsOf(r.Rows)
	return r
}

func (e *replayEvaluation) row(jobs []replayJob, kind string, budget, delay, controller int) ReplayRow {
	row := ReplayRow{
		Truth: kind, Budget: e.Budgets[budget], Delay: e.Delays[delay], Controller: e.controllers[controller].Name,
		Runs: e.Runs, ViolatedRatio: map[string]float64{},
	}
	var violated, early, worst, optimum, carried, change, flagged []float64
	broken, of := 0.0, 0.0
	for _, j := range jobs {
		if j.kind != kind {
			continue
		}
		m := j.results[controller][budget*len(e.Delays)+delay]
		for s, v := range m.violated {
			row.ViolatedRatio[e.splits[0].goal[0].Services[s].Name] += v / float64(e.Runs)
		}
		violated, early, worst = append(violated, m.violated...), append(early, m.early...), append(worst, m.worst...)
		optimum = append(optimum, m.carried/j.best[budget])
		carried, change, flagged = append(carried, m.carried/m.offered), append(change, m.change), append(flagged, m.flagged)
		broken += m.broken * m.flagged
		of += m.flagged
	}
	v, w, o, f := summarise(violated), summarise(worst), summarise(optimum), summarise(flagged)
	row.ViolatedLeast, row.ViolatedMost, row.EarlyRatio = v.least, v.most, summarise(early).mean
	row.WorstWindow, row.WorstWindowMost = w.mean, w.most
	row.OptimumRatio, row.OptimumLeast, row.OptimumError = o.mean, o.least, standardError(optimum)
	row.CarriedRatio, row.Change = summarise(carried).mean, summarise(change).mean
	row.FlaggedRatio, row.FlaggedMost = f.mean, f.most
	if of > 0 {
		row.FlaggedViolation = broken / of
	}
	row.optimum = optimum
	return row
}

func standardError(v []float64) float64 {
	if len(v) < 2 {
		return 0
	}
	mean, square := summarise(v).mean, 0.0
	for _, x := range v {
		square += (x - mean) * (x - mean)
	}
	return math.Sqrt(square / float64(len(v)-1) / float64(len(v)))
}

// WriteText writes the report as tables for a person.
func (r ReplayReport) WriteText(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	lines := []string{"truth\tbudget\tdelay\tcontroller\tviolated, mean\tof any run\tworst 100\tcarried\tof optimum\tleast\tchange\tnothing feasible"}
	for _, row := range r.Rows {
		var mean []string
		for _, s := range replayServices {
			mean = append(mean, fmt.Sprintf("%.3f", row.ViolatedRatio[s]))
		}
		lines = append(lines, fmt.Sprintf("%s\t%g\t%d\t%s\t%s\t%.3f to %.3f\t%.2f\t%.3f\t%.3f ±%.3f\t%.3f\t%.2f\t%.1f %%",
			row.Truth, row.Budget, row.Delay, row.Controller, strings.Join(mean, " "), row.ViolatedLeast, row.ViolatedMost,
			row.WorstWindow, row.CarriedRatio, row.OptimumRatio, row.OptimumError, row.OptimumLeast, row.Change, 100*row.FlaggedRatio))
	}
	if len(r.Bars) > 0 {
		lines = append(lines, "", "truth\tbudget\tdelay\tto show\twant\tgot")
	}
	for _, b := range r.Bars {
		met := ""
		if !b.Met {
			met = "  not met"
		}
		lines = append(lines, fmt.Sprintf("%s\t%g\t%d\t%s\t%s\t%.3f%s", b.Truth, b.Budget, b.Delay, b.Name, b.Want, b.Got, met))
	}
	for _, l := range lines {
		if _, err := fmt.Fprintln(out, l); err != nil {
			return err
		}
	}
	return out.Flush()
}
