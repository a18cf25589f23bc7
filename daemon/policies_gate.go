package daemon

import (
	"fmt"
	"strings"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/sim/train"
)

// Why a policy is not promoted.
const (
	RefusedArtefact   = "artefact_unverified" // what would be served after a restart is not what is on trial
	RefusedQuarantine = "plugin_quarantined"
	RefusedDown       = "plugin_down"      // also: it does not take its configuration
	RefusedElsewhere  = "canary_elsewhere" // one policy at a time is on trial
	RefusedGate       = "gate_"            // and an item of the gate, as in gate_better
)

// checks are what a policy has to pass before it is promoted; each says what it finds against it.
var checks = []func(*declared) []api.Refusal{checkArtefact, checkPlugin}

// refusals are all that speaks against promoting a policy at this moment.
func (d *Daemon) refusals(m *mesh, x *declared) []api.Refusal {
	out := []api.Refusal{}
	for _, check := range checks {
		out = append(out, check(x)...)
	}
	if why := d.elsewhere(m); why != "" {
		out = append(out, api.Refusal{Code: RefusedElsewhere, Why: why})
	}
	for _, i := range m.gate(x) {
		if i.Open() {
			continue
		}
		why := i.Why
		if i.Needs != "" {
			why += "; it needs " + i.Needs
		}
		out = append(out, api.Refusal{Code: RefusedGate + i.Code, Why: why})
	}
	return out
}

// checkArtefact reads the artefact again: the next start will.
func checkArtefact(x *declared) []api.Refusal {
	if x.artefact == nil {
		return nil
	}
	refuse := func(format string, args ...any) []api.Refusal {
		return []api.Refusal{{Code: RefusedArtefact, Why: fmt.Sprintf(format, args...)}}
	}
	switch now, err := train.Read(x.path); {
	case err != nil:
		return refuse("%v", err)
	case now.Name() != x.artefact.Name():
		return refuse("artefact %s is another one since it was loaded, %s in place of %s; reload", x.path, now.Name(), x.artefact.Name())
	case !now.Verified:
		return refuse("artefact %s: the directory does not have the name of its content, by which its card is verified; name it %s", x.path, now.Name())
	}
	return nil
}

func checkPlugin(x *declared) []api.Refusal {
	if x.plugin == nil {
		return nil
	}
	switch s := x.plugin.host.Status(); {
	case s.Quarantined:
		return []api.Refusal{{Code: RefusedQuarantine, Why: "its plugin is in quarantine until a reload; its last failure: " + s.LastError}}
	case !s.Up:
		return []api.Refusal{{Code: RefusedDown, Why: "its plugin does not answer, and the fallback would decide: " + s.LastError}}
	}
	return nil
}

// PromotionError says why a policy is not promoted.
type PromotionError struct {
	Policy   string
	Refusals []api.Refusal
}

// Error says all of it.
func (e *PromotionError) Error() string {
	var why []string
	for _, r := range e.Refusals {
		why = append(why, fmt.Sprintf("%s (%s)", r.Why, r.Code))
	}
	return fmt.Sprintf("policy %s is not promoted: %s; with --force it is all the same, and the journal says so", e.Policy, strings.Join(why, "; "))
}
