package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

const requestLimit = 64 << 10 // bytes of a request's body

// Done is the answer to a request that was followed.
type Done struct {
	By string `json:"by"` // in whose name it is remembered
}

// acting are the endpoints that change something. Each asks who is there first.
func (s *Server) acting() []endpoint {
	return []endpoint{
		{"POST /-/reload", http.HandlerFunc(s.reload)},
		{"PUT /-/reload", http.HandlerFunc(s.reload)},
		{"PUT /api/v1/meshes/{mesh}/authority", s.act(func(r *http.Request, by string) error {
			var want AuthorityRequest
			if err := body(r, &want); err != nil {
				return err
			}
			if want.Authority == "" {
				return badRequest(`the body says no authority: send {"authority": "observe"}, "approve" or "act"`)
			}
			return s.o.SetAuthority(r.Context(), r.PathValue("mesh"), want.Authority, by)
		})},
		{"POST /api/v1/plans/{id}/approve", s.act(func(r *http.Request, by string) error {
			return s.o.Approve(r.Context(), r.PathValue("id"), by)
		})},
		{"POST /api/v1/plans/{id}/refuse", s.act(func(r *http.Request, by string) error {
			return s.o.Refuse(r.Context(), r.PathValue("id"), by)
		})},
		{"POST /api/v1/meshes/{mesh}/policies/{policy}/promote", s.role(s.o.Promote)},
		{"POST /api/v1/meshes/{mesh}/policies/{policy}/demote", s.role(s.o.Demote)},
		{"PUT /api/v1/meshes/{mesh}/exploration", s.act(s.explore)},
		{"DELETE /api/v1/meshes/{mesh}/exploration", s.act(func(r *http.Request, by string) error {
			return s.o.PauseExploration(r.PathValue("mesh"), by)
		})},
	}
}

// act answers 403 to whoever may not act, and else what do says.
func (s *Server) act(do func(r *http.Request, by string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		by, err := s.caller(r)
		if err != nil {
			fail(w, &Error{http.StatusForbidden, err})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, requestLimit)
		err = do(r, by)
		if err != nil {
			s.o.Logger.Warn("asked to act, which failed", "method", r.Method, "path", r.URL.Path, "by", by, "err", err)
			fail(w, err)
			return
		}
		s.o.Logger.Info("acted as asked", "method", r.Method, "path", r.URL.Path, "by", by)
		for _, m := range s.o.Status().Meshes {
			s.Changed(m.Name)
		}
		answer(w, http.StatusOK, Done{By: by})
	}
}

// body reads the JSON of a request, strictly.
func body(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil && d.More() {
		err = errors.New("there is something behind it")
	}
	switch {
	case errors.Is(err, io.EOF):
		return badRequest("the request has no body; docs/api.md has an example")
	case err != nil:
		return badRequest("the body is not the JSON that is expected: %w", err)
	}
	return nil
}

// reload answers in plain text, as Prometheus does.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	_, bySocket := r.Context().Value(peerKey{}).(string)
	if !s.o.EnableReload && !bySocket {
		text(w, http.StatusForbidden, "Lifecycle API is not enabled; start windvane with --web.enable-lifecycle, or send SIGHUP.")
		return
	}
	by, err := s.caller(r)
	if err != nil {
		text(w, http.StatusForbidden, "Reloading is refused: "+err.Error())
		return
	}
	s.o.Logger.Info("asked to reload", "by", by)
	if err := s.o.Reload(r.Context()); err != nil {
		text(w, http.StatusInternalServerError, "The old configuration stays in force: "+err.Error())
		return
	}
	text(w, http.StatusOK, "Reloaded.")
}
