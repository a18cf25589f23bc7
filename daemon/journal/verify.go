package journal

import (
	"fmt"
	"strings"

	"github.com/windvane/windvane/plugins/policy"
)

// Verified says whether the services of a mesh followed the settings in force, by what was
// observed of their requests.
type Verified struct {
	Converged int `json:"converged,omitempty"` // services
	NotYet    int `json:"not_yet,omitempty"`
	Undecided int `json:"undecided,omitempty"` // nothing is measured, or of too few requests
	Failed    int `json:"failed,omitempty"`

	Away []Away `json:"away,omitempty"` // what does not follow; at most AwayEntries
}

// AwayEntries bounds Verified.Away.
const AwayEntries = 16

// Away is a share of requests that is not as commanded, beyond chance.
type Away struct {
	Service  string        `json:"service"`
	KnobID   policy.KnobID `json:"knob"`
	Low      float64       `json:"low"` // the least and the most that was commanded meanwhile
	High     float64       `json:"high"`
	Observed float64       `json:"observed"`
	Requests float64       `json:"requests"` // about so many
	Cycles   int           `json:"cycles"`   // in a row, in which the service did not follow
}

// Revert says that services did not follow a change in time, so that their settings are put back to
// what was in force before. Blocking is never lowered for it.
type Revert struct {
	Services []string `json:"services"`
	Cycles   int      `json:"back_off_cycles"` // that come before another change may be made; 0: it is put back as soon as it can be
	Held     string   `json:"held,omitempty"`  // why nothing is put back; empty: it is
}

// Reverts reports whether the intent puts settings back, in place of what was decided.
func (i *Intent) Reverts() bool { return i.Revert != nil && i.Revert.Held == "" }

// Lines say for a person what was verified.
func (v *Verified) Lines() []string {
	if v == nil {
		return nil
	}
	var parts []string
	for _, x := range []struct {
		n    int
		text string
	}{
		{v.Converged, "follow their settings"},
		{v.NotYet, "have not had the time to"},
		{v.Failed, "do not"},
		{v.Undecided, "have too few requests to tell"},
	} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.text))
		}
	}
	out := []string{"verified: of the services, " + strings.Join(parts, ", ")}
	for _, a := range v.Away {
		out = append(out, "  "+a.String())
	}
	return out
}

// String says what was commanded and what was seen.
func (a Away) String() string {
	commanded := fmt.Sprintf("%.3g", a.Low)
	if a.KnobID.Kind == policy.Blocking {
		commanded = "at least " + commanded
	} else if a.High > a.Low {
		commanded += fmt.Sprintf(" to %.3g", a.High)
	}
	return fmt.Sprintf("%s: %s is %s, but a share of %.3g was seen, of about %.0f requests; so for %d cycles", a.Service, a.KnobID, commanded, a.Observed, a.Requests, a.Cycles)
}

// Line says for a person what was done about it.
func (r *Revert) Line() string {
	services := strings.Join(r.Services, ", ")
	what := "is put back to what was in force before"
	if r.Held != "" {
		what = "is not put back: " + r.Held
	}
	then := "it is tried again"
	if r.Cycles > 0 {
		then = fmt.Sprintf("in the next %d cycles only blocking may be raised", r.Cycles)
	}
	return fmt.Sprintf("the last change of %s was not followed, and %s; %s", services, what, then)
}
