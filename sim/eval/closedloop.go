package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/emulator"
)

// ClosedLoop is a policy that controls an emulated mesh, without a network and
// without a clock: the daemon's cycle with the daemon's arithmetic - signals as the
// recording rules give them, the control state of rules/margin, the limits of
// rules/guard, weights in whole percents. The same fields give the same Trace.
//
// The look-back of the signals is the mesh's interval. A decision is in force after
// the emulator's settling time, so with a shorter settling time than the scrape
// interval its effect is measured in the very next interval.
//
// That is the daemon's delay: a decision knows the outcome of the interval that has
// just ended, and plans for its load, which is one interval old. With Announced, a
// decision knows what Replay lets it know: the load of the interval that is to come,
// which no daemon knows, and the outcomes of all intervals but the last Late ones.
type ClosedLoop struct {
	Mesh     *rules.Mesh
	Emulator emulator.Options
	Policy   policy.Policy // configured
	Fallback policy.Policy // decides where Policy fails; nil: the live action is held

	Params  margin.Params  // of the control state
	Control margin.Control // to start with; objectives that it lacks start from Initial
	Initial func(service, signal string) margin.Calibration

	Start     time.Time     // time 0 of the emulator
	From      time.Duration // the loop starts here; before, the initial settings are in force
	Intervals int
	Scrape    time.Duration                // 0: one second
	Quantile  float64                      // of the latency signal; 0: .95
	Phase     func(seconds float64) string // of the interval that ends then; nil: all is one phase
	Arrivals  bool                         // the offered load is counted as requests arrive, as Envoy's own statistics have it; Istio's are of those that were answered

	Announced bool
	Late      int // intervals; with Announced only
}

// Interval is one interval of a Trace: what was in force and what was measured.
type Interval struct {
	Seconds  float64 // its end, since time 0
	Phase    string
	Live     policy.Action   // in force during the interval
	Changes  []policy.Change // made at its start
	Counted  bool            // Live was the policy's own choice under the margins: the interval moved the debt
	State    policy.State    // that was measured, as a policy is told; nil in a DaemonTrace
	Services []ServiceInterval

	// What was decided at its end.
	Infeasible bool
	Failed     bool // the policy gave an error: the fallback decided, or nobody
	Edits      []guard.Edit
	Refused    guard.Reason
	Reason     string
}

// ServiceInterval is what one interval was for one service.
type ServiceInterval struct {
	Service string
	Reading
	Errors []margin.Measured // by objective; an error that is not Known is no success
	Margin []float64         // by objective, after the interval
	Totals emulator.Totals   // requests, counted one by one
}

// Trace is a run of a closed loop.
type Trace struct {
	Intervals []Interval
	Control   margin.Control // at the end
}

// Run runs the loop. It is an error if the mesh and the emulator do not fit, or
// ctx ends.
func (c ClosedLoop) Run(ctx context.Context) (*Trace, error) {
	l, err := c.begin()
	if err != nil {
		return nil, fmt.Errorf("closed loop: %w", err)
	}
	out := &Trace{Intervals: make([]Interval, 0, c.Intervals)}
	for range c.Intervals {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("closed loop: %w", err)
		}
		in, err := l.step(ctx)
		if err != nil {
			return nil, fmt.Errorf("closed loop: at %v seconds: %w", l.meter.Now(), err)
		}
		out.Intervals = append(out.Intervals, in)
	}
	out.Control = l.control
	return out, nil
}

// loop is a closed loop that runs.
type loop struct {
	ClosedLoop
	emulator *emulator.Emulator
	meter    *Meter
	wiring   wiring
	knobs    []policy.Knob
	services []policy.Service
	control  margin.Control
	live     policy.Action
	changes  []policy.Change // made by the last decision
	choice   margin.Choice   // how live came about
	pace     guard.Pace
	made     guard.History // changes that count for it
	readings []Reading
	totals   []emulator.Totals // of the newest interval, by service of the emulator

	// With Announced.
	waiting  []outcome           // of the intervals that are not known yet, the oldest first
	known    policy.State        // of the newest interval that is
	expected []policy.Prediction // of the live action, made when it was chosen; nil: nothing to learn from
}

func (c ClosedLoop) begin() (*loop, error) {
	switch {
	case c.Mesh == nil || c.Policy == nil:
		return nil, errors.New("it needs a mesh and a policy")
	case c.From%c.Mesh.Interval != 0 || c.From < 0:
		return nil, fmt.Errorf("starts at %v; want a multiple of the interval of %v", c.From, c.Mesh.Interval)
	case c.Late < 0 || c.Late > 0 && !c.Announced:
		return nil, fmt.Errorf("outcomes are known %d intervals late; want 0 or more, and the load announced", c.Late)
	}
	if c.Announced {
		c.Params.Delay = c.Late
	}
	if c.Scrape == 0 {
		c.Scrape = time.Second
	}
	if c.Quantile == 0 {
		c.Quantile = .95
	}
	if c.Initial == nil {
		c.Initial = func(string, string) margin.Calibration { return margin.Calibration{} }
	}
	l := &loop{ClosedLoop: c, knobs: c.Mesh.Knobs(), services: c.Mesh.PolicyServices(), pace: paceOf(c.Mesh)}
	l.control = c.Control.Adopt(c.Params, l.services, c.Initial)
	var err error
	if l.wiring, err = wire(c.Emulator.Graph, l.knobs, l.services); err != nil {
		return nil, err
	}
	if l.emulator, err = emulator.New(c.Emulator); err != nil {
		return nil, err
	}
	if l.meter, err = NewMeter(l.emulator, c.Mesh.Interval, c.Scrape, c.Quantile); err != nil {
		return nil, err
	}
	l.readings = make([]Reading, len(l.meter.Services()))
	l.live = l.wiring.action(l.emulator.Settings())
	l.meter.Skip(c.From.Seconds())
	l.emulator.Take()
	return l, nil
}

// step lets one interval pass and decides what shall be in force in the next.
func (l *loop) step(ctx context.Context) (Interval, error) {
	l.meter.Advance(l.readings)
	l.totals = l.emulator.Take()
	if l.Arrivals {
		for i, t := range l.totals {
			l.readings[i].Offered = float64(t.Offered) / l.Mesh.Interval.Seconds()
		}
	}
	in := Interval{Seconds: l.meter.Now(), Live: l.live, Changes: l.changes, Counted: l.choice.Counted}
	if l.Phase != nil {
		in.Phase = l.Phase(in.Seconds)
	}
	at := l.Start.Add(time.Duration(math.Round(in.Seconds * float64(time.Second))))
	o := policy.Observation{
		Mesh: l.Mesh.Name, At: at, State: l.state(at), Live: l.live.Clone(), Knobs: l.knobs, Limits: l.Mesh.Limits(), Services: l.services,
	}
	in.State = o.State
	frozen, _ := l.pace.Frozen(at, l.made)
	o.Limits.Frozen = string(frozen)
	var measured []margin.Measured
	if l.Announced {
		measured = l.learn(o)
		o.State, o.Services = l.announce(), l.control.Hand(l.Params, l.services, margin.Compared)
	} else {
		l.control, measured = l.control.Measure(l.Params, l.services, o.State, l.choice)
		o.Services = l.control.Hand(l.Params, l.services, margin.Pending)
	}
	l.record(&in, measured)

	want, own := l.decide(ctx, o, &in)
	checked := guard.Check(o, want)
	in.Edits, in.Refused = checked.Edits, checked.Refused
	l.choice = margin.Origin{
		Own: own != nil, Act: true, Decision: own, Held: checked.Refused != "", Edits: len(checked.Edits), Converged: true,
	}.Choice()
	if l.expected = nil; l.choice.Counted {
		l.expected = own.Expected
	}
	err := l.apply(checked.Action)
	l.made = l.pace.After(l.made, at, l.changes)
	return in, err
}

// paceOf is the pace of a simulated run: the cooldown that a rules file gives. One that is
// derived is of the daemon's delay, of which a run has its own; freezes and the change
// budget are for the mesh that people work on.
func paceOf(m *rules.Mesh) guard.Pace {
	if !m.Guard.CooldownGiven {
		return guard.Pace{}
	}
	return guard.Pace{Cooldown: m.Guard.Cooldown}
}

// decide asks the policy, and the fallback where it fails. Own is the policy's decision,
// nil where it failed.
func (l *loop) decide(ctx context.Context, o policy.Observation, in *Interval) (want policy.Action, own *policy.Decision) {
	d, err := l.Policy.Decide(ctx, o)
	if err == nil {
		if !l.Announced {
			l.control = l.control.Compare(l.Params, &o, d.ExpectedLive)
		}
		in.Infeasible, in.Reason = d.Infeasible, d.Reason
		if d.Abstain {
			return o.Live, &d
		}
		return d.Action, &d
	}
	in.Failed, in.Reason = true, err.Error()
	if l.Fallback != nil {
		if d, err := l.Fallback.Decide(ctx, o); err == nil && !d.Abstain {
			return d.Action, nil
		}
	}
	return o.Live, nil
}

func (l *loop) apply(action policy.Action) error {
	action = policy.Quantise(action)
	l.changes = policy.Diff(l.live, action, 1e-9)
	l.live = action
	if len(l.changes) == 0 {
		return nil
	}
	return l.emulator.Apply(l.meter.Now(), l.wiring.settings(l.emulator.Settings(), action))
}

// record fills in what the interval was for each service, in the order of the services.
func (l *loop) record(in *Interval, measured []margin.Measured) {
	totals := l.totals
	k := 0
	for i, s := range l.services {
		at := l.wiring.services[i]
		r := ServiceInterval{Service: s.Name, Reading: l.readings[at], Totals: totals[at]}
		for range s.Objectives {
			r.Errors = append(r.Errors, measured[k])
			r.Margin = append(r.Margin, l.control[k].Margin)
			k++
		}
		in.Services = append(in.Services, r)
	}
}

// state makes the signals that the mesh declares from the readings.
func (l *loop) state(at time.Time) policy.State {
	var out policy.State
	for i, s := range l.services {
		r := l.readings[l.wiring.services[i]]
		for _, q := range l.wiring.queries(l.Mesh, s.Name) {
			v := math.NaN()
			switch q.Role {
			case policy.RoleOffered:
				v = r.Offered
			case policy.RoleCarried:
				v = r.Carried
			case policy.RoleLatency:
				v = r.Latency
			case policy.RoleRatio, policy.RoleContext: // the emulator has none: absent
			}
			signal := policy.Signal{Name: q.Name, Service: s.Name, Role: q.Role}
			if !math.IsNaN(v) {
				signal.Value, signal.At, signal.Status = v, at, policy.Valid
			}
			out = append(out, signal)
		}
	}
	out.Sort()
	return out
}
