package policy

import (
	"context"
	"time"
)

// ObjectiveKind is how an objective's indicator becomes an error in [0,1].
type ObjectiveKind string

// The kinds of objectives.
const (
	LatencyObjective ObjectiveKind = "latency" // error 1 in an interval whose signal is above the bound, else 0
	RatioObjective   ObjectiveKind = "ratio"   // error = bad requests over all
)

// Objective is one promise about a service, with the control state that the host keeps for it.
type Objective struct {
	Signal string        `json:"signal"` // name of the signal in State
	Kind   ObjectiveKind `json:"kind"`
	Bound  float64       `json:"bound"`  // seconds; latency only
	Budget float64       `json:"budget"` // 1 - target: allowed long-run mean of the error

	// What the host knows of how far the model can be trusted. A policy that plans
	// multiplies its prediction for an action by the factor that the correction gives for
	// it, by 1+Residual, by 1 + Lag*residual, and by 1 + Margin*Prediction.Scale (a margin
	// below zero has no unit: 1+Margin), before it holds it against the bound; rules/margin
	// has the code (Judge). The zero values change nothing.
	Margin     float64   `json:"margin"`
	Correction []float64 `json:"correction,omitempty"` // coefficients over Terms: of the log of the factor on the model's prediction
	Residual   float64   `json:"residual"`             // relative residual to be expected, where the host knows it already
	Price      float64   `json:"price"`                // value of carried load that one violation costs, for a policy that prices violations instead of keeping a margin

	// Lag is the share of the last relative residual that is expected again, and Residual
	// 0, where the host cannot know that residual yet: the prediction for the live action
	// at the load just measured, ExpectedLive, comes with the decision. The policy has
	// both that prediction and the measurement, in State, and needs nothing more, so
	// Decide stays pure and is asked once. Nothing is expected where the signal is not
	// valid, or the live action has no support.
	Lag float64 `json:"lag"`

	// Calibrated says that the objective was broken about as often as the decisions'
	// predictions said (Prediction.Risk), so that a policy may price the risk.
	Calibrated bool `json:"calibrated,omitempty"`
}

// Service is one service of the mesh.
type Service struct {
	Name       string      `json:"name"`
	Value      float64     `json:"value"` // worth of one carried request
	Floor      float64     `json:"floor"` // carried load that must not be blocked away, requests/s
	Objectives []Objective `json:"objectives"`
}

// Limits are the guard's limits, given to policies so that edits are rare.
type Limits struct {
	MaxStep       float64 `json:"max_step"`       // largest change of a weight, and of blocking downwards, in one cycle
	TotalBlocking float64 `json:"total_blocking"` // largest share of all offered requests that may be blocked

	// Frozen says that in this cycle only raising blocking is admitted, by the guard's
	// reason code, such as "cooldown"; empty: everything is.
	Frozen string `json:"frozen,omitempty"`
}

// Observation is all that a policy may use for a decision.
type Observation struct {
	Mesh     string    `json:"mesh"`
	At       time.Time `json:"at"`
	State    State     `json:"state"`
	Live     Action    `json:"live"`
	Knobs    []Knob    `json:"knobs"` // in the order of actions
	Limits   Limits    `json:"limits"`
	Services []Service `json:"services"` // sorted by name
}

// Prediction is what a policy expects of one objective's signal, before any margin.
type Prediction struct {
	Service   string  `json:"service"`
	Signal    string  `json:"signal"`
	Value     float64 `json:"value"`     // in the signal's unit
	Supported bool    `json:"supported"` // false: outside the data behind the model; nothing is promised

	// Risk is the chance, 0 to 1, that the signal will be above the objective's bound, by
	// all that the policy was told except the margin; 0: it does not say.
	Risk float64 `json:"risk,omitempty"`

	// Scale is how large the policy's relative errors are where it predicts so much, beside
	// those of all its predictions: the unit of the margin on it. 0: as large, 1.
	Scale float64 `json:"scale,omitempty"`
}

// ErrorScale is Scale, 1 where the policy does not say.
func (p Prediction) ErrorScale() float64 {
	if p.Scale > 0 {
		return p.Scale
	}
	return 1
}

// Alternative is an action that was considered and not chosen.
type Alternative struct {
	Action Action  `json:"action"`
	Score  float64 `json:"score"` // value of the predicted carried load, less costs
	Reason string  `json:"reason"`
}

// MaxAlternatives bounds Decision.Alternatives.
const MaxAlternatives = 5

// Decision is a policy's answer.
type Decision struct {
	Action       Action        `json:"action"`
	Abstain      bool          `json:"abstain,omitempty"`    // no opinion: the host holds the live action
	Infeasible   bool          `json:"infeasible,omitempty"` // no action meets every objective under its margin
	Expected     []Prediction  `json:"expected,omitempty"`   // for Action at the load just measured
	ExpectedLive []Prediction  `json:"expected_live,omitempty"`
	Alternatives []Alternative `json:"alternatives,omitempty"`
	Reason       string        `json:"reason"` // a sentence for a person
}

// Description is what a policy says of itself.
type Description struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Artefact bool   `json:"artefact"` // Configure needs a trained artefact

	// What it is besides. Whoever serves the policy fills these in.
	Trains  bool `json:"trains,omitempty"`  // a Trainer
	Exports bool `json:"exports,omitempty"` // an Exporter
}

// Config is what a policy is configured with.
type Config struct {
	Settings []byte // the policy's own table of the rules file as canonical JSON; empty: defaults
	Card     []byte // the artefact's card, JSON; empty where Description.Artefact is false
	Artefact []byte // the trained artefact
}

// Policy decides. Decide is pure and deterministic: the same Observation gets
// the same Decision, in any order of calls and after a restart. It is called by
// one goroutine at a time; it returns an error, and never panics, for an
// Observation that it cannot use.
type Policy interface {
	Describe(ctx context.Context) (Description, error)
	Configure(ctx context.Context, config Config) error
	Decide(ctx context.Context, observation Observation) (Decision, error)
}
