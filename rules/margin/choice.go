package margin

import "github.com/windvane/windvane/plugins/policy"

// Origin says how the action that was live in an interval came about.
type Origin struct {
	Own       bool             // the active policy decided, in this process: not the fallback, a person, or an earlier run
	Act       bool             // with the authority to act
	Decision  *policy.Decision // nil: there was none
	Held      bool             // the live action was kept in its place, because the guard refused it or for want of data
	Edits     int              // of the guard, to what was decided
	Converged bool             // what the guard let pass was in force
}

// Choice says what of an interval after such a decision counts. The debt moves only
// where the policy could have kept the budget: it chose the live action itself, under
// the margins, and that very action was in force. Otherwise bad intervals are budget
// spent and no debt (no windup). A policy that predicts nothing, such as the threshold
// policy, knows of no margin.
func (o Origin) Choice() Choice {
	d := o.Decision
	counted := o.Own && o.Act && o.Converged && !o.Held && o.Edits == 0 &&
		d != nil && !d.Abstain && len(d.Expected) > 0
	if !counted {
		return Choice{}
	}
	return Choice{Counted: true, Flagged: d.Infeasible, Expected: d.Expected}
}
