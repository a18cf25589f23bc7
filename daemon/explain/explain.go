// Package explain tells what one cycle saw, decided and did, and what came of it.
// It reads the journal and nothing else, so that it works while the daemon runs and
// when it does not.
package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
)

// Explanation is one cycle of one mesh.
type Explanation struct {
	Mesh    string           `json:"mesh"`
	At      time.Time        `json:"at"`
	Seq     uint64           `json:"seq"` // of the intent in the journal
	Intent  journal.Intent   `json:"intent"`
	Outcome *journal.Outcome `json:"outcome"` // null: there is none yet

	Alternatives []Considered `json:"alternatives,omitempty"`
	Effects      []Effect     `json:"effects,omitempty"` // of a change that has an outcome

	Shadows []journal.ShadowAnswer `json:"shadows,omitempty"`
}

// Cycle finds a cycle in the journal. An empty mesh means the only one, or the last
// that had a cycle; cycle 0 means the last.
func Cycle(dir, mesh string, cycle uint64) (*Explanation, error) {
	found, err := journal.Last(dir, 1, func(r journal.Record) bool {
		if r.Kind != journal.KindIntent || mesh != "" && r.Mesh != mesh {
			return false
		}
		var i struct {
			Cycle uint64 `json:"cycle"`
		}
		return r.Decode(&i) == nil && (cycle == 0 || i.Cycle == cycle)
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, notFound(dir, mesh, cycle)
	}
	return complete(dir, found[0])
}

func notFound(dir, mesh string, cycle uint64) error {
	return fmt.Errorf("explain: %s is not in the journal %s; `windvane status` names the meshes and their last cycles", what(mesh, cycle), dir)
}

// what is a cycle in words; 0: any.
func what(mesh string, cycle uint64) string {
	what := "a cycle"
	if cycle > 0 {
		what = fmt.Sprintf("cycle %d", cycle)
	}
	if mesh != "" {
		what += " of mesh " + mesh
	}
	return what
}

// WriteText writes the explanation for a person.
func (e *Explanation) WriteText(w io.Writer) error {
	var b strings.Builder
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	i := e.Intent
	p("mesh %s, cycle %d, %s, authority %s", e.Mesh, i.Cycle, e.At.Format(time.RFC3339), i.Authority)
	e.woken(p)
	e.authority(p)
	p("\nwhat was seen")
	for _, s := range i.State {
		p("  %-16s %-12s %s", s.Service, s.Name, signalText(s))
	}
	for _, d := range i.Drift {
		p("  somebody else changed %s from %.4g to %.4g", d.KnobID, d.From, d.To)
	}
	e.alerts(p)
	p("\nwhat was decided")
	e.decision(p)
	p("\nwhat the guard did")
	e.guard(p)
	p("\nwhat was done")
	e.done(p)
	p("\nwhat came of it")
	e.outcome(p)
	e.effect(p)
	e.shadows(p)
	_, err := io.WriteString(w, b.String())
	return err
}

func signalText(s policy.Signal) string {
	v, ok := s.Get()
	switch {
	case !ok:
		return s.Status.String()
	case s.Role == policy.RoleLatency:
		return fmt.Sprintf("%.4g ms", 1000*v)
	case s.Role == policy.RoleOffered || s.Role == policy.RoleCarried:
		return fmt.Sprintf("%.4g requests/s", v)
	}
	return fmt.Sprintf("%.4g", v)
}

func (e *Explanation) decision(p func(string, ...any)) {
	i := e.Intent
	if i.FallbackReason != "" {
		p("  the active policy did not decide: %s", strings.Replace(i.FallbackReason, loop.FallbackNoActive, "the rules file declares none", 1))
	}
	if i.Decision == nil {
		p("  nothing: %s", HoldText(i.Hold))
		return
	}
	p("  policy %s (%s): %s", i.Policy, i.PolicyRole, i.Decision.Reason)
	if s := i.Standing; s != nil && s.String() != "" {
		p("  %s", s)
	}
	if i.Decision.Infeasible {
		p("  flagged: no action meets every objective under its margin")
	}
	for _, s := range i.Services {
		for _, o := range s.Objectives {
			e.expectation(p, s.Name, o)
		}
	}
	e.alternatives(p)
}

func (e *Explanation) expectation(p func(string, ...any), service string, o policy.Objective) {
	for _, x := range e.Intent.Decision.Expected {
		if x.Service != service || x.Signal != o.Signal {
			continue
		}
		support := ""
		if !x.Supported {
			support = "; outside the data behind the model, nothing is promised"
		}
		risk := ""
		if x.Risk > 0 {
			risk = fmt.Sprintf("; a chance of %.2g %% to break it", 100*x.Risk)
		}
		allowed := margin.Allow(o.Margin, x.ErrorScale())
		p("  %s of %s: %.4g ms expected, %.4g ms with the margin of %+.1f %%, bound %.4g ms%s%s",
			x.Signal, service, 1000*x.Value, 1000*x.Value*allowed, 100*(allowed-1), 1000*o.Bound, risk, support)
	}
}

// afterGuard are the holds that are not the guard's.
var afterGuard = []string{loop.HoldDrift, loop.HoldRefused, loop.HoldJournal}

func (e *Explanation) guard(p func(string, ...any)) {
	i := e.Intent
	if i.Frozen != "" {
		p("  nothing but raising blocking was admitted: %s", i.Frozen)
	}
	for _, d := range i.Edits {
		p("  %s from %.4g to %.4g: %s", d.KnobID, d.From, d.To, guard.Reason(d.Reason).Sentence())
	}
	switch {
	case i.Hold != "" && i.Decision != nil && !i.Decision.Abstain && !slices.Contains(afterGuard, i.Hold):
		p("  refused: %s", HoldText(i.Hold))
	case len(i.Edits) == 0 && i.Frozen == "":
		p("  nothing")
	}
}

func (e *Explanation) done(p func(string, ...any)) {
	i := e.Intent
	e.approval(p)
	e.revert(p)
	switch {
	case i.Hold != "":
		p("  hold: %s", HoldText(i.Hold))
		if len(i.Plan) > 0 {
			p("  the plan was")
		}
	case len(i.Plan) == 0:
		p("  nothing was to be changed")
	case !i.Act:
		p("  nothing: authority %s; the plan was", i.Authority)
	}
	for _, c := range i.Plan {
		p("  %s from %.4g to %.4g", c.KnobID, c.From, c.To)
	}
}

func (e *Explanation) outcome(p func(string, ...any)) {
	o := e.Outcome
	if o == nil {
		p("  not known yet: the next cycle, or the next start of windvane, will tell")
		return
	}
	p("  %s", resultText(o.Result))
	e.verified(p)
	if o.Error != "" {
		p("  %s", o.Error)
	}
	if o.Partial {
		p("  nothing is learned from it: it is not of an interval under settings that stayed")
	}
	for _, x := range o.Errors {
		value := signalText(o.State.Find(x.Service, x.Signal))
		switch {
		case !x.Known:
			p("  %s of %s: not measured (%s): neither success nor failure", x.Signal, x.Service, value)
		case x.Error > 0:
			p("  %s of %s: %s, broken%s", x.Signal, x.Service, value, e.countedText(x.Counted))
		default:
			p("  %s of %s: %s, kept%s", x.Signal, x.Service, value, e.countedText(x.Counted))
		}
	}
}

func (e *Explanation) countedText(counted bool) string {
	switch {
	case !counted:
		return " (not the policy's doing: its margin does not move)"
	case e.Intent.Decision != nil && e.Intent.Decision.Infeasible:
		return " (counted among the intervals with nothing feasible)"
	}
	return ""
}

func resultText(result string) string {
	switch result {
	case journal.ResultConverged:
		return "the settings are in force"
	case journal.ResultFailed:
		return "the settings could not be written, or only in part"
	case journal.ResultDrifted:
		return "written, and changed by somebody else since"
	case journal.ResultNotApplied:
		return "nothing was written"
	case journal.ResultUnknown:
		return "what is in force is not known"
	}
	return result
}

// HoldText says in words why a cycle changed nothing, by the code in the journal.
func HoldText(reason string) string {
	switch reason {
	case loop.HoldNoLive:
		return "the settings in force could not be read"
	case loop.HoldNothingNew:
		return "nothing was measured since the cycle before, which has decided on all there is"
	case loop.HoldNoDecision:
		return "neither the active nor the fallback policy answered"
	case loop.HoldAbstained:
		return "the policy has no opinion"
	case loop.HoldDrift:
		return "somebody else has changed settings, and windvane does not fight them: put them back, set on_drift = \"adopt\", or lower the authority to observe and raise it again"
	case loop.HoldOutOfBounds:
		return "the settings in force are outside the bounds of the rules file; set them within, or widen the bounds and reload"
	case loop.HoldRefused:
		return "a dry run of the change was refused; the log says by whom and what to do"
	case loop.HoldJournal:
		return "the intent could not be recorded, and without it on disk nothing is done"
	}
	return guard.Reason(reason).Sentence()
}
