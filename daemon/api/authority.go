package api

import (
	"fmt"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
)

// AuthorityRequest is the body of PUT /api/v1/meshes/{mesh}/authority. POST
// /api/v1/plans/{id}/approve has none.
type AuthorityRequest struct {
	Authority string `json:"authority"` // observe, approve or act
}

// AuthorityState is what may be done with a mesh, and who says so.
type AuthorityState struct {
	Sources    []journal.AuthoritySource `json:"authority_sources"`      // the authority is the least of them
	Pending    *Plan                     `json:"pending_plan,omitempty"` // waits for a person; null: none does
	Superseded string                    `json:"superseded,omitempty"`   // why a plan that waited was taken away in the last cycle
}

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

// Lines say for a person what waits, and what to do about it.
func (p Plan) Lines() []string {
	out := []string{fmt.Sprintf("plan %s of mesh %s waits until %s: `windvane approve %[1]s` has it applied", p.ID, p.Mesh, p.Expires.Format(time.RFC3339))}
	if p.Approved != "" {
		out[0] = fmt.Sprintf("plan %s of mesh %s, approved by %s: the next cycle that admits it applies it", p.ID, p.Mesh, p.Approved)
	}
	for _, c := range p.Changes {
		out = append(out, fmt.Sprintf("  %s from %.4g to %.4g", c.KnobID, c.From, c.To))
	}
	return out
}

// SourceLines say for a person who allows what. The rules file's word alone needs none.
func (a AuthorityState) SourceLines() []string {
	var out []string
	for _, s := range a.Sources {
		out = append(out, s.String())
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

// planLines say what became of plans that wait for a person.
func (a AuthorityState) planLines() []string {
	var out []string
	if a.Superseded != "" {
		out = append(out, "no longer to be approved: "+a.Superseded)
	}
	if a.Pending != nil {
		out = append(out, a.Pending.Lines()...)
	}
	return out
}
