package explain

// woken says why the cycle came before its time.
func (e *Explanation) woken(p func(string, ...any)) {
	if why := e.Intent.Woken; why != "" {
		p("  it came before its time, by an %s: it decides, and counts nothing", why)
	}
}

// alerts says what Alertmanager had said.
func (e *Explanation) alerts(p func(string, ...any)) {
	for _, a := range e.Intent.Alerts {
		p("  alert: %s", a)
	}
	if n := e.Intent.AlertsOmitted; n > 0 {
		p("  and %d alerts more", n)
	}
}
