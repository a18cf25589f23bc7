package api

import (
	"fmt"
	"net/http"
	"time"
)

// ExplorationRequest is the body of PUT /api/v1/meshes/{mesh}/exploration. DELETE has none.
type ExplorationRequest struct {
	Intervals int     `json:"intervals"`
	Allowance float64 `json:"allowance"` // violated intervals of each objective
	Seed      uint64  `json:"seed,omitempty"`
}

// Exploration is how far an exploration is that a person asked for.
type Exploration struct {
	Began      time.Time `json:"began"`
	By         string    `json:"by"`
	Phase      string    `json:"phase"`             // running, returning or ending (the settings of before are given back), paused, done or failed
	Waiting    string    `json:"waiting,omitempty"` // why nothing is tried just now, or why it does not go on
	Measured   int       `json:"measured"`          // intervals, of Intervals
	Intervals  int       `json:"intervals"`
	Allowance  float64   `json:"allowance"`
	Protective bool      `json:"protective"` // that nothing of the allowance is left cannot be ruled out
	Spent      []Spent   `json:"spent"`
}

// Spent is what it has cost one objective.
type Spent struct {
	Service  string  `json:"service"`
	Signal   string  `json:"signal"`
	Violated float64 `json:"violated"` // intervals in which it tried something
	Baseline float64 `json:"baseline"` // that are expected to have been without that
	Unsure   float64 `json:"unsure"`   // standard deviation of Baseline
	Extra    float64 `json:"extra"`
	Most     float64 `json:"most"` // Extra as it is held against the allowance: with what is not known on the safe side
}

// Largest is the most that was spent of any objective.
func (x *Exploration) Largest() (extra, most float64) {
	for i, s := range x.Spent {
		if i == 0 || s.Most > most {
			extra, most = s.Extra, s.Most
		}
	}
	return extra, most
}

// explorationLines say for a person how far it is.
func (m Mesh) explorationLines() []string {
	x := m.Exploration
	if x == nil {
		return nil
	}
	extra, most := x.Largest()
	line := fmt.Sprintf("exploration %s: %d of %d intervals, %.1f extra violations, likely at most %.1f, of %g", x.Phase, x.Measured, x.Intervals, extra, most, x.Allowance)
	if x.Waiting != "" {
		line += "; " + x.Waiting
	}
	return []string{line}
}

// explore answers the endpoint that begins an exploration, or goes on with one.
func (s *Server) explore(r *http.Request, by string) error {
	var want ExplorationRequest
	if err := body(r, &want); err != nil {
		return err
	}
	return s.o.Explore(r.PathValue("mesh"), by, want)
}
