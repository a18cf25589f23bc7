package loop

import (
	"context"
	"fmt"
	"time"

	"github.com/windvane/windvane/daemon/approve"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
)

// Authority says what command, stop file and demotion allow of the mesh at this moment.
type Authority interface {
	Sources() []journal.AuthoritySource
	// Enter is called before the last look at Sources of a cycle that is to write, leave
	// when it has written: whoever lowers the authority waits for that before he says so.
	Enter() (leave func())
}

// allowed asks each source. The annotations are those that were read last: while nothing
// can be read, nothing is written either.
func (l *Loop) allowed(at time.Time) []journal.AuthoritySource {
	now := []journal.AuthoritySource{authority.Ceiling(l.o.Mesh)}
	if l.o.Authority != nil {
		now = append(now, l.o.Authority.Sources()...)
	}
	now = append(now, authority.Annotated(l.said)...)
	authority.Since(now, l.sources, at)
	l.tell(now)
	l.sources = now
	return now
}

// tell logs what the authority became, and who says so.
func (l *Loop) tell(now []journal.AuthoritySource) {
	was, is := l.o.Mesh.Guard.Authority, authority.Effective(now)
	if l.sources != nil {
		was = authority.Effective(l.sources)
	}
	if was == is {
		return
	}
	attrs := []any{"was", was, "is", is}
	for _, s := range now {
		attrs = append(attrs, s.Source, s.String())
	}
	l.o.Logger.Warn("the authority is another one", attrs...)
}

// authorise says in the intent what may be done.
func authorise(intent *journal.Intent, sources []journal.AuthoritySource) {
	intent.Authority, intent.Sources = string(authority.Effective(sources)), nil
	if len(sources) > 1 {
		intent.Sources = sources
	}
}

// commit takes the last look at the authority, records the intent and applies it. From
// that look to the end of the write nobody is told that windvane was stopped: a write never
// starts after that.
func (l *Loop) commit(ctx context.Context, at time.Time, r *Report) {
	if l.o.Authority != nil && r.Intent.Act {
		leave := l.o.Authority.Enter()
		defer leave()
		l.lookAgain(at, &r.Intent)
	}
	l.record(at, r)
	if r.Intent.Act && r.Intent.Approval != nil {
		l.o.Desk.Done()
	}
	l.actuate(ctx, r)
}

// lookAgain keeps an intent from acting that the authority does not cover any more. What
// was raised meanwhile is for the next cycle.
func (l *Loop) lookAgain(at time.Time, intent *journal.Intent) {
	was, sources := rules.Authority(intent.Authority), l.allowed(at)
	if !authority.Above(was, authority.Effective(sources)) {
		return
	}
	authorise(intent, sources)
	if intent.Approval == nil || intent.Authority == string(rules.AuthorityObserve) {
		intent.Act, intent.Approval, intent.Revert = false, nil, nil
	}
}

// waiting takes away a plan that cannot wait for a person any longer, whatever is decided.
func (l *Loop) waiting(at time.Time, intent *journal.Intent) {
	if intent.Authority != string(rules.AuthorityApprove) {
		intent.Superseded = l.o.Desk.Drop("the authority is " + intent.Authority + " now")
	} else {
		intent.Superseded = l.o.Desk.Expire(at)
	}
	if p, ok := l.o.Desk.Pending(); ok {
		intent.Pending = p.ID
	}
}

// approve has the fresh plan wait for a person, or puts one in its place that a person has
// approved and that the fresh decision admits. In a cycle that holds there is no fresh
// decision, and what waits waits on.
func (l *Loop) approve(o policy.Observation, intent *journal.Intent) {
	if intent.Authority != string(rules.AuthorityApprove) || intent.Hold != "" || l.heldByDrift(intent) {
		return
	}
	plan, gone := l.o.Desk.Review(approve.Fresh{
		Cycle: intent.Cycle, At: o.At, Expiry: l.o.Mesh.Guard.ApprovalExpiry,
		Policy: fmt.Sprintf("%s (%s)", intent.Policy, intent.PolicyRole), Reason: intent.Decision.Reason,
		Live: intent.Live, Want: intent.Guarded, Changes: intent.Plan,
		Refuses: func(want policy.Action) string {
			switch r := guard.Check(o, want); {
			case r.Refused != "":
				return r.Refused.Sentence()
			case len(r.Edits) > 0:
				return r.Edits[0].Reason.Sentence()
			}
			return ""
		},
	})
	if gone != "" {
		intent.Superseded = gone
	}
	switch {
	case plan == nil:
		intent.Pending = ""
	case plan.By == "":
		intent.Pending = plan.ID
	default:
		intent.Pending = ""
		intent.Approval = &journal.Approval{ID: plan.ID, By: plan.By}
		intent.Guarded, intent.Plan, intent.Edits, intent.Act = plan.Want, plan.Changes, nil, true
	}
}

// heldByDrift says that somebody else's change has to be put back first.
func (l *Loop) heldByDrift(intent *journal.Intent) bool {
	return len(intent.Drift) > 0 && l.o.Mesh.Guard.OnDrift == rules.OnDriftHold
}

// ownsWhatIsInForce says whether what is in force may be windvane's, so that another's
// change is drift. At observe it is left to the others; at approve it is theirs until a plan
// was applied.
func (l *Loop) ownsWhatIsInForce(level rules.Authority) bool {
	return level == rules.AuthorityAct || level == rules.AuthorityApprove && len(l.baseline) > 0
}
