package loop

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/verify"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/harm"
	"github.com/windvane/windvane/rules/margin"
)

// Demoter lowers the mesh to observe, until a person lifts that. Whether it could be
// written or not, the sources say so from then on.
type Demoter interface {
	Demote(reason string, at time.Time) error
}

// evidence is what speaks against leaving the mesh to the policy. It is kept in the journal
// with the control state, and begins anew when a person lifts a demotion. What is about the
// policy begins anew with another one.
type evidence struct {
	Policy  string       `json:"policy,omitempty"` // the active one
	Demoted bool         `json:"demoted,omitempty"`
	Unsaved string       `json:"unsaved,omitempty"` // why it was demoted, if that could not be written but here
	Harm    []charge     `json:"harm,omitempty"`
	Follow  verify.State `json:"follow,omitzero"`
	Cycles  uint64       `json:"cycles"`           // that came at their time, this one included
	Changed time.Time    `json:"changed,omitzero"` // when windvane wrote last; zero: not known

	resumed bool // of an earlier process, and not held against the sources yet
}

// charge is the evidence that one objective is harmed.
type charge struct {
	Service string `json:"service"`
	Signal  string `json:"signal"`
	harm.Evidence
}

// adopt returns the evidence of a loop whose active policy has the name.
func (e evidence) adopt(name string) evidence {
	if e.Policy != name {
		e.Policy, e.Harm = name, nil
	}
	return e
}

// readEvidence reads what an intent has.
func readEvidence(raw json.RawMessage) (e evidence, err error) {
	if len(raw) > 0 {
		err = json.Unmarshal(raw, &e)
	}
	return e, err
}

// charge weighs the errors of an interval. Only those count against the policy that are of its own choice
// in force, and not of the fallback of a decision with nothing feasible, which sheds all
// that it may: without it, it would be worse.
func (l *Loop) charge(measured []margin.Measured, choice margin.Choice) {
	if !choice.Counted || choice.Flagged {
		return
	}
	out := make([]charge, 0, len(measured))
	for _, s := range l.services {
		for _, o := range s.Objectives {
			i := len(out)
			c := l.evidence.charge(i, s.Name, o.Signal)
			if m := measured[i]; m.Known && m.Counted {
				c.Evidence = c.Add(l.limit(o.Budget), m.Error)
			}
			out = append(out, c)
		}
	}
	l.evidence.Harm = out
}

// charge returns that of an objective, which is the i-th unless a reload has moved it.
func (e *evidence) charge(i int, service, signal string) charge {
	same := func(c charge) bool { return c.Service == service && c.Signal == signal }
	if i < len(e.Harm) && same(e.Harm[i]) {
		return e.Harm[i]
	}
	if i := slices.IndexFunc(e.Harm, same); i >= 0 {
		return e.Harm[i]
	}
	return charge{Service: service, Signal: signal}
}

// demote lowers the mesh to observe if the evidence asks for it, and returns the sources of
// the authority after that. The settings stay: what protects is not taken back.
func (l *Loop) demote(at time.Time, sources []journal.AuthoritySource, r *Report) []journal.AuthoritySource {
	level := authority.Effective(sources)
	demoted := slices.ContainsFunc(sources, func(s journal.AuthoritySource) bool { return s.Source == authority.SourceDemotion })
	resumed := l.evidence.resumed
	l.evidence.resumed = false
	switch {
	case demoted:
		l.evidence.Demoted = true
		if resumed {
			l.evidence.Unsaved = "" // it was written after all
		}
	case resumed && l.evidence.Unsaved != "" && l.o.Demoter != nil:
		return l.lower(l.evidence.Unsaved, at, r)
	case l.evidence.Demoted && authority.Above(level, rules.AuthorityObserve):
		l.evidence.Demoted, l.evidence.Unsaved, l.evidence.Harm, l.evidence.Follow = false, "", nil, l.evidence.Follow.Forget()
	}
	if level != rules.AuthorityAct || l.o.Demoter == nil {
		return sources
	}
	why := l.harmed()
	if why != "" && l.o.RollBack != nil {
		return l.rollBack(why, at, sources, r)
	}
	if why == "" {
		why = l.ineffective()
	}
	if why == "" {
		return sources
	}
	return l.lower(why, at, r)
}

// limit is the share of intervals up to which an objective with the budget is not harmed.
func (l *Loop) limit(budget float64) float64 {
	if l.o.RollBack != nil {
		return harm.CanaryLimit(budget)
	}
	return harm.Limit(budget)
}

// rollBack has the canary's place given back from the next cycle on. Until that is on disk it is tried
// again in each.
func (l *Loop) rollBack(why string, at time.Time, sources []journal.AuthoritySource, r *Report) []journal.AuthoritySource {
	if err := l.o.RollBack(why, at); err != nil {
		r.fail(fmt.Errorf("demote the canary: %w", err))
		return sources
	}
	r.RolledBack = why
	return sources
}

// lower has the mesh demoted, and returns the sources after that. What could not be written
// is done again by the next process: nobody but a person lifts it.
func (l *Loop) lower(why string, at time.Time, r *Report) []journal.AuthoritySource {
	l.evidence.Unsaved = ""
	if err := l.o.Demoter.Demote(why, at); err != nil {
		r.fail(fmt.Errorf("demote the mesh: %w", err))
		l.evidence.Unsaved = why
	}
	r.Demoted, l.evidence.Demoted = why, true
	return l.allowed(at)
}

// harmed says which objective the policy harms; empty: none.
func (l *Loop) harmed() string {
	if l.harmRatio() < 1 {
		return ""
	}
	for _, s := range l.services {
		for _, o := range s.Objectives {
			c := l.evidence.charge(0, s.Name, o.Signal)
			if !c.Harm(len(l.evidence.Harm)) {
				continue
			}
			return fmt.Sprintf("policy %s does harm: of late %s of %s is broken in about %.0f %% of the intervals that it decided, where its error budget is %.3g %% "+
				"and up to %.3g %% is tolerated; chance explains that with a probability of at most %v",
				l.evidence.Policy, o.Signal, s.Name, 100*c.Recent, 100*o.Budget, 100*l.limit(o.Budget), harm.Alpha)
		}
	}
	return ""
}

// harmRatio is how near the evidence is to a demotion, from 0 to 1.
func (l *Loop) harmRatio() float64 {
	near := 0.
	for _, c := range l.evidence.Harm {
		near = max(near, min(1, c.Near(len(l.evidence.Harm))))
	}
	return near
}
