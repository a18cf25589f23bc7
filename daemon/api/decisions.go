package api

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/windvane/windvane/daemon/explain"
)

const (
	defaultLimit = 50   // decisions of one answer
	maximumLimit = 1000 // likewise
	readers      = 2    // requests that read the journal, or an artefact, at the same time
)

// Decisions is one page of them.
type Decisions struct {
	Decisions []explain.Decision `json:"decisions"`      // newest first
	Next      uint64             `json:"next,omitempty"` // ?before= of the next page; left out: there are no more
}

// decisions reads a page from the journal's files: the daemon's cycles do not notice.
func (s *Server) decisions(r *http.Request, now time.Time) (any, error) {
	q, err := query(r.URL.Query(), now)
	if err != nil {
		return nil, err
	}
	if err := s.enter(r); err != nil {
		return nil, err
	}
	defer s.leave()
	found, next, err := explain.Decisions(r.Context(), s.o.Journal, q)
	if err != nil {
		return nil, err
	}
	return Decisions{Decisions: found, Next: next}, nil
}

func (s *Server) decision(r *http.Request) (any, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil || id == 0 {
		return nil, badRequest("%q is no decision's id, which is a number; /api/v1/decisions lists them", r.PathValue("id"))
	}
	if err := s.enter(r); err != nil {
		return nil, err
	}
	defer s.leave()
	e, err := explain.ByID(s.o.Journal, id)
	if errors.Is(err, explain.ErrNotFound) {
		return nil, &Error{http.StatusNotFound, err}
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// enter waits for a turn to read the journal.
func (s *Server) enter(r *http.Request) error {
	select {
	case s.turns <- struct{}{}:
		return nil
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

func (s *Server) leave() { <-s.turns }

// query reads the parameters of a list of decisions. What it does not know is an error: a
// filter that is misspelt must not look like one that finds everything.
func query(v url.Values, now time.Time) (explain.Query, error) {
	q := explain.Query{Limit: defaultLimit}
	for name, values := range v {
		value, err := values[0], error(nil)
		switch name {
		case "mesh":
			q.Mesh = value
		case "limit":
			if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 1 || q.Limit > maximumLimit {
				return q, badRequest("limit=%s is no number from 1 to %d", value, maximumLimit)
			}
		case "before":
			if q.Before, err = strconv.ParseUint(value, 10, 64); err != nil || q.Before == 0 {
				return q, badRequest("before=%s is no decision's id, which is a number", value)
			}
		case "since":
			if q.Since, err = explain.ParseSince(value, now); err != nil {
				return q, badRequest("since=%w", err)
			}
		default:
			return q, badRequest("there is no parameter %s; mesh, limit, before and since are known", name)
		}
	}
	return q, nil
}
