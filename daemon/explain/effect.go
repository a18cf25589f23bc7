package explain

import (
	"fmt"
	"math"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// loadMoved is the share by which the offered load of a service may differ between the two
// intervals before a difference of the signals can be the load's as well as the change's.
const loadMoved = .1

// Effect is an objective's signal before and after a change, in the signal's unit.
//
// Before is of the interval that the decision was made from, After of the one behind the
// change. What differs between them is laid to the change only if nothing else is known to
// have changed: the settings were seen in force and requests followed them, the interval was
// a whole one, both values are valid, and no service's offered load moved by more than a tenth.
// Otherwise NotIdentifiable says what else it may have been. Services share what they run
// on, so that one whose load moves makes the effect on all of them unclear. It is one interval
// on each side: a difference is what was measured, and no proof.
type Effect struct {
	Service         string   `json:"service"`
	Signal          string   `json:"signal"`
	Before          *float64 `json:"before"`   // null: not valid
	After           *float64 `json:"after"`    // null: not valid
	Expected        *float64 `json:"expected"` // of the change, at the load before; null: nothing was, or outside the model's data
	Without         *float64 `json:"without"`  // of the settings before, likewise
	NotIdentifiable string   `json:"not_identifiable,omitempty"`
}

// effects are those of a cycle that changed something and has an outcome; else there are none.
func (e *Explanation) effects() []Effect {
	if !e.Intent.Act || len(e.Intent.Plan) == 0 || e.Outcome == nil {
		return nil
	}
	confounded := e.confounded()
	var out []Effect
	for _, s := range e.Intent.Services {
		for _, o := range s.Objectives {
			x := Effect{Service: s.Name, Signal: o.Signal, NotIdentifiable: confounded}
			before, after := e.Intent.State.Find(s.Name, o.Signal), e.Outcome.State.Find(s.Name, o.Signal)
			x.Before, x.After = valid(before), valid(after)
			switch {
			case x.NotIdentifiable != "":
			case x.Before == nil:
				x.NotIdentifiable = "before it, the signal was " + before.Status.String()
			case x.After == nil:
				x.NotIdentifiable = "after it, the signal was " + after.Status.String()
			}
			if d := e.Intent.Decision; d != nil && e.asDecided() {
				x.Expected, x.Without = predicted(d.Expected, s.Name, o.Signal), predicted(d.ExpectedLive, s.Name, o.Signal)
			}
			out = append(out, x)
		}
	}
	return out
}

// asDecided reports whether what was applied is what the policy's prediction is of.
func (e *Explanation) asDecided() bool {
	return len(e.Intent.Edits) == 0 && e.Intent.Approval == nil && e.Intent.Revert == nil
}

// confounded says what else than the change may have moved the signals of all services;
// empty: nothing that is known.
func (e *Explanation) confounded() string {
	o := e.Outcome
	switch {
	case o.Result != journal.ResultConverged:
		return "the settings were not seen in force"
	case o.Verified != nil && len(o.Verified.Away) > 0:
		return "the requests did not follow the settings yet" // what is not judged yet may well follow
	case o.Partial:
		return "what was measured behind it is not of a whole interval"
	}
	for _, s := range e.Intent.Services {
		before, known := e.Intent.State.Role(s.Name, policy.RoleOffered).Get()
		after, knownAfter := o.State.Role(s.Name, policy.RoleOffered).Get()
		if !known || !knownAfter {
			return "the offered load of " + s.Name + " is not known"
		}
		if moved := math.Abs(after - before); moved > loadMoved*math.Max(before, after) {
			return fmt.Sprintf("the offered load of %s moved, too, from %.4g to %.4g requests/s", s.Name, before, after)
		}
	}
	return ""
}

func valid(s policy.Signal) *float64 {
	if v, ok := s.Get(); ok {
		return &v
	}
	return nil
}

func predicted(all []policy.Prediction, service, signal string) *float64 {
	for _, x := range all {
		if x.Service == service && x.Signal == signal && x.Supported {
			return &x.Value
		}
	}
	return nil
}

// effect says what the change did, if there was one.
func (e *Explanation) effect(p func(string, ...any)) {
	if len(e.Effects) == 0 {
		return
	}
	p("\nwhat the change did")
	if confounded := e.confounded(); confounded != "" {
		p("  not identifiable: %s", confounded)
		return
	}
	for _, x := range e.Effects {
		if x.NotIdentifiable != "" {
			p("  %s of %s: not identifiable: %s", x.Signal, x.Service, x.NotIdentifiable)
			continue
		}
		inUnit := func(v float64) string {
			s := e.Intent.State.Find(x.Service, x.Signal)
			s.Value = v
			return signalText(s)
		}
		line := fmt.Sprintf("%s of %s: %s before, %s after", x.Signal, x.Service, inUnit(*x.Before), inUnit(*x.After))
		switch {
		case x.Expected == nil:
			line += "; nothing was predicted of it"
		case x.Without == nil:
			line += fmt.Sprintf("; predicted were %s", inUnit(*x.Expected))
		default:
			line += fmt.Sprintf("; predicted were %s, and without it %s", inUnit(*x.Expected), inUnit(*x.Without))
		}
		p("  %s", line)
	}
	if n := len(e.Intent.Plan); n > 1 {
		p("  of the %d settings together: what each of them did is not identifiable", n)
	}
}
