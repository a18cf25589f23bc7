package margin

import (
	"math"
	"slices"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// Entry is the control state of one objective.
type Entry struct {
	Service string    `json:"service"`
	Signal  string    `json:"signal"`
	At      time.Time `json:"at"` // of the newest sample that was counted; zero: none yet
	State
}

// Control is the control state of a mesh: one entry for each objective, in the
// order of the services and their objectives. It is a value: its methods return
// the next one. The host keeps it in its journal, the simulators in memory.
type Control []Entry

// Adopt returns the control state for the given services: the entries of c, so that a
// reload or a change of policy is made without a bump. An entry without a debt, for which
// initial says something else than before, and a new one start from what initial says of
// the objective; what was measured of them stays. What was learned of a model (correction, residuals, price, bias) goes with it: it
// is kept where initial says the same as before.
func (c Control) Adopt(p Params, services []policy.Service, initial func(service, signal string) Calibration) Control {
	var out Control
	for _, s := range services {
		for _, o := range s.Objectives {
			e, _ := c.find(s.Name, o.Signal)
			first := initial(s.Name, o.Signal)
			switch fresh := New(p, first); {
			case !(e.Spread > 0) || e.Counted == 0 && e.First != first:
				fresh.Spent, fresh.Intervals, fresh.Flagged, fresh.FlaggedSpent = e.Spent, e.Intervals, e.Flagged, e.FlaggedSpent
				e = Entry{Service: s.Name, Signal: o.Signal, At: e.At, State: fresh}
			case e.First != first:
				e.First, e.Price, e.Correction, e.Recent, e.Residual = first, first.Price, Correction{}, nil, 0
				e.Bias, e.Forecasts = 0, 0
			}
			out = append(out, e)
		}
	}
	return out
}

func (c Control) find(service, signal string) (Entry, bool) {
	i := slices.IndexFunc(c, func(e Entry) bool { return e.Service == service && e.Signal == signal })
	if i < 0 {
		return Entry{}, false
	}
	return c[i], true
}

// Measured is what one interval said of one objective.
type Measured struct {
	Service string
	Signal  string
	Error   float64 // in [0,1]; meaningless unless Known
	Known   bool    // the signal was valid, and newer than the one before
	Counted bool    // it moved the debt
}

// Choice says how the action that was live in an interval came about.
type Choice struct {
	Counted  bool                // it was the active policy's own, made under the margins, applied and converged
	Flagged  bool                // it was the fallback of a decision with nothing feasible
	Expected []policy.Prediction // what was expected of it
}

// risk is the chance of a violation that was expected; 0: none was said.
func (c Choice) risk(service, signal string) float64 {
	for _, e := range c.Expected {
		if e.Service == service && e.Signal == signal && e.Supported {
			return clip(e.Risk, 0, 1)
		}
	}
	return 0
}

// Measure returns the control state after an interval that ended with the given
// state. An objective whose signal is not valid, or has no newer sample than the last
// time, had no interval.
func (c Control) Measure(p Params, services []policy.Service, state policy.State, live Choice) (Control, []Measured) {
	out, i := slices.Clone(c), 0
	var measured []Measured
	for _, s := range services {
		for _, o := range s.Objectives {
			m := Measured{Service: s.Name, Signal: o.Signal}
			signal := state.Find(s.Name, o.Signal)
			if m.Error, m.Known = Error(o, signal); m.Known && signal.At.After(out[i].At) {
				m.Counted = live.Counted
				out[i].At = signal.At
				out[i].State = out[i].Step(p, Interval{
					Error: m.Error, Budget: o.Budget, Risk: live.risk(s.Name, o.Signal), Count: live.Counted, Flagged: live.Flagged,
				})
			} else {
				m.Known = false
			}
			measured = append(measured, m)
			i++
		}
	}
	return out, measured
}

// Error returns how far an interval broke an objective, in [0,1], and whether the
// signal can say so.
func Error(o policy.Objective, signal policy.Signal) (float64, bool) {
	v, ok := signal.Get()
	switch {
	case !ok || math.IsNaN(v):
		return 0, false
	case o.Kind == policy.RatioObjective:
		return clip(v, 0, 1), true
	case v > o.Bound:
		return 1, true
	}
	return 0, true
}

// Compare returns the control state after the signals of an observation were held
// against what a policy predicted of them for its live action at its load. What lies
// outside the model's support teaches nothing. Where the live action, by the Measure
// before, is a fallback with nothing feasible, the debt that no margin can act upon is
// taken off.
func (c Control) Compare(p Params, o *policy.Observation, live []policy.Prediction) Control {
	out := slices.Clone(c)
	terms := termsOf(o)
	for _, prediction := range live {
		v, ok := o.State.Find(prediction.Service, prediction.Signal).Get()
		if !ok || !prediction.Supported {
			continue
		}
		for i, e := range out {
			if e.Service == prediction.Service && e.Signal == prediction.Signal {
				x := inUnits(terms, e.First.Flow)
				scale := prediction.ErrorScale()
				out[i].State = e.Compare(p, v, prediction.Value, scale, x)
				if bound := boundOf(o, e.Service, e.Signal); e.Saturated && bound > 0 {
					out[i].State = out[i].Relieve(p, Feasible(prediction.Value*math.Exp(out[i].Correction.Log(x)), bound, scale))
				}
			}
		}
	}
	return out
}

// boundOf is a latency objective's, in seconds; 0: it is none.
func boundOf(o *policy.Observation, service, signal string) float64 {
	for _, s := range o.Services {
		for _, obj := range s.Objectives {
			if s.Name == service && obj.Signal == signal {
				return obj.Bound
			}
		}
	}
	return 0
}

// termsOf are the live action's, flows in requests/s; nil where a load is not known.
func termsOf(o *policy.Observation) []float64 {
	offered := make([]float64, len(o.Services))
	for i, s := range o.Services {
		v, ok := o.State.Role(s.Name, policy.RoleOffered).Get()
		if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		offered[i] = v
	}
	if len(o.Live) != len(o.Knobs) {
		return nil
	}
	terms := policy.NewTerms(o.Knobs, o.Services)
	x := make([]float64, terms.Len())
	terms.Fill(x, offered, o.Live)
	return x
}

func inUnits(terms []float64, unit float64) []float64 {
	if terms == nil || !(unit > 0) {
		return nil
	}
	x := slices.Clone(terms)
	for i := range flows(x) {
		flows(x)[i] /= unit
	}
	return x
}

// Residuals says what of the residual of the newest interval a host knows when it asks.
type Residuals int

const (
	// Unsteady means that what was measured is not of the live action: no residual is expected again.
	Unsteady Residuals = iota
	// Pending means that the prediction for it comes with the decision: the policy is
	// handed its share, and takes the residual from that prediction.
	Pending
	// Compared means that the state has it.
	Compared
)

// Hand returns the services with the control state filled in, as a policy sees them.
func (c Control) Hand(p Params, services []policy.Service, newest Residuals) []policy.Service {
	out := slices.Clone(services)
	for i, s := range out {
		out[i].Objectives = slices.Clone(s.Objectives)
		for j, o := range s.Objectives {
			e, ok := c.find(s.Name, o.Signal)
			if !ok {
				continue
			}
			to := &out[i].Objectives[j]
			to.Margin, to.Price, to.Correction = e.Margin, e.Price, e.Correction.Hand(e.First.Flow)
			to.Calibrated = e.Calibrated(p, o.Budget)
			switch newest {
			case Pending:
				to.Lag = e.Lag(p)
			case Compared:
				to.Residual = e.Lag(p) * tame(e.Residual)
			case Unsteady:
			}
		}
	}
	return out
}
