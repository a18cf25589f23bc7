package explain

import "github.com/windvane/windvane/daemon/journal"

// addShadows finds what the shadow policies answered in the cycle.
func (e *Explanation) addShadows(records []journal.Record) {
	for _, r := range records {
		var s journal.Shadow
		if r.Mesh == e.Mesh && r.Decode(&s) == nil && s.Cycle == e.Intent.Cycle {
			e.Shadows = s.Answers
		}
	}
}

// shadows says what they would have done, if there are any.
func (e *Explanation) shadows(p func(string, ...any)) {
	if len(e.Shadows) == 0 {
		return
	}
	p("\nwhat shadow policies would have done")
	for _, a := range e.Shadows {
		p("  %s", a.Line())
		for _, c := range a.Changes {
			p("    %s from %.4g to %.4g", c.KnobID, c.From, c.To)
		}
		if a.CutChanges > 0 {
			p("    and %d more, which are not kept", a.CutChanges)
		}
	}
}
