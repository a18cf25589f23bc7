package journal

import "time"

// KindTrial is the kind of a record with the body Trial.
const KindTrial = "trial"

// Judged is what two models predict of one objective's signal, at the load just measured: for
// the settings in force, for those that a shadow policy aims at, and for those that the active
// policy does. It is in the signal's unit, before any margin, and corrected by
// what was learned of the active policy's model; 0: nothing is predicted, or outside the data behind
// the model.
type Judged struct {
	Service string `json:"service"`
	Signal  string `json:"signal"`

	Live   float64 `json:"live,omitempty"`   // by the shadow's model
	Shadow float64 `json:"shadow,omitempty"` // likewise
	Active float64 `json:"active,omitempty"` // likewise

	ActiveLive   float64 `json:"active_live,omitempty"`   // by the active policy's model
	ActiveShadow float64 `json:"active_shadow,omitempty"` // likewise
	ActiveActive float64 `json:"active_active,omitempty"` // likewise
}

// Trial is what a run of consecutive cycles said of a shadow policy, or of a canary, beside the
// policy that it would take the place of. Sums are over cycles, so that records add up.
type Trial struct {
	Policy   string    `json:"policy"`
	Of       string    `json:"of"`                  // digest of all that makes it the policy that it is
	Active   string    `json:"active"`              // the policy beside it; of a canary itself
	ActiveOf string    `json:"active_of,omitempty"` // digest of that
	From     time.Time `json:"from"`
	To       time.Time `json:"to"` // of the last cycle

	Cycles    int     `json:"cycles"`              // in which it was asked
	Answered  int     `json:"answered,omitempty"`  // usably
	Slow      int     `json:"slow,omitempty"`      // answers that took too long to be the active policy's
	Seconds   float64 `json:"seconds,omitempty"`   // that the slowest answer took
	Decided   int     `json:"decided,omitempty"`   // cycles in which both decided
	Agreed    int     `json:"agreed,omitempty"`    // of these, the ones in which both would have the same in force
	Compared  int     `json:"compared,omitempty"`  // cycles in which both plans could be judged
	Supported int     `json:"supported,omitempty"` // of the answers, those for whose plan its model has data
	Gained    float64 `json:"gained,omitempty"`    // sum of what it would carry more, as a share of the value of the offered load

	Objectives []TrialObjective `json:"objectives,omitempty"`
}

// TrialObjective is the part of one objective in a Trial.
type TrialObjective struct {
	Service string `json:"service"`
	Signal  string `json:"signal"`

	Risk       float64 `json:"risk,omitempty"`        // sum over the compared cycles of the chance that its plan breaks the objective
	ActiveRisk float64 `json:"active_risk,omitempty"` // likewise of the active policy's plan

	Predicted   int     `json:"predicted,omitempty"`    // intervals in which the settings in force were predicted and measured
	Bias        float64 `json:"bias,omitempty"`         // sum of log(measured/predicted) over them
	Error       float64 `json:"error,omitempty"`        // sum of its squares
	MeanError   float64 `json:"mean_error,omitempty"`   // the same of a model that knows nothing but the mean of what was measured
	Both        int     `json:"both,omitempty"`         // of them, those that the active policy's model predicted as well
	BothError   float64 `json:"both_error,omitempty"`   // sum of the squares over those
	ActiveError float64 `json:"active_error,omitempty"` // and of the active policy's model over those

	Same         int     `json:"same,omitempty"`          // intervals in which what it chose was in force, and the objective measured
	SameViolated float64 `json:"same_violated,omitempty"` // sum of the errors that were measured
	Said         int     `json:"said,omitempty"`          // of them, those of which it said a chance to break the objective
	SaidRisk     float64 `json:"said_risk,omitempty"`     // sum of those chances
	SaidViolated float64 `json:"said_violated,omitempty"` // sum of the errors over those
}
