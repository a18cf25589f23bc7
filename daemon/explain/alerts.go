package explain

import "github.com/windvane/windvane/daemon/loop"

// woken says why the cycle came before its time.
func (e *Explanation) woken(p func(string, ...any)) {
	switch e.Intent.Woken {
	case "":
		return
	case loop.WokenByAlert:
		p("  an alert that fired had it come between two intervals: it decides, and counts nothing")
	case loop.WokenByApproval:
		p("  an approval had it come between two intervals: it decides, and counts nothing")
	default:
		p("  it came between two intervals (%s): it decides, and counts nothing", e.Intent.Woken)
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
