package authority

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/rules"
)

// Mesh is one mesh of a Store.
type Mesh struct {
	store *Store
	name  string
	gate  chan struct{} // full while a cycle may write
}

// Mesh returns the one of a name, the same each time.
func (s *Store) Mesh(name string) *Mesh {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.meshes[name]
	if m == nil {
		m = &Mesh{store: s, name: name, gate: make(chan struct{}, 1)}
		s.meshes[name] = m
	}
	return m
}

// Enter is called by a cycle that may write, before its last look at Sources; leave when
// it has written. In between nobody is told that the mesh is stopped.
func (m *Mesh) Enter() (leave func()) {
	m.gate <- struct{}{}
	return func() { <-m.gate }
}

// Wait waits for a cycle that is between Enter and leave. What was said before is known to
// every cycle after.
func (m *Mesh) Wait(ctx context.Context) error {
	select {
	case m.gate <- struct{}{}:
		<-m.gate
		return nil
	case <-ctx.Done():
		return fmt.Errorf("mesh %s: a cycle that began before may still write: %w", m.name, ctx.Err())
	}
}

// Demote is Store.Demote of this mesh.
func (m *Mesh) Demote(reason string, at time.Time) error { return m.store.Demote(m.name, reason, at) }

// Sources returns what command, stop file and demotion allow now; those that there are.
func (m *Mesh) Sources() []journal.AuthoritySource {
	s := m.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.save(m.name)
	out := s.said(m.name)
	for _, name := range []string{stopName, stopName + "." + m.name} {
		if stop, ok := stopFile(filepath.Join(s.dir, name)); ok {
			return append(out, stop)
		}
	}
	return out
}

// said returns what command and demotion allow.
func (s *Store) said(mesh string) (out []journal.AuthoritySource) {
	c, err := s.read()
	if err != nil {
		return []journal.AuthoritySource{{
			Source: SourceCommand, Level: string(rules.AuthorityObserve),
			Why: fmt.Sprintf("%v; until it can be read no mesh acts: `windvane mode MESH act` for each of them writes it anew", err),
		}}
	}
	e := c.Meshes[mesh]
	if e.Command == nil {
		e.Command = c.Others
	}
	add := func(source string, w *word) {
		if w != nil {
			out = append(out, journal.AuthoritySource{Source: source, Level: string(w.Level), By: w.By, Since: w.At, Why: w.Why})
		}
	}
	for _, e := range []entry{e, s.unsaved[mesh]} {
		add(SourceCommand, e.Command)
		add(SourceDemotion, e.Demotion)
	}
	return out
}

// stopFile says whether there is one. One that cannot be looked at is one.
func stopFile(path string) (journal.AuthoritySource, bool) {
	out := journal.AuthoritySource{Source: SourceStopFile, Level: string(rules.AuthorityObserve), By: path}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return out, false
	case err != nil:
		out.Why = "whether it exists cannot be said: " + err.Error()
	default:
		out.Since, out.Why = info.ModTime(), "it exists; remove it to go on"
	}
	return out, true
}
