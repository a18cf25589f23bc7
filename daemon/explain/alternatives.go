package explain

import (
	"fmt"
	"strings"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// Considered is what a policy looked at and did not choose.
type Considered struct {
	Settings []policy.Setting `json:"settings"` // those that differ from what was chosen; of many, the first
	Score    float64          `json:"score"`    // as the policy gives it
	Reason   string           `json:"reason"`   // likewise

	// Refused is the load in requests/s that its blocking would refuse of what was offered,
	// More how much more than what was chosen; null: the offered load of a service is not
	// known, or not all of its settings are.
	Refused *float64 `json:"refused"`
	More    *float64 `json:"refused_more"`
}

// considered are the decision's alternatives with what each would cost. Policies predict the
// risk of what they choose only, so that there is none here.
func (e *Explanation) considered() []Considered {
	d := e.Intent.Decision
	if d == nil {
		return nil
	}
	chosen, known := e.refused(d.Action)
	var out []Considered
	for _, a := range d.Alternatives {
		x := Considered{Settings: a.Action, Score: a.Score, Reason: a.Reason}
		if refused, ok := e.refused(over(d.Action, a.Action)); known && ok && len(a.Action) < journal.AlternativeSettings {
			more := refused - chosen
			x.Refused, x.More = &refused, &more
		}
		out = append(out, x)
	}
	return out
}

// over is an action with some of its settings replaced.
func over(base, settings policy.Action) policy.Action {
	out := base.Clone()
	for i := range out {
		if v, ok := settings.Get(out[i].KnobID); ok {
			out[i].Value = v
		}
	}
	return out
}

// refused is the load in requests/s that an action's blocking refuses of what is offered.
func (e *Explanation) refused(a policy.Action) (float64, bool) {
	if len(a) == 0 {
		return 0, false
	}
	sum := 0.0
	for _, s := range e.Intent.Services {
		offered, ok := e.Intent.State.Role(s.Name, policy.RoleOffered).Get()
		if !ok {
			return 0, false
		}
		if blocking, ok := a.Get(policy.KnobID{Kind: policy.Blocking, Target: s.Name}); ok {
			sum += offered * blocking
		}
	}
	return sum, true
}

// alternatives says what else was considered, and at what cost.
func (e *Explanation) alternatives(p func(string, ...any)) {
	for _, x := range e.Alternatives {
		line := fmt.Sprintf("considered: score %.4g, %s", x.Score, x.Reason)
		var settings []string
		for _, s := range x.Settings[:min(len(x.Settings), wordsLimit)] {
			settings = append(settings, fmt.Sprintf("%s at %.4g", s.KnobID, s.Value))
		}
		if n := len(x.Settings) - wordsLimit; n > 0 {
			settings = append(settings, fmt.Sprintf("and %d more", n))
		}
		if len(settings) > 0 {
			line += ": " + strings.Join(settings, ", ")
		}
		if x.Refused != nil {
			line += fmt.Sprintf("; would refuse %.4g requests/s, %+.4g", *x.Refused, *x.More)
		}
		p("  %s", line)
	}
}
