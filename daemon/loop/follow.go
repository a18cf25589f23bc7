package loop

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/verify"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
)

// follow holds what is observed against what is in force.
func (l *Loop) follow(state policy.State, live policy.Action, r *Report) {
	if l.woken != "" {
		return // no interval ends
	}
	l.evidence.Cycles++
	l.evidence.Follow, l.findings = l.following.Judge(l.evidence.Follow, state, live)
	if len(l.findings) > 0 {
		r.Verified = l.verified()
	}
}

func (l *Loop) verified() *journal.Verified {
	out := &journal.Verified{}
	for _, f := range l.findings {
		switch f.Verdict {
		case verify.Converged:
			out.Converged++
		case verify.NotYet:
			out.NotYet++
		case verify.Failed:
			out.Failed++
		default:
			out.Undecided++
		}
		for _, s := range f.Shares {
			if s.Away && len(out.Away) < journal.AwayEntries {
				out.Away = append(out.Away, journal.Away{
					Service: f.Service, KnobID: s.KnobID, Low: s.Low, High: s.High, Observed: s.Observed,
					Requests: math.Round(s.Requests), Cycles: l.evidence.Follow.Services[f.Service].Away,
				})
			}
		}
	}
	return out
}

// away reports whether requests do not go as the settings in force have it: then these are
// not what was measured.
func (l *Loop) away() bool { return slices.ContainsFunc(l.findings, verify.Finding.Away) }

// settling reports whether something was measured before the last change had settled: it is
// not of the settings in force, and nobody learns from it.
func (l *Loop) settling(state policy.State) bool {
	changed := l.evidence.Changed
	return !changed.IsZero() && slices.ContainsFunc(state, func(s policy.Signal) bool {
		return s.Status == policy.Valid && s.Role != policy.RoleContext && s.At.Before(changed.Add(l.o.Mesh.Settle))
	})
}

// backOff has nothing but blocking raised, while a mesh that did not follow is left alone.
func (l *Loop) backOff(i *journal.Intent) {
	if n := l.evidence.backOffLeft(); n > 0 && !guard.Suspends(i.Limits) { // a cooldown is the less of the two
		i.Limits.Frozen, i.Frozen = string(guard.BackOff), fmt.Sprintf("a change was not followed; the next may be made in %d cycles", n)
	}
}

// backOffLeft is in how many cycles another change may be made.
func (e evidence) backOffLeft() int {
	return int(max(e.Follow.Retry(), e.Cycles) - e.Cycles) //nolint:gosec // at most the longest back-off
}

// leave gives up what is not windvane's to put back: what others have changed since, and all
// of it while it may not act by itself. A change that is undone as soon as it was made was
// not followed either.
func (l *Loop) leave(level rules.Authority, drift []policy.Change) {
	switch {
	case level != rules.AuthorityAct:
		l.evidence.Follow = l.following.Abandon(l.evidence.Follow)
		return
	case len(drift) == 0:
		return
	}
	l.evidence.Follow = l.following.Abandon(l.evidence.Follow, drift...)
	i, own, _ := l.since()
	if i == nil || !i.Act || !own {
		return
	}
	undone := slices.DeleteFunc(slices.Clone(drift), func(d policy.Change) bool {
		return !slices.ContainsFunc(i.Plan, func(c policy.Change) bool { return c.KnobID == d.KnobID })
	})
	for _, name := range l.following.Services(undone) {
		l.evidence.Follow = l.evidence.Follow.Fail(name, l.evidence.Cycles+1) // of the cycle that follow is to count
	}
}

// failed returns the services that did not follow windvane's change in time.
func (l *Loop) failed() (out []string) {
	for _, f := range l.findings {
		if f.Verdict == verify.Failed && l.evidence.Follow.Services[f.Service].Pending {
			out = append(out, f.Service)
		}
	}
	return out
}

// revert puts the services that did not follow in time back to the settings that they had
// followed, in place of the plan. Like any action it passes the guard; but steps are not
// kept to, because these settings were followed a moment ago, and still are by the requests
// for which they are put back.
func (l *Loop) revert(at time.Time, r *Report) {
	i := &r.Intent
	services := l.failed()
	if len(services) == 0 || l.woken != "" || i.Authority != string(rules.AuthorityAct) || l.heldByDrift(i) ||
		i.Hold != "" && i.Hold != HoldAbstained {
		return
	}
	want, known := i.Live.Clone(), false
	for _, name := range services {
		for _, s := range l.evidence.Follow.Services[name].Before {
			if v, _ := want.Get(s.KnobID); s.Kind == policy.Blocking {
				s.Value = math.Max(s.Value, v) // what protects is not taken back
			}
			known = want.Set(s.KnobID, s.Value) || known
		}
	}
	o := l.observation(at, i)
	o.Limits.MaxStep = 1
	checked := guard.Check(o, want)
	i.Revert = &journal.Revert{Services: services, Cycles: l.evidence.fail(services).backOffLeft() - 1}
	plan := policy.Diff(i.Live, checked.Action, planTolerance)
	switch {
	case checked.Refused != "":
		i.Revert.Held = checked.Refused.Sentence()
	case o.Limits.Frozen != "":
		i.Revert.Held, i.Revert.Cycles = guard.Reason(o.Limits.Frozen).Sentence(), 0
		return // the plan only raises blocking as it is, and this is tried again
	case slices.ContainsFunc(plan, loosens):
		i.Revert.Held = "it would lower what protects"
	case !known:
		i.Revert.Held = "what was in force before is not known"
	case len(plan) == 0:
		i.Revert.Held = "there is nothing to put back that would not lower what protects"
	}
	if i.Revert.Held != "" {
		l.protect(o, i)
		return
	}
	i.Guarded, i.Plan, i.Edits, i.Hold, i.Act = checked.Action, plan, nil, "", true
}

// protect leaves of a plan what raises blocking.
func (l *Loop) protect(o policy.Observation, i *journal.Intent) {
	if i.Decision == nil || i.Decision.Abstain {
		return
	}
	o.Limits = i.Limits
	o.Limits.Frozen = string(guard.BackOff)
	checked := guard.Check(o, i.Decision.Action)
	i.Edits = edits(checked.Edits)
	i.Guarded, i.Plan = checked.Action, policy.Diff(i.Live, checked.Action, planTolerance)
	i.Act = len(i.Plan) > 0
}

// loosens reports whether a change takes away what protects.
func loosens(c policy.Change) bool { return c.Kind != policy.Weight && c.To < c.From }

// putOff says of a revert that is not made in its cycle that it is to be tried again.
func putOff(i *journal.Intent) {
	if i.Reverts() && !i.Act {
		i.Revert.Held, i.Revert.Cycles = "it could not be done in this cycle", 0
	}
}

// evidenceWith is the evidence with what the intent is about to do, so that also a process
// that starts right behind it sees whether the mesh follows.
func (l *Loop) evidenceWith(at time.Time, i *journal.Intent) evidence {
	e := l.evidence
	if i.Revert != nil && i.Revert.Cycles > 0 {
		e = e.fail(i.Revert.Services)
	}
	if i.Act {
		e.Changed = at.Add(l.watch.elapsed())
	}
	if i.Act && !i.Reverts() {
		e.Follow = l.following.Changed(e.Follow, i.Plan)
	}
	return e
}

// fail returns the evidence after services did not follow in time.
func (e evidence) fail(services []string) evidence {
	for _, name := range services {
		e.Follow = e.Follow.Fail(name, e.Cycles)
	}
	return e
}

// ineffective says which service does not follow whatever it is set to; empty: none.
func (l *Loop) ineffective() string {
	for _, name := range slices.Sorted(maps.Keys(l.evidence.Follow.Services)) {
		if n := l.evidence.Follow.Services[name].Failures; n >= verify.Ineffective {
			return fmt.Sprintf("service %s did not follow %d changes in a row: proxies that have lost the control plane, "+
				"another controller, or a route that its requests do not match; `windvane explain` tells what was seen", name, n)
		}
	}
	return ""
}
