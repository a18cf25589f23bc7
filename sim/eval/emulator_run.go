package eval

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/train"
)

// emulatorFirst intervals of a phase are those right after the change.
const emulatorFirst = 100

// phaseMeasures are the figures of one phase of a run.
type phaseMeasures struct {
	violated []float64 // by service: share of the intervals that could be judged; NaN where none could, here and in what follows
	first    []float64 // the same of the first emulatorFirst intervals
	rest     []float64 // and of those after them
	worst    []float64 // by service: in the worst window of 100
	carried  float64   // value of the nominal carried load, per interval
	offered  float64   // value of all load
	answered float64   // requests answered 200, of those offered for the first time
	change   float64   // sum over knobs of what they were moved, per interval; a pair of weights is one knob
	flagged  float64   // share of intervals with the fallback of a decision with nothing feasible
	broken   float64   // mean over services of the share of flagged intervals that were violated

	counted float64 // share of intervals that moved the debts
	cycles  float64 // from a change to the first measurement of nothing older that moved the debts, mean; NaN: nothing was changed
	held    float64 // share of intervals at whose end the guard or the daemon kept the settings as they were
	edited  float64 // share of those at whose end the guard edited what was decided
}

// result is what a trial was in a run.
type result struct {
	phases []phaseMeasures
	audit  *audit // nil: ClosedLoop controlled the mesh
}

// run runs a scenario under one controller.
func (e *emulation) run(ctx context.Context, l learnt, seed uint64, of trial) (result, error) {
	s, err := e.Graph.newScenario(e.mesh, e.Rules.Interval, e.phases, seed)
	if err != nil {
		return result{}, err
	}
	c, budget, delay := e.controllers[of.controller], e.Budgets[of.budget], e.Delays[of.delay]
	name := fmt.Sprintf("seed %d, controller %s, budget %v, delay %v", seed, c.Name, budget, delay)
	if c.Name == ControllerTrue {
		l = e.truth
	}
	loop := ClosedLoop{
		Mesh:     withBudget(e.Rules, budget),
		Emulator: emulator.Options{Graph: s.graph, Seed: seed, SettleSeconds: e.Graph.SettleSeconds},
		Params:   c.params, Initial: e.initial(l, of.budget),
		Start: epoch, From: s.from(), Intervals: s.intervals(), Scrape: e.Graph.Scrape, Quantile: emulatorQuantile, Phase: s.phaseAt,
		Announced: delay != DelayDaemon, Late: max(0, int(delay)),
	}
	if c.step > replayStep {
		loop.Mesh.Guard.MaxStep = c.step
	}
	if of.daemon {
		r, err := e.throughDaemon(ctx, l, s, loop, of)
		if err != nil {
			return r, fmt.Errorf("%s, through the daemon: %w", name, err)
		}
		return r, nil
	}
	if c.Name == ControllerTrue {
		loop.Policy, err = e.truthful(ctx, l, s)
	} else {
		loop.Policy, err = e.configured(ctx, l, c.settings)
	}
	if err != nil {
		return result{}, err
	}
	trace, err := loop.Run(ctx)
	if err == nil {
		err = trace.failure()
	}
	if err != nil {
		return result{}, fmt.Errorf("%s: %w", name, err)
	}
	return result{phases: e.measures(s, trace, 0)}, nil
}

// failure says where the policy did not decide.
func (t *Trace) failure() error {
	for _, in := range t.Intervals {
		if in.Failed {
			return fmt.Errorf("at %v seconds: %s", in.Seconds, in.Reason)
		}
	}
	return nil
}

// withBudget is a mesh whose every objective has the budget.
func withBudget(m *rules.Mesh, budget float64) *rules.Mesh {
	out := *m
	out.Services = append(out.Services[:0:0], m.Services...)
	for i := range out.Services {
		s := &out.Services[i]
		s.Objectives = append(s.Objectives[:0:0], s.Objectives...)
		for k := range s.Objectives {
			s.Objectives[k].Target = 1 - budget
		}
	}
	return &out
}

// measures sums up a trace, by phase. Changes are made age after the measured interval begins.
func (e *emulation) measures(s scenario, t *Trace, age time.Duration) []phaseMeasures {
	// A rate over the look-back leaves out the scrape interval that it begins with.
	mixed := age.Seconds()+e.Graph.SettleSeconds > e.Graph.Scrape.Seconds()
	var out []phaseMeasures
	at, flagged := 0, false
	for _, p := range s.phases {
		y := newPhaseTally(e, s, len(e.services))
		for range p.intervals {
			y.add(&t.Intervals[at], flagged)
			y.wait(t.Intervals[at:], mixed)
			flagged = t.Intervals[at].Infeasible
			at++
		}
		out = append(out, y.sum())
	}
	return out
}

// phaseTally adds up the intervals of a phase. Slices are by service.
type phaseTally struct {
	e        *emulation
	scenario scenario
	rates    []float64
	offered  []float64
	admitted []float64

	intervals int
	broken    [][]bool // of the intervals that could be judged
	early     [][]bool
	late      [][]bool
	flags     int
	flagBroke float64
	counted   int
	held      int
	edited    int
	changes   int // that something came of
	waited    int // intervals, for what came of them
	requests  int
	answered  int
	sums      phaseMeasures
}

func newPhaseTally(e *emulation, s scenario, n int) *phaseTally {
	return &phaseTally{
		e: e, scenario: s, rates: make([]float64, len(s.graph.Services)), offered: make([]float64, n), admitted: make([]float64, n),
		broken: make([][]bool, n), early: make([][]bool, n), late: make([][]bool, n),
	}
}

// add counts an interval; flagged says that its action was a fallback.
func (y *phaseTally) add(in *Interval, flagged bool) {
	y.scenario.rates(in.Seconds, y.rates)
	for i, at := range y.e.wiring.services {
		y.offered[i] = y.rates[at]
		y.sums.offered += y.e.services[i].Value * y.rates[at]
	}
	cost := train.Admitted(y.admitted, y.e.knobs, y.e.names, in.Live)
	y.sums.carried += y.e.goal.Value(y.offered, y.admitted, cost)
	for _, c := range in.Changes {
		d := c.To - c.From
		if c.Kind == policy.Weight {
			d /= 2 // what one weight loses, the other wins
		}
		y.sums.change += max(d, -d)
	}
	for i, s := range in.Services {
		y.requests += s.Totals.Offered - s.Totals.Retries
		y.answered += s.Totals.Carried
		worst, known := 0., false
		for _, m := range s.Errors {
			if m.Known {
				worst, known = max(worst, m.Error), true
			}
		}
		if !known {
			continue
		}
		b := worst > 0
		y.broken[i] = append(y.broken[i], b)
		if y.intervals < emulatorFirst {
			y.early[i] = append(y.early[i], b)
		} else {
			y.late[i] = append(y.late[i], b)
		}
		if flagged && b {
			y.flagBroke += 1 / float64(len(in.Services))
		}
	}
	for n, is := range map[*int]bool{&y.flags: flagged, &y.counted: in.Counted, &y.held: in.Refused != "", &y.edited: len(in.Edits) > 0} {
		if is {
			*n++
		}
	}
	y.intervals++
}

// wait counts how many intervals pass from a change at the start of the first one until
// one moves the debts; mixed says that the first one is measured in part before the change.
func (y *phaseTally) wait(from []Interval, mixed bool) {
	if len(from[0].Changes) == 0 {
		return
	}
	for i, in := range from {
		if in.Counted && (!mixed || i > 0) {
			y.changes++
			y.waited += i + 1
			return
		}
	}
}

func (y *phaseTally) sum() phaseMeasures {
	n := float64(y.intervals)
	out := y.sums
	out.carried, out.offered, out.change = out.carried/n, out.offered/n, out.change/n
	out.flagged, out.broken = float64(y.flags)/n, ratio(y.flagBroke, y.flags)
	out.counted, out.held, out.edited = float64(y.counted)/n, float64(y.held)/n, float64(y.edited)/n
	out.cycles = math.NaN()
	if y.changes > 0 {
		out.cycles = ratio(float64(y.waited), y.changes)
	}
	out.answered = ratio(float64(y.answered), y.requests)
	for i := range y.broken {
		out.violated = append(out.violated, shareOf(y.broken[i]))
		out.first = append(out.first, shareOf(y.early[i]))
		out.rest = append(out.rest, shareOf(y.late[i]))
		worst := math.NaN()
		if len(y.broken[i]) > 0 {
			worst = worstWindow(y.broken[i])
		}
		out.worst = append(out.worst, worst)
	}
	return out
}
