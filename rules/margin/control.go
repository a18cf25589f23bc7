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

// Adopt returns the control state for the given services: the entries of c that
// have a debt, so that a reload or a change of policy is made without a bump. The
// others start from initial, which gives an objective's first margin and spread;
// what was measured of them stays.
func (c Control) Adopt(p Params, services []policy.Service, initial func(service, signal string) (margin, spread float64)) Control {
	var out Control
	for _, s := range services {
		for _, o := range s.Objectives {
			e, _ := c.find(s.Name, o.Signal)
			if e.Counted == 0 || !(e.Spread > 0) {
				fresh := first(p, initial, s.Name, o.Signal)
				fresh.Spent, fresh.Intervals = e.Spent, e.Intervals
				e = Entry{Service: s.Name, Signal: o.Signal, At: e.At, State: fresh}
			}
			out = append(out, e)
		}
	}
	return out
}

func first(p Params, initial func(service, signal string) (margin, spread float64), service, signal string) State {
	margin, spread := initial(service, signal)
	return New(p, margin, spread)
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

// Measure returns the control state after an interval that ended with the given
// state. counted says that the live action was the active policy's own choice, made
// under the margins, applied and converged. An objective whose signal is not valid, or has no newer
// sample than the last time, had no interval.
func (c Control) Measure(p Params, services []policy.Service, state policy.State, counted bool) (Control, []Measured) {
	out, i := slices.Clone(c), 0
	var measured []Measured
	for _, s := range services {
		for _, o := range s.Objectives {
			m := Measured{Service: s.Name, Signal: o.Signal}
			signal := state.Find(s.Name, o.Signal)
			if m.Error, m.Known = Error(o, signal); m.Known && signal.At.After(out[i].At) {
				m.Counted = counted
				out[i].At = signal.At
				out[i].State = out[i].Step(p, Interval{Error: m.Error, Budget: o.Budget, Count: counted})
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

// Compare returns the control state after the signals were held against what a
// policy predicted of them for the live action at the measured load. What lies
// outside the model's support teaches nothing.
func (c Control) Compare(p Params, state policy.State, live []policy.Prediction) Control {
	out := slices.Clone(c)
	for _, prediction := range live {
		v, ok := state.Find(prediction.Service, prediction.Signal).Get()
		if !ok || !prediction.Supported {
			continue
		}
		for i, e := range out {
			if e.Service == prediction.Service && e.Signal == prediction.Signal {
				out[i].State = e.Compare(p, v, prediction.Value)
			}
		}
	}
	return out
}

// Hand returns the services with the control state filled in, as a policy sees them.
func (c Control) Hand(services []policy.Service) []policy.Service {
	out := slices.Clone(services)
	for i, s := range out {
		out[i].Objectives = slices.Clone(s.Objectives)
		for j, o := range s.Objectives {
			if e, ok := c.find(s.Name, o.Signal); ok {
				out[i].Objectives[j].Margin = e.Margin
			}
		}
	}
	return out
}
