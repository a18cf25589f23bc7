package journal

import (
	"fmt"
	"strings"
	"time"
)

// AuthoritySource is what one source allows at the time of a cycle.
type AuthoritySource struct {
	Source string    `json:"source"`         // file, command, annotation, stop file or demotion
	Level  string    `json:"level"`          // observe, approve or act
	By     string    `json:"by,omitempty"`   // who said so, or the file or object that does
	Since  time.Time `json:"since,omitzero"` // zero: not known
	Why    string    `json:"why,omitempty"`
}

// String is one line of a list of sources.
func (s AuthoritySource) String() string {
	var who []string
	if s.By != "" {
		who = append(who, s.By)
	}
	if !s.Since.IsZero() {
		who = append(who, "since "+s.Since.Format(time.RFC3339))
	}
	text := strings.Join(who, ", ")
	switch {
	case s.Why != "" && text != "":
		text += ": " + s.Why
	case s.Why != "":
		text = s.Why
	}
	return strings.TrimRight(fmt.Sprintf("%-8s %-11s %s", s.Level, s.Source, text), " ")
}

// Approval says which plan an intent applies, and who let it.
type Approval struct {
	ID string `json:"id"`
	By string `json:"by"`
}
