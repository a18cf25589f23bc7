package journal

import (
	"fmt"
	"strings"
	"time"
)

// KindRole is the kind of a record with the body RoleChange.
const KindRole = "role"

// RoleChange says that a person has promoted or demoted a policy of a mesh, or that windvane has
// demoted a canary. It may come twice,
// with the same time, where the daemon ended while it was written.
type RoleChange struct {
	At      time.Time `json:"at"`      // when it was said
	Command string    `json:"command"` // promote or demote
	Policy  string    `json:"policy"`
	Was     string    `json:"was,omitempty"`    // the policy that was active; empty: none was
	Active  string    `json:"active,omitempty"` // the one that is from the next cycle on; empty: none, so that the fallback decides
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	Forced  []string  `json:"forced,omitempty"` // codes of the refusals that were overridden
	Canary  bool      `json:"canary,omitempty"` // the active one decides on trial, with smaller steps
}

// The commands of a RoleChange.
const (
	CommandPromote = "promote"
	CommandDemote  = "demote"
)

// Standing says since when the policy that decided is active, who had it so, and which artefact
// it decides with.
type Standing struct {
	Since    time.Time `json:"since,omitzero"`     // zero: not known
	By       string    `json:"by,omitempty"`       // the person; empty: the rules file
	Reason   string    `json:"reason,omitempty"`   // of that person
	Artefact string    `json:"artefact,omitempty"` // name of its directory, which is that of its content; empty: none
	Canary   bool      `json:"canary,omitempty"`   // it decides on trial, with smaller steps
}

// String is that in a few words; empty: nothing is known.
func (s Standing) String() string {
	var parts []string
	if !s.Since.IsZero() {
		word := "active"
		if s.Canary {
			word = "canary"
		}
		parts = append(parts, word+" since "+s.Since.Format(time.RFC3339))
	}
	if s.Artefact != "" {
		parts = append(parts, "artefact "+s.Artefact)
	}
	if s.By != "" {
		parts = append(parts, fmt.Sprintf("by %s: %s", s.By, s.Reason))
	}
	return strings.Join(parts, ", ")
}
