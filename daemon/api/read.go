package api

import (
	"net/http"
	"time"
)

// ObjectiveOf is an objective with whose it is.
type ObjectiveOf struct {
	Mesh    string `json:"mesh"`
	Service string `json:"service"`
	Objective
}

// reading are the endpoints of the API that change nothing.
func (s *Server) reading() []endpoint {
	get := func(path string, read func(r *http.Request) (any, error)) endpoint {
		return endpoint{"GET " + path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v, err := read(r)
			if err != nil {
				fail(w, err)
				return
			}
			answer(w, http.StatusOK, v)
		})}
	}
	return []endpoint{
		get("/api/v1/status", func(*http.Request) (any, error) { return s.o.Status(), nil }),
		get("/api/v1/meshes", func(*http.Request) (any, error) { return s.o.Status().Meshes, nil }),
		get("/api/v1/meshes/{mesh}", func(r *http.Request) (any, error) { return s.mesh(r.PathValue("mesh")) }),
		get("/api/v1/objectives", func(r *http.Request) (any, error) { return s.objectives(r.URL.Query().Get("mesh")) }),
		get("/api/v1/policies", func(r *http.Request) (any, error) { return s.policies(r.URL.Query().Get("mesh")) }),
		get("/api/v1/meshes/{mesh}/policies/{policy}", s.policy),
		get("/api/v1/plans", func(*http.Request) (any, error) { return s.o.Plans(), nil }),
		get("/api/v1/decisions", func(r *http.Request) (any, error) { return s.decisions(r, time.Now()) }),
		get("/api/v1/decisions/{id}", s.decision),
		{"GET /api/v1/decisions/{id}/text", http.HandlerFunc(s.decisionText)},
		get("/api/v1/meshes/{mesh}/services/{service}/history", s.history),
		get("/api/v1/meshes/{mesh}/services/{service}/promise", s.promise),
		get("/api/v1/caller", func(r *http.Request) (any, error) { return s.whoAsks(r), nil }),
		{"GET " + eventsPath, http.HandlerFunc(s.events)},
		{"/api/v1/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fail(w, notFound("there is no %s %s; docs/api.md lists the endpoints", r.Method, r.URL.Path))
		})},
	}
}

func (s *Server) mesh(name string) (*Mesh, error) {
	all := s.o.Status().Meshes
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
	}
	return nil, notFound("no mesh %q; /api/v1/meshes lists them", name)
}

// objectives are those of a mesh, or of all if it is empty.
func (s *Server) objectives(mesh string) ([]ObjectiveOf, error) {
	out := []ObjectiveOf{}
	known := mesh == ""
	for _, m := range s.o.Status().Meshes {
		if mesh != "" && m.Name != mesh {
			continue
		}
		known = true
		for _, x := range m.Services {
			for _, o := range x.Objectives {
				out = append(out, ObjectiveOf{Mesh: m.Name, Service: x.Name, Objective: o})
			}
		}
	}
	if !known {
		return nil, notFound("no mesh %q; /api/v1/meshes lists them", mesh)
	}
	return out, nil
}
