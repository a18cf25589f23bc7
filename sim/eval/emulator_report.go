package eval

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// EmulatorRow says how one controller did in one phase, over all runs. Violated shares
// are of the intervals whose latency was known.
type EmulatorRow struct {
	Budget     float64 `json:"budget"`
	Delay      Delay   `json:"delay"`
	Through    string  `json:"through,omitempty"`            // ThroughDaemon, or empty: ClosedLoop
	Age        float64 `json:"sample_age_seconds,omitempty"` // of the newest samples at the daemon's cycles
	Phase      string  `json:"phase"`
	Controller string  `json:"controller"`
	Runs       int     `json:"runs"`

	Violated     map[string]Estimate `json:"violated_ratio"`           // by service
	ViolatedMost map[string]float64  `json:"violated_ratio_max"`       // by service: in the worst run
	First        *Estimate           `json:"first_violated_ratio"`     // in the first 100 intervals, mean over services
	FirstMost    float64             `json:"first_violated_ratio_max"` // of any service in any run
	Rest         *Estimate           `json:"rest_violated_ratio"`      // in those after them; nil where there are none
	RestMost     float64             `json:"rest_violated_ratio_max"`  //
	WorstWindow  float64             `json:"worst_window_ratio"`       // of 100 intervals, mean over services and runs
	Carried      Estimate            `json:"carried_ratio"`            // value of the nominal carried load, of that of what is offered
	Answered     float64             `json:"answered_ratio"`           // requests answered in time, of those offered
	OfOptimum    *Estimate           `json:"of_optimum_ratio"`         // carried, of the oracle's; nil where there is no oracle
	OptimumLeast *float64            `json:"of_optimum_ratio_min"`     // in the worst run
	Optimum      *float64            `json:"optimum_ratio"`            // the oracle's carried load, of what is offered
	Change       float64             `json:"change"`                   // moved over all knobs, per interval
	Flagged      float64             `json:"flagged_ratio"`            // share of intervals with nothing feasible
	FlaggedMost  float64             `json:"flagged_ratio_max"`        // in the worst run
	FlaggedBroke *float64            `json:"flagged_violated_ratio"`   // of flagged intervals, mean over services; nil where there are none
	Counted      float64             `json:"counted_ratio"`            // share of intervals that moved the debts
	Cycles       *float64            `json:"delay_cycles"`             // from a change to the first measurement of nothing older that moved the debts; nil: nothing was changed
	Held         float64             `json:"held_ratio"`               // share of cycles that kept the settings as they were, against the decision
	Edited       float64             `json:"edited_ratio"`             // share of cycles in which the guard edited the decision
	optimum      []float64           // OfOptimum by run
}

// ThroughDaemon is said of what the daemon has controlled.
const ThroughDaemon = "daemon"

// EmulatorBar is one thing that was to be shown.
type EmulatorBar struct {
	Name    string  `json:"name"`
	Budget  float64 `json:"budget"`
	Delay   Delay   `json:"delay"`
	Through string  `json:"through,omitempty"`
	Age     float64 `json:"sample_age_seconds,omitempty"`
	Phase   string  `json:"phase"` // empty: the whole of the runs
	Want    string  `json:"want"`  // such as "<= 0.055"
	Got     float64 `json:"got"`
	Met     bool    `json:"met"`
}

// Where is the phase, with what the controller went through if that was the daemon.
func (b EmulatorBar) Where() string {
	return cmp.Or(b.Phase, "all phases") + way(b.Through, b.Age)
}

// EmulatorReport is the answer of Emulator.
type EmulatorReport struct {
	Mesh     string        `json:"mesh"`
	Policy   string        `json:"policy"`  // tabular or search
	Samples  int           `json:"samples"` // intervals that each run's policy was learned from
	Seeds    []uint64      `json:"seeds"`
	Oracle   string        `json:"oracle"`           // what it is, and what its chances were sampled from
	Sampled  int           `json:"oracle_intervals"` // 0: there is none
	Services []string      `json:"services"`
	Rows     []EmulatorRow `json:"rows"`
	Bars     []EmulatorBar `json:"bars"`
}

// report sums up the runs; best is [run][phase][budget].
func (e *emulation) report(c *chances, best [][][]float64, results [][]result) EmulatorReport {
	r := EmulatorReport{
		Mesh: e.Rules.Name, Policy: e.policy, Samples: e.samples, Services: e.names, Oracle: c.describe(e), Seeds: make([]uint64, e.Runs),
	}
	if c != nil {
		r.Sampled = c.intervals
	}
	for i := range r.Seeds {
		r.Seeds[i] = e.Seed + uint64(i)
	}
	for k, of := range e.trials {
		for p := range e.phases {
			var runs []phaseMeasures
			var optimum []float64
			for i := range e.Runs {
				runs = append(runs, results[i][k].phases[p])
				if c != nil {
					optimum = append(optimum, best[i][p][of.budget])
				}
			}
			r.Rows = append(r.Rows, e.row(of, p, runs, optimum))
		}
	}
	r.Bars = emulatorBarsOf(r.Rows)
	for k, of := range e.trials {
		var audits []*audit
		for i := range e.Runs {
			audits = append(audits, results[i][k].audit)
		}
		if of.daemon {
			r.Bars = append(r.Bars, e.auditBars(of, audits)...)
		}
	}
	return r
}

func (e *emulation) row(of trial, phase int, runs []phaseMeasures, optimum []float64) EmulatorRow {
	row := EmulatorRow{
		Budget: e.Budgets[of.budget], Delay: e.Delays[of.delay], Phase: e.phases[phase].name, Controller: e.controllers[of.controller].Name,
		Runs: len(runs), Violated: map[string]Estimate{}, ViolatedMost: map[string]float64{},
	}
	if of.daemon {
		row.Through, row.Age = ThroughDaemon, of.age.Seconds()
	}
	var first, rest, worst, carried, broke, best, cycles []float64
	for s, name := range e.names {
		var violated []float64
		for _, m := range runs {
			violated = append(violated, m.violated[s])
			worst = append(worst, m.worst[s])
			row.FirstMost, row.RestMost = most(row.FirstMost, m.first[s]), most(row.RestMost, m.rest[s])
		}
		if violated = known(violated); len(violated) > 0 {
			row.Violated[name], row.ViolatedMost[name] = estimate(violated), slices.Max(violated)
		}
	}
	for i, m := range runs {
		first, rest = append(first, summarise(known(m.first)).mean), append(rest, summarise(known(m.rest)).mean)
		carried = append(carried, m.carried/m.offered)
		row.Answered += m.answered / float64(len(runs))
		row.Change += m.change / float64(len(runs))
		row.Flagged += m.flagged / float64(len(runs))
		row.FlaggedMost = max(row.FlaggedMost, m.flagged)
		row.Counted += m.counted / float64(len(runs))
		row.Held += m.held / float64(len(runs))
		row.Edited += m.edited / float64(len(runs))
		cycles = append(cycles, m.cycles)
		if m.flagged > 0 {
			broke = append(broke, m.broken)
		}
		if optimum != nil {
			row.optimum, best = append(row.optimum, m.carried/optimum[i]), append(best, optimum[i]/m.offered)
		}
	}
	row.WorstWindow, row.Carried = summarise(known(worst)).mean, estimate(carried)
	row.First = new(estimate(first))
	if e.phases[phase].intervals > emulatorFirst {
		row.Rest = new(estimate(rest))
	}
	if cycles = known(cycles); len(cycles) > 0 {
		row.Cycles = new(summarise(cycles).mean + float64(max(0, row.Delay)))
	}
	if len(broke) > 0 {
		row.FlaggedBroke = new(summarise(broke).mean)
	}
	if optimum != nil {
		row.OfOptimum, row.OptimumLeast = new(estimate(row.optimum)), new(slices.Min(row.optimum))
		row.Optimum = new(summarise(best).mean)
	}
	return row
}

// known drops the figures that are not known.
func known(v []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(v), math.IsNaN)
}

// most is the greater of two figures, the second of which may not be known.
func most(a, b float64) float64 {
	if b > a {
		return b
	}
	return a
}

// WriteText writes the report as tables for a person.
func (r EmulatorReport) WriteText(w io.Writer) error {
	lines := []string{
		fmt.Sprintf("mesh %s, policy %s learned from %d intervals, seeds %d to %d, ± half of a 95 %% confidence interval",
			r.Mesh, r.Policy, r.Samples, r.Seeds[0], r.Seeds[len(r.Seeds)-1]),
		"oracle: " + r.Oracle,
	}
	if _, err := fmt.Fprintln(w, strings.Join(lines, "\n")); err != nil {
		return err
	}
	for _, table := range [][]string{r.rowLines(), r.barLines()} {
		if len(table) == 0 {
			continue
		}
		if err := writeColumns(w, append([]string{""}, table...)); err != nil {
			return err
		}
	}
	return nil
}

// Name is the controller's, with what it went through if that was the daemon.
func (r EmulatorRow) Name() string {
	return r.Controller + way(r.Through, r.Age)
}

func way(through string, age float64) string {
	switch {
	case through == "":
		return ""
	case age > 0:
		return fmt.Sprintf(" (%s, samples %g s old)", through, age)
	default:
		return " (" + through + ")"
	}
}

func (r EmulatorReport) rowLines() []string {
	head := []string{"budget", "delay", "controller", "phase"}
	for _, s := range r.Services {
		head = append(head, "violated "+s+" (most)")
	}
	head = append(head, "first 100 (most)", "rest (most)", "worst 100", "carried", "of oracle (least)", "answered", "change", "nothing feasible (violated)", "cycles", "counted", "held", "edited")
	out := []string{strings.Join(head, "\t")}
	for _, row := range r.Rows {
		cells := []string{fmt.Sprint(row.Budget), row.Delay.String(), row.Name(), row.Phase}
		for _, s := range r.Services {
			v, ok := row.Violated[s]
			if !ok {
				cells = append(cells, "-")
				continue
			}
			cells = append(cells, v.Percent()+fmt.Sprintf(" (%.1f)", 100*row.ViolatedMost[s]))
		}
		cells = append(cells, row.First.Percent()+fmt.Sprintf(" (%.1f)", 100*row.FirstMost))
		rest, of, broke, cycles := "-", "-", "", "-"
		if row.FlaggedBroke != nil {
			broke = fmt.Sprintf(" (%.0f %%)", 100**row.FlaggedBroke)
		}
		if row.Cycles != nil {
			cycles = fmt.Sprintf("%.2f", *row.Cycles)
		}
		if row.Rest != nil {
			rest = row.Rest.Percent() + fmt.Sprintf(" (%.1f)", 100*row.RestMost)
		}
		if row.OfOptimum != nil {
			of = row.OfOptimum.Percent() + fmt.Sprintf(" (%.1f)", 100**row.OptimumLeast)
		}
		cells = append(cells, rest, fmt.Sprintf("%.2f", row.WorstWindow), fmt.Sprintf("%.3f", row.Carried.Mean), of,
			fmt.Sprintf("%.3f", row.Answered), fmt.Sprintf("%.3f", row.Change), fmt.Sprintf("%.1f %%", 100*row.Flagged)+broke,
			cycles, fmt.Sprintf("%.3f", row.Counted), fmt.Sprintf("%.3f", row.Held), fmt.Sprintf("%.3f", row.Edited))
		out = append(out, strings.Join(cells, "\t"))
	}
	return out
}

func (r EmulatorReport) barLines() []string {
	if len(r.Bars) == 0 {
		return nil
	}
	out := []string{"budget\tdelay\tphase\tto show\twant\tgot\t"}
	for _, b := range r.Bars {
		met := "met"
		if !b.Met {
			met = "NOT MET"
		}
		out = append(out, fmt.Sprintf("%g\t%s\t%s\t%s\t%s\t%.3f\t%s", b.Budget, b.Delay, b.Where(), b.Name, b.Want, b.Got, met))
	}
	return out
}
