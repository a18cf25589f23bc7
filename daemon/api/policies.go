package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Policy is one policy that a rules file declares, or the one that is the fallback without
// being declared.
type Policy struct {
	Mesh     string    `json:"mesh"`
	Name     string    `json:"name"`
	Role     string    `json:"role"`               // active, canary, shadow, candidate, retired or fallback
	Since    time.Time `json:"since,omitzero"`     // it has that role
	By       string    `json:"by,omitempty"`       // the person who gave it; empty: the rules file
	Reason   string    `json:"reason,omitempty"`   // of that person
	Forced   []string  `json:"forced,omitempty"`   // codes of the refusals that were overridden
	Declared string    `json:"declared,omitempty"` // the role in the rules file; empty: it is not declared
	Kind     string    `json:"kind"`               // name of a built-in policy, or the command's program
	Artefact string    `json:"artefact,omitempty"` // directory of what it decides with
	Trained  *Trained  `json:"trained,omitempty"`  // null: it decides without an artefact
	Plugin   *Plugin   `json:"plugin"`             // its process; null: it runs inside the daemon
	Agrees   *Agrees   `json:"agrees,omitempty"`   // of a shadow; null: it was not compared yet

	Gate []GateItem `json:"gate,omitempty"` // of a shadow, a canary or a candidate: what it has to show, item by item
}

// Word says in one or two words whether the policy can decide.
func (p Policy) Word() string {
	switch {
	case p.Plugin == nil:
		return "in the daemon"
	case p.Plugin.Quarantined:
		return "quarantined"
	case !p.Plugin.Up:
		return "down"
	}
	return "up"
}

// State says for a person whether the policy can decide, and why it cannot.
func (p Policy) State() string {
	if p.Plugin == nil {
		return "in the daemon"
	}
	return p.Plugin.text()
}

// Trained says what an artefact was made from.
type Trained struct {
	ID             string    `json:"id"`               // name of the artefact, from its content
	Written        time.Time `json:"written,omitzero"` // as the file system has it
	Rows           int       `json:"rows"`
	Configurations int       `json:"configurations"`
	Seed           uint64    `json:"seed"`
}

// Agrees says how often a shadow policy wanted what the active one did, since these two are
// what they are, in at most the newest two weeks of intervals of 5 s.
type Agrees struct {
	Cycles int `json:"cycles"` // in which both answered
	Same   int `json:"same"`   // of these, the ones in which both wanted the same settings
}

// PolicyDetail is all that is known of a policy.
type PolicyDetail struct {
	Policy
	Settings json.RawMessage `json:"settings,omitempty"` // of the rules file
	Card     json.RawMessage `json:"card,omitempty"`     // of the artefact
	Gap      []ModelGap      `json:"gap,omitempty"`      // of the active policy and of a canary: its model against what is measured
	Refusals []Refusal       `json:"refusals"`           // what speaks against promoting it now
}

// GateItem is one thing that a policy has to show before it is promoted.
type GateItem struct {
	Item  string `json:"item"`
	State string `json:"state"`           // pass, fail, not_enough_data or not_required
	Why   string `json:"why"`             // with figures
	Needs string `json:"needs,omitempty"` // what is missing
}

// ModelGap is how far a model, as it was trained, is from what is measured, for one objective in
// one region of the settings. Null: not known.
type ModelGap struct {
	Service   string   `json:"service"`
	Signal    string   `json:"signal"`
	Region    string   `json:"region"` // open or shed: nothing or something of the service is blocked; even or skewed: its routing
	Intervals int      `json:"intervals"`
	Median    *float64 `json:"median"`   // of measured/predicted - 1
	Upper     *float64 `json:"upper"`    // its .95 quantile
	Carried   *float64 `json:"carried"`  // carried load over what the settings admit, less 1
	Violated  *float64 `json:"violated"` // share of intervals that broke the objective, less the share that was expected
}

// Refusal says why a policy is not promoted.
type Refusal struct {
	Code string `json:"code"`
	Why  string `json:"why"`
}

// RoleRequest is the body of POST /api/v1/meshes/{mesh}/policies/{policy}/promote and …/demote.
type RoleRequest struct {
	Reason string `json:"reason"`
	Force  bool   `json:"force,omitempty"` // promote in spite of refusals
}

// policy is one of a mesh. Its artefact is read from disk.
func (s *Server) policy(r *http.Request) (any, error) {
	if err := s.enter(r); err != nil {
		return nil, err
	}
	defer s.leave()
	return s.o.Policy(r.PathValue("mesh"), r.PathValue("policy"))
}

// policies are those of a mesh, or of all if it is empty.
func (s *Server) policies(mesh string) ([]Policy, error) {
	if mesh != "" {
		if _, err := s.mesh(mesh); err != nil {
			return nil, err
		}
	}
	out := []Policy{}
	for _, p := range s.o.Policies() {
		if mesh == "" || p.Mesh == mesh {
			out = append(out, p)
		}
	}
	return out, nil
}

// role answers the endpoint that promotes, and the one that demotes.
func (s *Server) role(change func(mesh, policy, by string, q RoleRequest) error) http.HandlerFunc {
	return s.act(func(r *http.Request, by string) error {
		var want RoleRequest
		if err := body(r, &want); err != nil {
			return err
		}
		if want.Reason = strings.TrimSpace(want.Reason); want.Reason == "" {
			return badRequest(`the body says no reason, which the journal keeps: send {"reason": "…"}`)
		}
		if len(want.Reason) > maxReason {
			return badRequest("the reason is of %d bytes, want at most %d", len(want.Reason), maxReason)
		}
		return change(r.PathValue("mesh"), r.PathValue("policy"), by, want)
	})
}

const maxReason = 512 // bytes: each decision is recorded with it
