package api

import (
	"fmt"

	"github.com/windvane/windvane/daemon/journal"
)

// VerifyState says whether a mesh follows its settings, and what speaks against leaving it
// to the policy.
type VerifyState struct {
	Verified  *journal.Verified `json:"verified"`         // of the last interval; null: nothing could be judged
	Revert    *journal.Revert   `json:"revert,omitempty"` // in the last cycle
	HarmRatio float64           `json:"harm_ratio"`       // how near the evidence of harm is to a demotion, on a logarithmic scale: 0 nothing, 1 demoted
}

// VerifyLines say it for a person.
func (v VerifyState) VerifyLines() []string {
	out := v.Verified.Lines()
	if v.Revert != nil {
		out = append(out, v.Revert.Line())
	}
	if v.HarmRatio > 0 {
		out = append(out, fmt.Sprintf("harm: the evidence has come %.0f%% of the way to a demotion", 100*v.HarmRatio))
	}
	return out
}
