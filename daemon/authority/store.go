package authority

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/windvane/windvane/internal/atomicfile"
	"github.com/windvane/windvane/rules"
)

const (
	fileName = "authority.json"
	stopName = "stop" // stop.MESH for one mesh
)

// Store is what is said of the meshes at run time. It may be used by several goroutines,
// and several processes may have one on the same directory.
type Store struct {
	dir string

	mu      sync.Mutex
	unsaved map[string]entry // lowers, though it could not be written
	meshes  map[string]*Mesh
}

// Open returns the store of a state directory. Nothing is read yet.
func Open(dir string) *Store {
	return &Store{dir: dir, unsaved: map[string]entry{}, meshes: map[string]*Mesh{}}
}

// content is the file.
type content struct {
	Meshes map[string]entry `json:"meshes"`
	Others *word            `json:"others,omitempty"` // for every mesh without a command
}

// entry is what is said of one mesh.
type entry struct {
	Command  *word `json:"command,omitempty"`
	Demotion *word `json:"demotion,omitempty"`
}

// word is what somebody said.
type word struct {
	Level rules.Authority `json:"level"`
	By    string          `json:"by"`
	At    time.Time       `json:"at"`
	Why   string          `json:"why,omitempty"`
}

// corruptError says that the file is there, and cannot be understood.
type corruptError struct{ error }

func (e corruptError) Unwrap() error { return e.error }

// File is where commands and demotions are in a state directory.
func File(dir string) string { return filepath.Join(dir, fileName) }

func (s *Store) path() string { return File(s.dir) }

// read reads the file; without one nothing is said.
func (s *Store) read() (content, error) {
	b, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return content{}, nil
	}
	if err != nil {
		return content{}, err
	}
	var c content
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err = d.Decode(&c)
	if err == nil && d.More() {
		err = errors.New("something follows its end")
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return content{}, corruptError{fmt.Errorf("%s is damaged: %w", s.path(), err)}
	}
	return c, nil
}

// exclude locks the directory. It does not wait for long: cycles wait for it, and a process
// that has the lock may have been suspended.
func exclude(dir *os.File) (err error) {
	for range 50 {
		if err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("another process has held it for half a second: look for a `windvane mode` that was suspended")
}

func (c content) check() error {
	if c.Meshes == nil {
		return errors.New("it has no meshes")
	}
	var errs []error
	words := []*word{c.Others}
	for _, e := range c.Meshes {
		words = append(words, e.Command, e.Demotion)
	}
	for _, w := range words {
		if w != nil {
			_, err := Parse(string(w.Level))
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// update reads, changes and writes the file, alone among the processes that do. A damaged
// file is replaced by one that has every mesh that nothing is said of at observe.
func (s *Store) update(at time.Time, change func(*content)) (err error) {
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return err
	}
	lock, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // which unlocks it
	if err := exclude(lock); err != nil {
		return fmt.Errorf("lock %s: %w", s.dir, err)
	}
	c, err := s.read()
	if _, damaged := errors.AsType[corruptError](err); damaged {
		c.Others = &word{Level: rules.AuthorityObserve, By: "windvane", At: at, Why: err.Error() + "; what it said is not known"}
	} else if err != nil {
		return err
	}
	if c.Meshes == nil {
		c.Meshes = map[string]entry{}
	}
	change(&c)
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(s.path(), append(b, '\n'))
}

// Set has a person's command lower a mesh, or take back what lowered it before. One that
// allows approve or act also lifts a demotion. The caller holds it against the ceiling.
// What lowers is in force even if it cannot be written; the error says so.
func (s *Store) Set(mesh string, level rules.Authority, by string, at time.Time) error {
	return s.say(mesh, word{Level: level, By: by, At: at}, func(e *entry, w *word) {
		e.Command = w
		if level != rules.AuthorityObserve {
			e.Demotion = nil
		}
	})
}

// Demote has windvane itself lower a mesh to observe, until a person lifts it. Like a
// command, it is in force even if it cannot be written.
func (s *Store) Demote(mesh, reason string, at time.Time) error {
	w := word{Level: rules.AuthorityObserve, By: "windvane", At: at, Why: reason}
	return s.say(mesh, w, func(e *entry, w *word) { e.Demotion = w })
}

func (s *Store) say(mesh string, w word, set func(*entry, *word)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := s.unsaved[mesh]
	err := s.update(w.At, func(c *content) {
		e := c.Meshes[mesh]
		if pending.Demotion != nil {
			e.Demotion = pending.Demotion
		}
		set(&e, &w)
		c.Meshes[mesh] = e
	})
	switch {
	case err == nil:
		delete(s.unsaved, mesh)
		return nil
	case Above(w.Level, Effective(append(s.said(mesh), highest))):
		return fmt.Errorf("authority: %w; nothing was raised", err)
	}
	set(&pending, &w)
	s.unsaved[mesh] = pending
	return fmt.Errorf("authority: %w; mesh %s is at %s all the same, but that is forgotten if windvane ends before it can be written", err, mesh, w.Level)
}

// save writes what could not be written before, if it can now.
func (s *Store) save(mesh string) {
	pending, ok := s.unsaved[mesh]
	if !ok {
		return
	}
	at := time.Time{}
	for _, w := range []*word{pending.Command, pending.Demotion} {
		if w != nil {
			at = w.At
		}
	}
	err := s.update(at, func(c *content) {
		e := c.Meshes[mesh]
		if pending.Demotion != nil {
			e.Demotion = pending.Demotion
		}
		if p := pending.Command; p != nil && (e.Command == nil || !Above(p.Level, e.Command.Level)) {
			e.Command = p
		}
		c.Meshes[mesh] = e
	})
	if err == nil {
		delete(s.unsaved, mesh)
	}
}
