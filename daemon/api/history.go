package api

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/explain"
)

const (
	defaultSpan = 15 * time.Minute
	maximumSpan = 24 * time.Hour
)

// history is what the journal has of a service, back from the mesh's newest cycle.
func (s *Server) history(r *http.Request) (any, error) {
	span := defaultSpan
	for name, values := range r.URL.Query() {
		if name != "last" {
			return nil, badRequest("there is no parameter %s; last is known", name)
		}
		d, err := model.ParseDuration(values[0])
		if span = time.Duration(d); err != nil || span <= 0 || span > maximumSpan {
			return nil, badRequest("last=%s is no duration up to %s, such as 15m", values[0], model.Duration(maximumSpan))
		}
	}
	m, err := s.mesh(r.PathValue("mesh"))
	if err != nil {
		return nil, err
	}
	if err := s.enter(r); err != nil {
		return nil, err
	}
	defer s.leave()
	out, err := explain.ServiceHistory(r.Context(), s.o.Journal, r.PathValue("mesh"), r.PathValue("service"), len(m.Services), span)
	if errors.Is(err, explain.ErrNotFound) {
		return nil, &Error{http.StatusNotFound, err}
	}
	return out, err
}

// decisionText is what `windvane explain` prints of a decision.
func (s *Server) decisionText(w http.ResponseWriter, r *http.Request) {
	found, err := s.decision(r)
	if err != nil {
		fail(w, err)
		return
	}
	var b bytes.Buffer
	e, ok := found.(*explain.Explanation)
	if ok {
		err = e.WriteText(&b)
	}
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b.Bytes()) // the client may have gone
}
