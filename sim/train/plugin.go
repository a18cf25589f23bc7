package train

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// Plugin says how a policy made its artefact that is none of windvane's own.
type Plugin struct {
	Version  string          `json:"version"`            // of the policy, as it says of itself
	SHA256   string          `json:"sha256"`             // of the program, the first word of the command
	Settings json.RawMessage `json:"settings,omitempty"` // as the rules file has them
	Summary  string          `json:"summary"`            // the policy's own, of its training
	Judged   []Judgement     `json:"judged,omitempty"`   // on the model that it was trained on; none: there was nothing to judge by
}

// Judgement is how a policy did on one load, beside the best that there is.
type Judgement struct {
	Load     string             `json:"load"`                   // "seen" or "unseen"
	Carried  float64            `json:"carried_ratio"`          // nominal, of all that is offered
	Violated map[string]float64 `json:"violated_ratio"`         // by service with a bound
	Reward   *float64           `json:"reward_ratio,omitempty"` // of the optimum's, where the rules ask for one
	Value    *float64           `json:"value_ratio,omitempty"`  // of what the optimum carries within the budgets
}

// named matches the names that a policy may have, as a part of its artefact's.
var named = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// CheckName refuses what cannot be the name of a policy with an artefact.
func CheckName(policy string) error {
	if named.MatchString(policy) {
		return nil
	}
	return fmt.Errorf("the policy calls itself %q; want a letter and at most 39 more letters, digits and dashes, all in lower case", policy)
}
