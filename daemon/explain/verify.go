package explain

// revert says what was done about a change that was not followed.
func (e *Explanation) revert(p func(string, ...any)) {
	if r := e.Intent.Revert; r != nil {
		p("  %s", r.Line())
	}
	if near := e.Intent.HarmRatio; near > 0 {
		p("  the evidence that the policy does harm has come %.0f %% of the way to a demotion", 100*near)
	}
}

// verified says whether requests followed the settings.
func (e *Explanation) verified(p func(string, ...any)) {
	for _, line := range e.Outcome.Verified.Lines() {
		p("  %s", line)
	}
}
