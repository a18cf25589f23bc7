package api

import (
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// Plan is one that waits for a person's approval.
type Plan struct {
	ID       string          `json:"id"`
	Mesh     string          `json:"mesh"`
	Cycle    uint64          `json:"cycle"` // that made it
	At       time.Time       `json:"at"`
	Expires  time.Time       `json:"expires"`
	Policy   string          `json:"policy"`
	Reason   string          `json:"reason,omitempty"`
	Changes  []policy.Change `json:"changes"`
	Approved string          `json:"approved_by,omitempty"` // it is applied by the next cycle that admits it
}
