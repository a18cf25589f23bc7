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
	Seconds float64       // that the answer took
	Covered bool          // it predicts the plan from within the data behind its model
	Judged  []journal.Judged
	Said    []policy.Prediction // of the plan; nil where the guard edited it
}

// trial asks two models about two plans. The active policy is a plugin like any other, asked by
// one at a time; what it says here only goes into the record.
type trial struct {
	l      *Loop
	o      policy.Observation
	intent *journal.Intent
	terms  policy.Terms

	active sync.Mutex // held while the active policy is asked
}

func (l *Loop) newTrial(o policy.Observation, i *journal.Intent) *trial {
	return &trial{l: l, o: o, intent: i, terms: policy.NewTerms(o.Knobs, o.Services)}
}

// asShadow is the observation as a shadow policy would get it if it was active from this cycle on:
// with the debts, and with what was learned of its own model.
func (t *trial) asShadow(i int, s Decider) policy.Observation {
	o := t.o
	if t.another(s) {
		o.Services = t.control(i, s).Hand(t.l.params, t.l.services, t.l.newest)
	}
	return o
}

// another reports whether a shadow policy has another model than the active one.
func (t *trial) another(s Decider) bool {
	return s.Initial != nil && slices.ContainsFunc(t.l.control, func(e margin.Entry) bool { return e.First != s.Initial(e.Service, e.Signal) })
}

// control is the control state that a shadow policy would go on from.
func (t *trial) control(i int, s Decider) margin.Control {
	out := t.l.control.Adopt(t.l.params, t.l.services, s.Initial)
	for k, own := range t.l.beside[i] {
		if k < len(out) && out[k].Service == own.Service && out[k].Signal == own.Signal {
			out[k].Correction, out[k].Recent, out[k].Residual, out[k].Compared = own.Correction, own.Recent, own.Residual, own.Compared
		}
	}
	return out
}

// run judges the answer of the i-th shadow policy, which was given the observation o.
func (t *trial) run(ctx context.Context, i int, s Decider, o policy.Observation, d policy.Decision) Trial {
	out := Trial{Policy: s.Name, Plan: o.Live}
	if !d.Abstain {
		checked := guard.Check(o, d.Action)
		if out.Plan = checked.Action; len(checked.Edits) == 0 && checked.Refused == "" {
			out.Said = d.Expected
		}
	}
	if t.another(s) && t.l.newest != margin.Unsteady {
		t.l.beside[i] = t.control(i, s).Compare(t.l.params, &o, d.ExpectedLive)
	}
	own := model{t: t, o: o, decision: &d, ask: s.Policy}
	beside := model{t: t, o: t.o, decision: t.intent.Decision}
	if t.intent.PolicyRole == journal.RoleActive {
		beside.ask, beside.mutex = t.l.o.Active.Policy, &t.active
	}
	var byOwn, byActive [3][]policy.Prediction
	for k, a := range []policy.Action{o.Live, out.Plan, t.intent.Guarded} {
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
				Service: service.Name, Signal: obj.Signal, Raw: value(d.ExpectedLive),
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

// model is the one behind a policy, as far as the contract shows it.
type model struct {
	t        *trial
	o        policy.Observation // that the policy was given
	decision *policy.Decision   // its answer; nil: none
	ask      policy.Policy      // nil: it is not asked again
	mutex    *sync.Mutex        // nil: nobody else asks
}

// of returns what the model predicts for settings at the load just measured, corrected by what
// was learned of it. A policy says so of the settings in force: it is asked as if those were. Nil:
// it predicts nothing.
func (m model) of(ctx context.Context, a policy.Action) []policy.Prediction {
	d := m.decision
	switch {
	case d == nil:
		return nil
	case a.Equal(m.o.Live, policy.Rounding):
		return m.correct(d.ExpectedLive, a)
	case !d.Abstain && a.Equal(d.Action, policy.Rounding):
		return m.correct(d.Expected, a)
	case m.ask == nil || len(d.ExpectedLive) == 0 || ctx.Err() != nil:
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
					p.Value *= math.Exp(margin.ClipLog(m.t.terms.Dot(obj.Correction, offered, a)))
				}
			}
		}
		out = append(out, p)
	}
	return out
}
