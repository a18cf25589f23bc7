package api

import (
	"net/http"
	"time"

	"github.com/windvane/windvane/sim/promise"
)

// Promise says what a service's promise costs at the load of the last cycle, by a model.
type Promise struct {
	Mesh           string    `json:"mesh"`
	Service        string    `json:"service"`
	At             time.Time `json:"at"` // of the cycle
	Signal         string    `json:"signal"`
	Bound          float64   `json:"bound"`          // seconds
	Target         float64   `json:"target"`         // of the rules: share of intervals within the bound
	Kept           *float64  `json:"kept_ratio"`     // as measured; null: nothing was
	Offered        float64   `json:"offered"`        // requests/s
	Carried        *float64  `json:"carried"`        // requests/s, as measured; null: not known
	OfferedAll     float64   `json:"offered_all"`    // of all services together
	CarriedAll     *float64  `json:"carried_all"`    // likewise; null: that of one of them is not known
	Supported      bool      `json:"supported"`      // the load lies within the data behind the model; else nothing of this is promised
	Policy         string    `json:"policy"`         // whose model it is
	Artefact       string    `json:"artefact"`       // that it is in
	Configurations int       `json:"configurations"` // that the uncertainty is of

	Expected *promise.Expected `json:"expected"` // of the settings in force; null: they are not the model's
	Points   []promise.Point   `json:"points"`
}

// promise reads an artefact from disk and evaluates every action in it.
func (s *Server) promise(r *http.Request) (any, error) {
	if err := s.enter(r); err != nil {
		return nil, err
	}
	defer s.leave()
	return s.o.Promise(r.PathValue("mesh"), r.PathValue("service"))
}
