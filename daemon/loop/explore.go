package loop

import (
	"fmt"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
)

// Explorer tries settings in the place of the policies while a person has it do so. What it
// wants goes through guard, journal and actuator like any decision; what comes of it is
// budget spent, and neither debt nor evidence of any policy.
type Explorer interface {
	// Explore is called once in each cycle in which somebody could decide. False: the
	// policies are asked. It has on disk what it has to know of the decision in the next
	// process.
	Explore(o policy.Observation, c Circumstances) (policy.Decision, bool, error)
}

// Circumstances are what an Explorer goes by beside the observation.
type Circumstances struct {
	Steady bool // what was measured is of the live settings, which were in force in all of the interval and had settled
	Act    bool // what it decides would be applied
	Woken  bool // the cycle comes between two intervals
	Active bool // there is an active policy that would decide
	Drift  bool // others' changes have to be put back first
	Alerts []journal.Alert
}

// explorerName is who decides where the explorer does.
const explorerName = "explore"

// explore asks the explorer; false: it does not decide.
func (l *Loop) explore(o policy.Observation, residuals margin.Residuals, r *Report) (policy.Decision, bool) {
	if l.o.Explorer == nil {
		return policy.Decision{}, false
	}
	intent := &r.Intent
	c := Circumstances{
		Steady: residuals != margin.Unsteady, Act: intent.Authority == string(rules.AuthorityAct), Woken: l.woken != "",
		Active: l.o.Active != nil, Drift: l.heldByDrift(intent),
	}
	if l.o.Alerts != nil {
		c.Alerts, _ = l.o.Alerts()
	}
	d, explores, err := l.o.Explorer.Explore(o, c)
	if err != nil {
		r.fail(fmt.Errorf("explore: %w", err))
		return policy.Decision{}, false
	}
	if explores {
		intent.Policy, intent.PolicyRole = explorerName, journal.RoleExplorer
	}
	return d, explores
}
