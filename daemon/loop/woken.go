package loop

import (
	"context"
	"slices"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// Why a cycle came before its time.
const (
	WokenByAlert    = "alert"
	WokenByApproval = "approval"
)

// HoldNothingNew is why a cycle that was woken changes nothing when all signals are those
// that the cycle before has decided on.
const HoldNothingNew = "nothing_new"

// interval is what began at the last cycle that was had at its time, once another came in
// between.
type interval struct {
	intent  *journal.Intent // of that cycle; nil: it has none
	own     bool            // this process made it
	changed bool            // settings may have been changed since
}

// Woken runs a cycle between two that are due; why is one of the constants. It decides on
// what is new since the last one at its time, and acts as any other. But no interval ends with it: it
// measures nothing, learns nothing, and what it saw is as new as before to the next one at its
// time. That one counts the interval as if it had not been interrupted, unless settings were
// changed meanwhile: then the interval is of no setting, its errors are budget spent, and
// neither debt nor model moves.
func (l *Loop) Woken(ctx context.Context, at time.Time, why string) Report {
	l.woken = why
	defer func() { l.woken = "" }()
	return l.Cycle(ctx, at)
}

// renew marks what is not new. idle says of a cycle that was woken that nothing is, though
// there is something.
func (l *Loop) renew(state policy.State) (_ policy.State, idle bool) {
	if l.woken == "" {
		return l.seen.Renew(state), false
	}
	valid := func(s policy.Signal) bool { return s.Status == policy.Valid }
	some := slices.ContainsFunc(state, valid)
	state = l.seen.Mark(state)
	return state, some && !slices.ContainsFunc(state, valid)
}

// since is the intent of the interval that ends, whether this process made it, and whether
// the settings were the same over all of it as far as windvane changes them.
func (l *Loop) since() (i *journal.Intent, own, whole bool) {
	if l.interrupted == nil {
		return l.open, l.own, l.open == nil || l.open.Woken == "" // an earlier process may have left one that was
	}
	return l.interrupted.intent, l.interrupted.own, !l.interrupted.changed && (l.open == nil || !l.open.Act)
}

// interrupt remembers, in a cycle that was woken, how the interval began.
func (l *Loop) interrupt() {
	i, own, whole := l.since()
	l.interrupted = &interval{intent: i, own: own, changed: !whole}
}

// aside says what the cycle knows beside its signals. Nothing of the decision depends on it.
func (l *Loop) aside(i *journal.Intent) {
	i.Woken = l.woken
	if l.o.Alerts != nil {
		list, more := l.o.Alerts()
		if i.AlertsOmitted = more; len(list) > 0 { // none are written as nothing, and read back as that
			i.Alerts = list
		}
	}
}
