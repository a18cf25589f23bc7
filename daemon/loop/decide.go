package loop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
)

// Why a cycle changes nothing, beside the guard's own reasons.
const (
	HoldNoLive      = "no_live"       // the settings in force could not be read
	HoldOutOfBounds = "out_of_bounds" // the settings in force are not within those of the rules file
	HoldNoDecision  = "no_decision"   // neither the active nor the fallback policy answered
	HoldAbstained   = "abstained"     // the policy has no opinion
	HoldJournal     = "journal"       // the intent could not be recorded
	HoldDrift       = "drift"         // somebody else has changed what windvane had set
	HoldRefused     = "refused"       // the actuator, or the API server in a dry run, does not admit the plan
)

// Why the fallback policy decided.
const (
	FallbackNoActive = "no_active" // the rules file declares no active policy
	FallbackFailed   = "failed"    // the active policy did not answer, or not usably
)

// outOfBounds reports whether there is nothing that a policy or the guard could start from:
// others have set, or a reload has made, what is in force another than the rules file admits.
// To clamp it would lower what somebody may have raised in an emergency.
func (l *Loop) outOfBounds(live policy.Action, r *Report) bool {
	err := live.Validate(l.knobs)
	if err != nil {
		r.fail(fmt.Errorf("the settings in force are not within the rules file: %w; set them so that they are, or change the file and reload", err))
	}
	return err != nil
}

// decide asks the policies, lets the guard limit the answer, and fills the intent.
func (l *Loop) decide(ctx context.Context, at time.Time, residuals margin.Residuals, r *Report) {
	intent := &r.Intent
	o := l.observation(at, intent)
	decision, explored := l.explore(o, residuals, r)
	if !explored {
		var err error
		decision, err = l.ask(ctx, o, intent)
		r.fail(err)
	}
	if intent.PolicyRole == journal.RoleNone {
		intent.Hold = HoldNoDecision
		return
	}
	intent.Decision = &decision
	if intent.PolicyRole == journal.RoleActive && residuals != margin.Unsteady {
		l.control = l.control.Compare(l.params, &o, decision.ExpectedLive)
	}
	if decision.Abstain {
		intent.Hold = HoldAbstained
		return
	}
	checked := l.watch.time(StageGuard)
	result := guard.Check(o, decision.Action)
	checked()
	intent.Edits = edits(result.Edits)
	intent.Hold, r.Guard = string(result.Refused), result.Detail
	intent.Guarded = result.Action
	intent.Plan = policy.Diff(intent.Live, result.Action, planTolerance)
	intent.Act = len(intent.Plan) > 0 && intent.Authority == string(rules.AuthorityAct)
	l.approve(o, intent)
}

// edits are the guard's in the journal's form.
func edits(made []guard.Edit) (out []journal.Edit) {
	for _, e := range made {
		out = append(out, journal.Edit{Reason: string(e.Reason), KnobID: e.KnobID, From: e.From, To: e.To})
	}
	return out
}

// planTolerance is half of the smallest change of a weight that Istio can tell.
const planTolerance = .005

// ask asks the active policy, and in the same cycle the fallback if there is no
// usable answer. The error says why the active policy, or both, did not decide.
func (l *Loop) ask(ctx context.Context, o policy.Observation, intent *journal.Intent) (policy.Decision, error) {
	defer l.watch.time(StageDecide)()
	intent.FallbackReason = FallbackNoActive
	var failure error
	if l.o.Active != nil {
		d, err := l.o.Active.Policy.Decide(ctx, o)
		if err == nil {
			intent.Policy, intent.PolicyRole, intent.FallbackReason = l.o.Active.Name, journal.RoleActive, ""
			intent.Standing = l.o.Active.Standing
			return d, nil
		}
		failure = fmt.Errorf("policy %s: %w", l.o.Active.Name, err)
		intent.FallbackReason = FallbackFailed + ": " + err.Error()
	}
	d, err := l.o.Fallback.Policy.Decide(ctx, o)
	if err != nil {
		return policy.Decision{}, errors.Join(failure, fmt.Errorf("fallback policy %s: %w", l.o.Fallback.Name, err))
	}
	intent.Policy, intent.PolicyRole = l.o.Fallback.Name, journal.RoleFallback
	return d, failure
}

// record writes the intent. Without it on disk nothing is done.
func (l *Loop) record(at time.Time, r *Report) {
	defer l.watch.time(StageRecord)()
	intent := &r.Intent
	putOff(intent)
	evidence := l.evidenceWith(at, intent)
	control, err := json.Marshal(l.control)
	if err == nil {
		intent.HarmRatio = l.harmRatio()
		intent.Evidence, err = json.Marshal(evidence)
	}
	if err == nil {
		intent.Control, intent.Commanded, intent.Baseline = control, l.commanded, l.baseline
		intent.Changes, intent.HandedOver = l.changesWith(at, intent), l.handedOver
		if l.unresolved != nil {
			intent.Unresolved = l.unresolved.Cycle
		}
		_, err = l.o.Journal.Append(at, l.o.Mesh.Name, journal.KindIntent, intent, intent.Act)
	}
	if err != nil {
		r.fail(fmt.Errorf("record the intent: %w", err))
		intent.Hold, intent.Act = HoldJournal, false
		putOff(intent)
		l.open = nil // nothing is on disk that an outcome could close
		return
	}
	l.open, l.own, l.applied, l.changes, l.evidence = intent, true, nil, intent.Changes, evidence
}

// actuate applies the intent if it is to be.
func (l *Loop) actuate(ctx context.Context, r *Report) {
	if !r.Intent.Act {
		return
	}
	defer l.watch.time(StageApply)()
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	err := l.o.Actuator.Apply(ctx, r.Intent.Live, r.Intent.Guarded, l.baseline)
	l.evidence.Changed = r.At.Add(l.watch.elapsed())
	l.pending = &written{want: r.Intent.Guarded, certain: err == nil}
	if err != nil {
		l.applied = fmt.Errorf("apply: %w", err)
		r.fail(l.applied)
	}
}
