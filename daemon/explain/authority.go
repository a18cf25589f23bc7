package explain

// authority says who allows what, where not the rules file alone does.
func (e *Explanation) authority(p func(string, ...any)) {
	for _, s := range e.Intent.Sources {
		p("  %s", s)
	}
}

// approval says what waits for a person, and what a person has let.
func (e *Explanation) approval(p func(string, ...any)) {
	i := e.Intent
	if i.Superseded != "" {
		p("  no longer to be approved: %s", i.Superseded)
	}
	if i.Pending != "" {
		p("  plan %s waits for a person, or for a cycle that admits it; `windvane approve` lists it", i.Pending)
	}
	if i.Approval != nil {
		p("  plan %s was approved by %s and is applied as it was then, not as it is decided now", i.Approval.ID, i.Approval.By)
	}
}
