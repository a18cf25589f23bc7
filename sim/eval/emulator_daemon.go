package eval

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/train"
)

// DaemonRun is a run of a closed loop that a daemon is to control.
type DaemonRun struct {
	Loop     ClosedLoop    // without a policy
	Age      time.Duration // of the newest samples at a cycle: it comes so long after the end of its interval
	Policy   string        // tabular or search
	Settings string        // of the policy, JSON; may be empty
	Card     train.Card
	Artefact []byte
	Model    []byte
}

// DaemonTrace is what came of a DaemonRun: Loop's trace, and what windvane itself says
// of the whole of it. An interval is the one that was measured: its Live and Changes began
// Age later. The first interval ends with the daemon's first cycle, and is not
// among what windvane counts.
type DaemonTrace struct {
	Trace
	Objectives []ObjectiveAccount
}

// ObjectiveAccount is what windvane counted of one objective.
type ObjectiveAccount struct {
	Service, Signal string
	Intervals       float64 // measured, in the account of error budgets
	Bad             float64 // sum of their errors
	Flagged         int     // measured intervals with nothing feasible, in the status
	FlaggedBad      float64 // sum of their errors
}

// audit is what of windvane's own account is not as the emulator has it.
type audit struct {
	judged    int     // objectives in intervals whose verdict is another one than by the emulator's own counters
	account   float64 // difference of intervals and of bad intervals, added up over the objectives
	flagged   float64 // likewise, of flagged ones
	intervals int     // objectives in intervals that were compared
}

func (e *emulation) throughDaemon(ctx context.Context, l learnt, s scenario, loop ClosedLoop, of trial) (result, error) {
	r := DaemonRun{Loop: loop, Age: of.age, Policy: e.policy, Settings: e.settings(e.controllers[of.controller].settings), Card: l.card, Artefact: l.artefact, Model: l.model}
	r.Card.Services = append([]train.ServiceCard(nil), l.card.Services...)
	for i := range r.Card.Services {
		c := &r.Card.Services[i]
		first := loop.Initial(c.Service, c.Signal)
		c.Margin, c.Price = first.Margin, first.Price
	}
	t, err := e.Daemon(ctx, r)
	if err != nil {
		return result{}, err
	}
	if err := t.failure(); err != nil {
		return result{}, err
	}
	if len(t.Intervals) != loop.Intervals {
		return result{}, fmt.Errorf("%d intervals came back; want %d", len(t.Intervals), loop.Intervals)
	}
	a, err := e.check(t, loop.Emulator, of.age)
	return result{phases: e.measures(s, &t.Trace, of.age), audit: a}, err
}

// check holds what windvane measured and counted against the emulator: the same requests
// under the settings that were in force, read from its own counters.
func (e *emulation) check(t *DaemonTrace, o emulator.Options, age time.Duration) (*audit, error) {
	em, err := emulator.New(o)
	if err != nil {
		return nil, err
	}
	meter, err := NewMeter(em, e.Rules.Interval, e.Graph.Scrape, emulatorQuantile)
	if err != nil {
		return nil, err
	}
	meter.Skip(t.Intervals[0].Seconds - e.Rules.Interval.Seconds())
	a, counts := &audit{}, map[[2]string]ObjectiveAccount{} // by service and signal
	readings := make([]Reading, len(meter.Services()))
	for n, in := range t.Intervals {
		if len(in.Changes) > 0 {
			if err := em.Apply(meter.Now()+age.Seconds(), e.wiring.settings(em.Settings(), in.Live)); err != nil {
				return nil, err
			}
		}
		meter.Advance(readings)
		if n == 0 {
			continue
		}
		for i, s := range e.services {
			for k, objective := range s.Objectives {
				said := in.Services[i].Errors[k]
				bad, known := verdict(objective, readings[e.wiring.services[i]])
				if a.intervals++; known != said.Known || bad != said.Error {
					a.judged++
				}
				if known {
					at := [2]string{said.Service, said.Signal}
					c := counts[at]
					c.Intervals, c.Bad = c.Intervals+1, c.Bad+bad
					if in.Counted && t.Intervals[n-1].Infeasible {
						c.Flagged, c.FlaggedBad = c.Flagged+1, c.FlaggedBad+bad
					}
					counts[at] = c
				}
			}
		}
	}
	for _, o := range t.Objectives {
		is := counts[[2]string{o.Service, o.Signal}]
		a.account += math.Abs(o.Intervals-is.Intervals) + math.Abs(o.Bad-is.Bad)
		a.flagged += math.Abs(float64(o.Flagged-is.Flagged)) + math.Abs(o.FlaggedBad-is.FlaggedBad)
	}
	return a, nil
}

// verdict is the error of an interval, and whether its reading can say so.
func verdict(o policy.Objective, r Reading) (float64, bool) {
	if math.IsNaN(r.Latency) {
		return 0, false
	}
	return margin.Error(o, policy.Signal{Value: r.Latency, Status: policy.Valid})
}
