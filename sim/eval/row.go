package eval

// The names of what a row is about.
const (
	LoadSeen   = "seen"   // every combination of the loads that the table was made at
	LoadUnseen = "unseen" // sinusoids between the least and the greatest of them

	OnModel   = "model"    // the truth is the model of all data
	OnHeldOut = "held_out" // the truth is a model of the configurations that the policy's model did not see
	OnSample  = "sample"   // the same truth, where the policy's model has seen Options.SampleRows rows of the others only
)

// Row says how one policy did under one objective and load, over all seeds.
type Row struct {
	Policy    string `json:"policy"`
	Artefact  string `json:"artefact,omitempty"` // its directory's name, where one was judged
	Objective string `json:"objective"`          // "reward" or "budget"
	Load      string `json:"load"`               // "seen" or "unseen"
	On        string `json:"on"`                 // "model", "held_out" or "emulator"
	Seeds     int    `json:"seeds"`

	// RewardRatio is, under "reward", the reward on the truth's mean as a share of the
	// optimum's; under "budget", the value of the nominal carried load less costs as a
	// share of the optimum's, which a policy can exceed only by breaking its budget.
	// Nil where the optimum has none.
	RewardRatio   *float64           `json:"reward_ratio"`
	ViolatedRatio map[string]float64 `json:"violated_ratio"` // by service with a bound: share of intervals whose measured latency is above it
	CarriedRatio  float64            `json:"carried_ratio"`  // nominal, offered (1 - blocking), of what is offered
	// CarriedMeasuredRatio is what a model of the measured carried load predicts, of
	// what is offered: blocking can be a rate limit. Nil where it was never measured.
	CarriedMeasuredRatio *float64 `json:"carried_measured_ratio"`

	Regret      *Estimate           `json:"regret"`             // 1 - RewardRatio; nil where that is
	Violated    map[string]Estimate `json:"violated"`           // ViolatedRatio, with its interval
	WorstWindow map[string]float64  `json:"worst_window_ratio"` // by service: violated in the worst 100 intervals of a run, mean over seeds
}

// Report is the answer of Evaluate.
type Report struct {
	Rows     []Row              `json:"rows"`
	Seed     uint64             `json:"seed"`
	Seeds    int                `json:"seeds"`
	Budget   map[string]float64 `json:"budget"` // by service with a bound
	Frontier []FrontierPoint    `json:"frontier"`
	LoadStep LoadStep           `json:"load_step"`
	Timeline *Timeline          `json:"-"` // nil without a policy that plans under margins
}
