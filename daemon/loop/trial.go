package loop

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
)

// Trial is what a shadow policy would have had in force in a cycle, and what the two models
// say of it.
type Trial struct {
	Policy  string
	Plan    policy.Action // after the guard; nil: it did not answer
	Aim     policy.Action // where it would go without regard to steps and pace
	Beside  policy.Action // where the active policy would
	Seconds float64       // that the answer took
	Covered bool          // it predicts the aim from within the data behind its model
	Judged  []journal.Judged
	Said    []policy.Prediction // of the plan; nil where the guard edited it
}

// trial asks two models about two plans: where either policy would go in the end. A cycle's own
// plan goes only a step of the way, from where the active policy is, so that it shows little of
// what a shadow would do. The active policy is a plugin like any other, asked by one at a time; what
// it says here only goes into the record.
type trial struct {
	l      *Loop
	o      policy.Observation
	intent *journal.Intent
	terms  policy.Terms

	active sync.Mutex // held while the active policy is asked
	aimed  sync.Once
	aim    policy.Action    // of the active policy
	aiming *policy.Decision // likewise; nil: it was not asked
}

func (l *Loop) newTrial(o policy.Observation, i *journal.Intent) *trial {
	return &trial{l: l, o: o, intent: i, terms: policy.NewTerms(o.Knobs, o.Services)}
}

// asShadow is the observation as a shadow policy would get it if it was active from this cycle on:
// with the debts, and with nothing learned yet of a model of its own.
func (t *trial) asShadow(s Decider) policy.Observation {
	o := t.o
	another := func(e margin.Entry) bool { return e.First != s.Initial(e.Service, e.Signal) }
	if s.Initial != nil && slices.ContainsFunc(t.l.control, another) {
		o.Services = t.l.control.Adopt(t.l.params, t.l.services, s.Initial).Hand(t.l.params, t.l.services, t.l.newest)
	}
	return o
}

// run judges the answer of a shadow policy, which was given the observation o.
func (t *trial) run(ctx context.Context, s Decider, o policy.Observation, d policy.Decision) Trial {
	out := Trial{Policy: s.Name, Plan: o.Live}
	if !d.Abstain {
		checked := guard.Check(o, d.Action)
		if out.Plan = checked.Action; len(checked.Edits) == 0 && checked.Refused == "" {
			out.Said = d.Expected
		}
	}
	aiming := &d
	if !d.Abstain {
		aiming = aimOf(ctx, s.Policy, o)
	}
	out.Aim = settle(o, out.Plan, aiming)
	own := model{t: t, o: o, answers: []*policy.Decision{&d, aiming}, ask: s.Policy}
	beside := t.beside(ctx)
	out.Beside = t.aim
	var byOwn, byActive [3][]policy.Prediction
	for k, a := range []policy.Action{o.Live, out.Aim, out.Beside} {
		byOwn[k], byActive[k] = own.of(ctx, a), beside.of(ctx, a)
	}
	out.Covered = true
	for _, service := range o.Services {
		for _, obj := range service.Objectives {
			if obj.Kind != policy.LatencyObjective {
				continue
			}
			value := func(from []policy.Prediction) float64 { return valueOf(from, service.Name, obj.Signal) }
			j := journal.Judged{
				Service: service.Name, Signal: obj.Signal,
				Live: value(byOwn[0]), Shadow: value(byOwn[1]), Active: value(byOwn[2]),
				ActiveLive: value(byActive[0]), ActiveShadow: value(byActive[1]), ActiveActive: value(byActive[2]),
			}
			out.Covered = out.Covered && j.Shadow > 0
			out.Judged = append(out.Judged, j)
		}
	}
	return out
}

func valueOf(from []policy.Prediction, service, signal string) float64 {
	for _, p := range from {
		if p.Service == service && p.Signal == signal && p.Supported && p.Value > 0 && !math.IsInf(p.Value, 1) {
			return p.Value
		}
	}
	return 0
}

// beside is the model of the active policy, which is asked for its aim first.
func (t *trial) beside(ctx context.Context) model {
	m := model{t: t, o: t.o, answers: []*policy.Decision{t.intent.Decision}}
	t.aimed.Do(func() {
		t.active.Lock()
		defer t.active.Unlock()
		if t.intent.PolicyRole == journal.RoleActive && t.intent.Hold == "" {
			t.aiming = aimOf(ctx, t.l.o.Active.Policy, t.o)
		}
		t.aim = settle(t.o, t.intent.Guarded, t.aiming)
	})
	if t.intent.PolicyRole == journal.RoleActive {
		m.ask, m.mutex = t.l.o.Active.Policy, &t.active
		m.answers = append(m.answers, t.aiming)
	}
	return m
}

// free is an observation in which any step may be made.
func free(o policy.Observation) policy.Observation {
	o.Limits.MaxStep, o.Limits.Frozen = 1, ""
	return o
}

// aimOf asks a policy where it would go; nil: it does not say.
func aimOf(ctx context.Context, p policy.Policy, o policy.Observation) *policy.Decision {
	if ctx.Err() != nil {
		return nil
	}
	d, err := p.Decide(ctx, free(o))
	if err != nil || !d.Abstain && d.Action.Validate(o.Knobs) != nil {
		return nil
	}
	return &d
}

// settle is the aim after the guard; without one, the plan.
func settle(o policy.Observation, plan policy.Action, aim *policy.Decision) policy.Action {
	switch {
	case aim == nil:
		return plan
	case aim.Abstain:
		return o.Live
	}
	return guard.Check(free(o), aim.Action).Action
}

// model is the one behind a policy, as far as the contract shows it.
type model struct {
	t       *trial
	o       policy.Observation // that the policy was given
	answers []*policy.Decision // to it, and to where it would go; nil: none
	ask     policy.Policy      // nil: it is not asked again
	mutex   *sync.Mutex        // nil: nobody else asks
}

// of returns what the model predicts for settings at the load just measured, corrected by what
// was learned of it. A policy says so of the settings in force: it is asked as if those were. Nil:
// it predicts nothing.
func (m model) of(ctx context.Context, a policy.Action) []policy.Prediction {
	predicts := false
	for _, d := range m.answers {
		switch {
		case d == nil:
			continue
		case a.Equal(m.o.Live, policy.Rounding) && supported(d.ExpectedLive):
			return m.correct(d.ExpectedLive, a)
		case !d.Abstain && a.Equal(d.Action, policy.Rounding) && supported(d.Expected):
			return m.correct(d.Expected, a)
		}
		predicts = predicts || len(d.ExpectedLive) > 0
	}
	if m.ask == nil || !predicts || a.Equal(m.o.Live, policy.Rounding) || ctx.Err() != nil {
		return nil
	}
	if m.mutex != nil {
		m.mutex.Lock()
		defer m.mutex.Unlock()
	}
	o := m.o
	o.Live = a
	asked, err := m.ask.Decide(ctx, o)
	if err != nil {
		return nil
	}
	return m.correct(asked.ExpectedLive, a)
}

// supported reports whether predictions come from within the data behind a model.
func supported(all []policy.Prediction) bool {
	return len(all) > 0 && !slices.ContainsFunc(all, func(p policy.Prediction) bool { return !p.Supported })
}

func (m model) correct(predicted []policy.Prediction, a policy.Action) []policy.Prediction {
	out := make([]policy.Prediction, 0, len(predicted))
	offered := make([]float64, len(m.o.Services))
	known := true
	for i, s := range m.o.Services {
		v, ok := guard.Offered(m.o, s.Name)
		offered[i], known = v, known && ok
	}
	for _, p := range predicted {
		for _, s := range m.o.Services {
			for _, obj := range s.Objectives {
				if known && s.Name == p.Service && obj.Signal == p.Signal && len(obj.Correction) == m.t.terms.Len() {
					p.Value *= margin.Factor(&m.t.terms, obj.Correction, offered, a)
				}
			}
		}
		out = append(out, p)
	}
	return out
}
