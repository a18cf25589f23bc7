package journal

import (
	"fmt"

	"github.com/windvane/windvane/plugins/policy"
)

// KindShadow is the kind of a record with the body Shadow.
const KindShadow = "shadow"

// Shadow is what the shadow policies of a mesh answered in a cycle: what they would have
// done, in the place of the active one. Nothing follows from it. It comes after the
// intent of the same cycle, and is missing where no policy was asked.
type Shadow struct {
	Cycle   uint64         `json:"cycle"`
	Answers []ShadowAnswer `json:"answers"` // in the order of the rules file
}

// ShadowAnswer is the answer of one shadow policy, as it gave it: no guard has limited it.
// Lists are cut at ShadowEntries, texts at ShadowText, so that many services or a talkative policy
// do not fill the disk.
type ShadowAnswer struct {
	Policy     string              `json:"policy"`
	Error      string              `json:"error,omitempty"` // why there is no answer; the members below are zero then
	Reason     string              `json:"reason,omitempty"`
	Abstain    bool                `json:"abstain,omitempty"`
	Infeasible bool                `json:"infeasible,omitempty"`
	Changes    []policy.Change     `json:"changes,omitempty"`      // from the settings in force
	Expected   []policy.Prediction `json:"expected,omitempty"`     // for the settings that it wants
	CutChanges int                 `json:"cut_changes,omitempty"`  // how many more there were
	CutExpects int                 `json:"cut_expected,omitempty"` // likewise
	Aim        []policy.Change     `json:"aim,omitempty"`          // from the settings in force to where it would go without regard to steps and pace, after the guard
	CutAim     int                 `json:"cut_aim,omitempty"`      // likewise
	Judged     []Judged            `json:"judged,omitempty"`       // its aim, beside the active policy's
	CutJudged  int                 `json:"cut_judged,omitempty"`   // likewise
	Seconds    float64             `json:"seconds,omitempty"`      // that the answer took
}

// The bounds of a ShadowAnswer.
const (
	ShadowEntries = 64  // of each list
	ShadowText    = 512 // bytes of each text
)

// Cut bounds the answer.
func (a *ShadowAnswer) Cut() {
	a.Changes, a.CutChanges = first(a.Changes, ShadowEntries)
	a.Expected, a.CutExpects = first(a.Expected, ShadowEntries)
	a.Aim, a.CutAim = first(a.Aim, ShadowEntries)
	a.Judged, a.CutJudged = first(a.Judged, ShadowEntries)
	a.Reason, a.Error = head(a.Reason, ShadowText), head(a.Error, ShadowText)
}

// first returns at most n elements, and how many were left out.
func first[T any](list []T, n int) ([]T, int) {
	if len(list) <= n {
		return list, 0
	}
	return list[:n:n], len(list) - n
}

// head returns at most n bytes of a text, without half a character at its end.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// Line says for a person what the policy would have done.
func (a ShadowAnswer) Line() string {
	changes := len(a.Changes) + a.CutChanges
	does := fmt.Sprintf("would change %d settings", changes)
	switch {
	case a.Error != "":
		return fmt.Sprintf("%s: no answer: %s", a.Policy, a.Error)
	case a.Abstain:
		does = "has no opinion"
	case changes == 0:
		does = "would change nothing"
	case changes == 1:
		does = "would change 1 setting"
	}
	if a.Reason != "" {
		does += ": " + a.Reason
	}
	return a.Policy + " " + does
}
