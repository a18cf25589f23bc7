package loop

import (
	"fmt"
	"slices"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
)

// verify closes the intent of the cycle before: what is in force now, and what the
// interval in between measured. It moves the control state.
func (l *Loop) verify(at time.Time, state policy.State, live policy.Action, r *Report) *journal.Outcome {
	_, _, whole := l.since()
	measured := l.measure(state, live, r)
	late := l.late
	l.late = nil
	for _, out := range late {
		l.close(at, out, r)
	}
	l.close(at, l.resolve(live), r)
	if l.open != nil && l.open.Act && !l.own && live == nil {
		l.unresolved, l.open = l.open, nil // until what is in force can be read
	}
	if l.open == nil {
		return nil
	}
	out := &journal.Outcome{Cycle: l.open.Cycle, Live: live, State: state, Errors: l.errors(measured), Partial: !whole || l.woken != "" || l.settling(state), Verified: r.Verified}
	out.Result = result(l.open, live, l.own, l.applied)
	if l.applied != nil {
		out.Error = l.applied.Error()
	}
	l.open = nil
	l.close(at, out, r)
	return out
}

// measure has the interval that ends counted; with a cycle that was woken none does.
func (l *Loop) measure(state policy.State, live policy.Action, r *Report) []margin.Measured {
	if l.woken != "" {
		l.interrupt()
		return nil
	}
	choice := l.origin(state, live).Choice()
	l.interrupted = nil
	control, measured := l.control.Measure(l.params, l.services, state, choice)
	l.control = control
	l.charge(measured, choice)
	r.Flagged = choice.Flagged && slices.ContainsFunc(measured, func(m margin.Measured) bool { return m.Known })
	return measured
}

// close records an outcome, if there is one. One that cannot be recorded is kept for the
// next cycle, and those after it with it: they stay in order. It is not durable: the next intent that acts takes it to the disk, and an
// intent without an outcome is resolved from what is in force.
func (l *Loop) close(at time.Time, out *journal.Outcome, r *Report) {
	if out == nil {
		return
	}
	if len(l.late) > 0 {
		l.late = append(l.late, out)
		return
	}
	if _, err := l.o.Journal.Append(at, l.o.Mesh.Name, journal.KindOutcome, out, false); err != nil {
		r.fail(fmt.Errorf("record the outcome of cycle %d: %w", out.Cycle, err))
		l.late = append(l.late, out)
	}
}

// origin says how the settings in force over the interval came about.
func (l *Loop) origin(state policy.State, live policy.Action) margin.Origin {
	i, own, whole := l.since()
	if i == nil || !whole || l.settling(state) {
		return margin.Origin{}
	}
	return margin.Origin{
		// A plan that a person approved is a choice of minutes ago, under the margins and the
		// load of then, and one that waits is none yet: at approve all is budget spent, not debt.
		Own: own && i.PolicyRole == journal.RoleActive && l.o.Active != nil && i.Policy == l.o.Active.Name && !i.Reverts(), Act: i.Authority == string(rules.AuthorityAct), Decision: i.Decision,
		Held: i.Hold != "" || guard.Suspends(i.Limits), Edits: len(i.Edits), Converged: live != nil && live.Equal(i.Guarded, policy.Rounding) && !l.away(),
	}
}

// residuals says whether what was measured over an interval is of the settings in
// force: if they are others than were in force then, the measurement says nothing of
// the prediction for them. Without an intent, nothing is known to have changed.
func (l *Loop) residuals(state policy.State, live policy.Action) margin.Residuals {
	i, _, whole := l.since()
	if l.woken != "" || !whole || l.away() || l.settling(state) {
		return margin.Unsteady
	}
	if i != nil && live != nil && !live.Equal(i.Guarded, policy.Rounding) && (i.Act || !live.Equal(i.Live, policy.Rounding)) {
		return margin.Unsteady
	}
	return margin.Pending
}

// result says what became of an intent, by the settings in force. own says that it was
// made by this process, and applied why its actuator failed.
func result(i *journal.Intent, live policy.Action, own bool, applied error) string {
	switch {
	case !i.Act:
		return journal.ResultNotApplied
	case live == nil:
		return journal.ResultUnknown // also after an error: its answer may be what was lost
	case live.Equal(i.Guarded, policy.Rounding):
		return journal.ResultConverged // also when the answer to the write was lost
	case applied != nil:
		return journal.ResultFailed
	case !own && live.Equal(i.Live, policy.Rounding):
		return journal.ResultNotApplied // the daemon ended before it wrote, or it was undone since
	case !own && between(i, live):
		return journal.ResultFailed // the daemon ended while it wrote
	default:
		return journal.ResultDrifted
	}
}

// between reports whether each setting in force is that of before the intent or that of after.
func between(i *journal.Intent, live policy.Action) bool {
	if !sameKnobs(i.Live, live) || !sameKnobs(i.Guarded, live) {
		return false
	}
	for k, s := range live {
		if !near(s.Value, i.Live[k].Value) && !near(s.Value, i.Guarded[k].Value) {
			return false
		}
	}
	return true
}

// errors turns what was measured into the journal's form, with what was expected of
// the open intent's action.
func (l *Loop) errors(measured []margin.Measured) []journal.ObjectiveError {
	var out []journal.ObjectiveError
	for _, m := range measured {
		e := journal.ObjectiveError{Service: m.Service, Signal: m.Signal, Error: m.Error, Known: m.Known, Counted: m.Counted}
		if d := l.open.Decision; d != nil {
			for _, p := range d.Expected {
				if p.Service == m.Service && p.Signal == m.Signal {
					e.Expected = p.Value
				}
			}
		}
		out = append(out, e)
	}
	return out
}
