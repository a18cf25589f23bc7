package journal

import (
	"encoding/json"

	"github.com/windvane/windvane/plugins/policy"
)

// The kinds of records, each with its body.
const (
	KindStart   = "start"   // Start
	KindIntent  = "intent"  // Intent
	KindOutcome = "outcome" // Outcome
	KindNote    = "note"    // Note
	KindRelease = "release" // Release
)

// Start is written once each time the daemon starts.
type Start struct {
	Version      string   `json:"version"`
	ConfigSHA256 string   `json:"config_sha256"` // of the configuration in force, hexadecimal
	Meshes       []string `json:"meshes"`
}

// The roles that a deciding policy may have in Intent.PolicyRole.
const (
	RoleActive   = "active"
	RoleFallback = "fallback"
	RoleExplorer = "explorer" // settings are tried because a person asked for it
	RoleNone     = "none"     // no policy was asked
)

// Intent is what one cycle saw, decided and is about to do. It is on disk before
// anything is applied.
type Intent struct {
	Cycle          uint64                     `json:"cycle"`
	Authority      string                     `json:"authority"` // the effective one: observe, approve or act
	Policy         string                     `json:"policy"`    // who decided; empty: nobody
	PolicyRole     string                     `json:"policy_role"`
	FallbackReason string                     `json:"fallback_reason,omitempty"` // why the active policy did not decide
	State          policy.State               `json:"state"`
	Live           policy.Action              `json:"live,omitempty"`     // in force when the policy was asked
	Services       []policy.Service           `json:"services,omitempty"` // with the control state handed to the policy
	Limits         policy.Limits              `json:"limits,omitzero"`
	Knobs          []policy.Knob              `json:"knobs,omitempty"`
	Decision       *policy.Decision           `json:"decision,omitempty"`          // as the policy gave it; nil: none. Of an alternative's action only what differs, as far as it is short
	Guarded        policy.Action              `json:"guarded,omitempty"`           // the decision after the guard
	Edits          []Edit                     `json:"edits,omitempty"`             // what the guard changed
	Plan           []policy.Change            `json:"plan,omitempty"`              // from Live to Guarded
	Act            bool                       `json:"act"`                         // the plan will be applied
	Hold           string                     `json:"hold,omitempty"`              // reason code of doing nothing; empty: something is done
	Control        json.RawMessage            `json:"control,omitempty"`           // the host's control state, for restarts; opaque here
	Commanded      policy.Action              `json:"commanded,omitempty"`         // what windvane left in force, against which drift is held
	Baseline       map[string]json.RawMessage `json:"baseline,omitempty"`          // what was there before windvane wrote, by object, in the actuators' words
	Drift          []policy.Change            `json:"drift,omitempty"`             // what somebody else has changed, from Commanded to Live
	HandedOver     bool                       `json:"handed_over,omitempty"`       // what is in force is the others' to set, until windvane has read it and may act again
	Sources        []AuthoritySource          `json:"authority_sources,omitempty"` // of the authority; the file's alone is left out
	Pending        string                     `json:"pending,omitempty"`           // ID of the plan that waits for a person
	Superseded     string                     `json:"superseded,omitempty"`        // why the plan that waited is gone
	Approval       *Approval                  `json:"approval,omitempty"`          // the plan was approved; nil: it was not
	Woken          string                     `json:"woken,omitempty"`             // why the cycle came before its time, between two intervals; empty: it did not
	Alerts         []Alert                    `json:"alerts,omitempty"`            // that fired, the newest of them
	AlertsOmitted  int                        `json:"alerts_omitted,omitempty"`    // how many more did
	Evidence       json.RawMessage            `json:"evidence,omitempty"`          // the host's, against leaving the mesh to the policy, for restarts; opaque here
	HarmRatio      float64                    `json:"harm_ratio,omitempty"`        // how near it is to a demotion for harm, from 0 to 1
	Revert         *Revert                    `json:"revert,omitempty"`            // a change was not followed; nil: none
	Frozen         string                     `json:"frozen,omitempty"`            // more of why Limits.Frozen admits nothing but raising blocking
	Changes        []int64                    `json:"changes,omitempty"`           // when changes were made that the pace counts, this intent's included; Unix milliseconds, oldest first
	Unresolved     uint64                     `json:"unresolved,omitempty"`        // cycle of an intent that acted and has no outcome yet, because nothing could be read since the start
	Standing       *Standing                  `json:"standing,omitempty"`          // of the active policy, if that decided
	Steady         bool                       `json:"steady,omitempty"`            // what was measured is of the settings in force
}

// Edit is one change that the guard made to a decision.
type Edit struct {
	Reason string        `json:"reason"` // the guard's reason code
	KnobID policy.KnobID `json:"knob"`
	From   float64       `json:"from"`
	To     float64       `json:"to"`
}

// The results of an intent.
const (
	ResultConverged  = "converged"   // written and seen in force
	ResultFailed     = "failed"      // not, or only partly, written
	ResultDrifted    = "drifted"     // written, and changed by somebody else since
	ResultNotApplied = "not_applied" // there was nothing to do, no authority to do it, or the daemon ended before it wrote
	ResultUnknown    = "unknown"     // what is in force could not be read
)

// Outcome closes the intent of the same mesh and cycle.
type Outcome struct {
	Cycle  uint64           `json:"cycle"`
	Result string           `json:"result"`
	Error  string           `json:"error,omitempty"`
	Live   policy.Action    `json:"live"`             // seen afterwards
	State  policy.State     `json:"state"`            // measured afterwards
	Errors []ObjectiveError `json:"errors,omitempty"` // of the interval, one for each objective
	// Partial says that what was measured is not of an interval under settings that stayed: the
	// cycle that tells the outcome was woken, or the intent was of one that was, or samples are of
	// a time when the last change was settling.
	Partial bool `json:"partial,omitempty"`

	Verified *Verified `json:"verified,omitempty"` // nil: nothing could be judged
}

// ObjectiveError is the error of one objective over the interval after an intent.
type ObjectiveError struct {
	Service  string  `json:"service"`
	Signal   string  `json:"signal"`
	Error    float64 `json:"error"`    // 0 to 1; meaningless unless Known
	Known    bool    `json:"known"`    // the signal was valid and new
	Counted  bool    `json:"counted"`  // the interval moved the objective's debt
	Expected float64 `json:"expected"` // the signal predicted for the live action, in its unit
}

// Note is a remark for the reader of the journal: a repair, a reload, a demotion.
type Note struct {
	Level   string `json:"level"` // info, warn or error
	Message string `json:"message"`
}

// Release says that the settings were given back: what was commanded, and the baselines, are
// of no meaning any more.
type Release struct {
	Objects []string `json:"objects"`          // that were restored, or were so already
	Forced  bool     `json:"forced"`           // over the changes of others
	Reason  string   `json:"reason,omitempty"` // why windvane did it by itself; empty: a person did
}
