package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/train"
)

// Controller is a way to keep error budgets that Replay compares.
type Controller struct {
	Name     string
	About    string
	params   margin.Params
	settings string  // of the tabular policy
	priced   bool    // by which it prices violations
	step     float64 // as replayStep
	frozen   bool    // the first margin stays
	planned  bool    // the action with the greatest reward on the model's mean, whatever was measured
}

// Controllers lists what Replay knows, the default ones first.
func Controllers() []Controller {
	plain := margin.Defaults()
	plain.Lag, plain.Forget = 0, 0
	constant := plain
	constant.Step = .01
	lag, correction, full := plain, plain, margin.Defaults()
	lag.Lag, correction.Forget = full.Lag, full.Forget
	const priced = `{"objectives": "price"}`
	all := []Controller{
		{Name: ControllerOptimum, About: "the published optimum: the greatest reward on the model's mean", params: plain, planned: true},
		{Name: "fixed", About: "the margin of calibration, never moved", params: plain, frozen: true},
		{Name: ControllerIntegrator, About: "a margin that moves by a constant step", params: constant},
		{Name: ControllerFull, About: "the daemon's default: a step that follows the residuals, the last residual and the correction where they have skill", params: full},
		{Name: ControllerPrice, About: "a price for violations in place of the margin, and the last residual", params: lag, settings: priced, priced: true},
		{Name: ControllerFree, About: "the default without a limit on steps and without hysteresis", params: full, settings: `{"hysteresis": 0}`, step: 1},
		// What the parts are worth.
		{Name: "margin", About: "the default without last residual and correction", params: plain},
		{Name: "margin+lag", About: "the default without correction", params: lag},
		{Name: "margin+correction", About: "the default without last residual", params: correction},
		{Name: "price+correction", About: "price, with the correction", params: full, settings: priced, priced: true},
		{Name: "auto", About: "the default, and the price in its place while the expected risks come true", params: full, settings: `{"objectives": "auto"}`, priced: true},
	}
	for i := range all {
		if all[i].step == 0 {
			all[i].step = replayStep
		}
	}
	return all
}

// The names of the controllers that bars are about.
const (
	ControllerOptimum    = "optimum"
	ControllerIntegrator = "integrator"
	ControllerFull       = "full"
	ControllerPrice      = "price"
	ControllerFree       = "unsmoothed"
)

// defaultControllers are so many of the first.
const defaultControllers = 6

// replayStep is the largest change of a weight, and of blocking downwards, in one
// interval: a level.
const replayStep = .2

// replayed is what a controller is run on: a truth, and what was learned of the mesh
// under one budget.
type replayed struct {
	controller Controller
	policy     policy.Policy // configured; nil for a plan
	plan       []int         // of the model's grid, by interval
	initial    func(service, signal string) margin.Calibration
	services   []policy.Service
	truth      *train.Choices
	index      map[string]int // action of the truth's grid
	goal       *train.Goal
	delay      int
}

// outcome is what one interval will say when it is known.
type outcome struct {
	observation policy.Observation // of the interval: its load, its live action, its latencies
	expected    []policy.Prediction
	choice      margin.Choice
}

// measures are the figures of one run.
type measures struct {
	violated []float64 // by service: share of intervals
	early    []float64 // the same of the first intervals
	worst    []float64 // by service: in the worst window
	carried  float64   // value of the nominal carried load, per interval
	offered  float64
	change   float64 // sum over knobs of what they were moved, per interval; a pair of weights is one knob
	flagged  float64 // share of intervals
	broken   float64 // mean over services of the share of flagged intervals that were violated; 0 without any
}

// Lengths in intervals.
const (
	replayIntervals = 2000
	replayEarly     = 200
)

// run replays a series.
func (r *replayed) run(ctx context.Context, run series) (measures, error) {
	params := r.controller.params
	params.Delay = r.delay
	control := margin.Control(nil).Adopt(params, r.services, r.initial)
	o := policy.Observation{
		Mesh: "replay", At: epoch, Live: begin(r.truth.Table.Knobs, r.truth.Grid), Knobs: r.truth.Table.Knobs,
		Limits: policy.Limits{MaxStep: r.controller.step, TotalBlocking: 1},
	}
	m := newMeter(r, len(run.offered))
	m.measure(0, r.index[key(o.Live)], run)
	o.State = m.state(o.At, run.offered[0])
	m.reset()
	var waiting []outcome
	for t, offered := range run.offered {
		if t%64 == 0 && ctx.Err() != nil {
			return measures{}, ctx.Err()
		}
		announceAt(o.State, r.goal, offered)
		next := outcome{}
		if r.plan != nil {
			m.move(o.Live, r.truth.Grid[r.plan[t]])
			o.Live = r.truth.Grid[r.plan[t]]
		} else {
			o.Services = control.Hand(params, r.services, margin.Compared)
			d, err := r.policy.Decide(ctx, o)
			if err != nil {
				return measures{}, fmt.Errorf("interval %d: %w", t, err)
			}
			checked := guard.Check(o, d.Action)
			next.expected = d.Expected
			next.choice = originOf(d, true, checked).Choice()
			m.move(o.Live, checked.Action)
			o.Live = checked.Action
		}
		action, ok := r.index[key(o.Live)]
		if !ok {
			return measures{}, fmt.Errorf("interval %d: an action off the grid: %v", t, o.Live)
		}
		m.measure(t, action, run)
		m.flag(next.choice.Flagged)
		o.At = o.At.Add(5 * time.Second)
		next.observation = o
		next.observation.State = m.state(o.At, offered)
		o.State = slices.Clone(o.State)
		waiting = append(waiting, next)
		if len(waiting) <= r.delay {
			continue
		}
		known := &waiting[0]
		if o.State = slices.Clone(known.observation.State); !r.controller.frozen && r.plan == nil {
			control, _ = control.Measure(params, r.services, known.observation.State, known.choice)
			control = control.Compare(params, &known.observation, known.expected)
		}
		waiting = waiting[1:]
	}
	return m.sum(), nil
}

// announceAt puts the load that is about to be decided on into the state.
func announceAt(state policy.State, goal *train.Goal, offered []float64) {
	for i := range state {
		if state[i].Role == policy.RoleOffered {
			for s := range goal.Services {
				if goal.Services[s].Name == state[i].Service {
					state[i].Value = offered[s]
				}
			}
		}
	}
}

// replayMeter measures a run.
type replayMeter struct {
	*replayed
	latency []float64 // of the interval measured last, with noise
	actual  []float64
	broken  [][]bool // by service and interval
	flags   []bool
	measures
}

func newMeter(r *replayed, intervals int) *replayMeter {
	n := len(r.goal.Services)
	return &replayMeter{
		replayed: r, latency: make([]float64, n), actual: make([]float64, n),
		broken: make([][]bool, n), flags: make([]bool, 0, intervals),
	}
}

// reset forgets what was measured before the run.
func (m *replayMeter) reset() {
	for s := range m.broken {
		m.broken[s] = m.broken[s][:0]
	}
	m.measures = measures{}
}

// measure lets an interval pass under an action of the truth's grid.
func (m *replayMeter) measure(t, action int, run series) {
	table := m.truth.Table
	corners, _ := table.Corners(nil, run.offered[t], len(m.truth.Grid))
	table.Predict(m.latency, corners, action)
	for s := range m.latency {
		m.latency[s] *= 1 + run.noise[t][s]
		m.actual[s] = run.offered[t][s] * m.truth.Admitted[action][s]
		m.broken[s] = append(m.broken[s], m.latency[s] > m.goal.Bound[s])
		m.offered += m.goal.Services[s].Value * run.offered[t][s]
	}
	m.carried += m.goal.Value(run.offered[t], m.truth.Admitted[action], m.truth.Cost[action])
}

func (m *replayMeter) flag(flagged bool) { m.flags = append(m.flags, flagged) }

// move counts a change of the settings.
func (m *replayMeter) move(from, to policy.Action) {
	for i := range from {
		d := math.Abs(to[i].Value - from[i].Value)
		if from[i].Kind == policy.Weight {
			d /= 2 // what one weight loses, the other wins
		}
		m.change += d
	}
}

// state is what was measured, at its time.
func (m *replayMeter) state(at time.Time, offered []float64) policy.State {
	out := make(policy.State, 0, 3*len(offered))
	for s := range m.goal.Services {
		name := m.goal.Services[s].Name
		out = append(out,
			policy.Signal{Name: signalCarried, Service: name, Role: policy.RoleCarried, Value: m.actual[s], At: at, Status: policy.Valid},
			policy.Signal{Name: m.goal.Signals[s], Service: name, Role: policy.RoleLatency, Value: m.latency[s], At: at, Status: policy.Valid},
			policy.Signal{Name: signalOffered, Service: name, Role: policy.RoleOffered, Value: offered[s], At: at, Status: policy.Valid})
	}
	out.Sort()
	return out
}

func (m *replayMeter) sum() measures {
	n := float64(len(m.flags))
	out := measures{carried: m.carried / n, offered: m.offered / n, change: m.change / n}
	flagged := 0
	for t, f := range m.flags {
		if !f {
			continue
		}
		flagged++
		for s := range m.broken {
			if m.broken[s][t] {
				out.broken += 1 / float64(len(m.broken))
			}
		}
	}
	if flagged > 0 {
		out.broken /= float64(flagged)
	}
	out.flagged = float64(flagged) / n
	for _, b := range m.broken {
		out.violated = append(out.violated, shareOf(b))
		out.early = append(out.early, shareOf(b[:min(replayEarly, len(b))]))
		out.worst = append(out.worst, worstWindow(b))
	}
	return out
}

func shareOf(b []bool) float64 {
	n := 0
	for _, v := range b {
		if v {
			n++
		}
	}
	return float64(n) / float64(len(b))
}
