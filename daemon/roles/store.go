package roles

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/windvane/windvane/internal/atomicfile"
	"github.com/windvane/windvane/rules"
)

const fileName = "roles.json"

// File is where the roles are in a state directory.
func File(dir string) string { return filepath.Join(dir, fileName) }

// Store keeps the roles of all meshes in a state directory, of which one daemon alone is the
// owner. It may be used by several goroutines.
type Store struct {
	path string
	mu   sync.Mutex
}

// Open returns the store of a state directory. Nothing is read yet.
func Open(dir string) *Store { return &Store{path: File(dir)} }

// content is the file.
type content struct {
	Meshes map[string]State `json:"meshes"`
}

// Read returns what is known of a mesh; the zero value where that is nothing.
func (s *Store) Read(mesh string) (State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.read()
	return c.Meshes[mesh], err
}

func (s *Store) read() (content, error) {
	empty := content{Meshes: map[string]State{}}
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return empty, err
	}
	c := content{}
	d := json.NewDecoder(bytes.NewReader(b))
	if err = d.Decode(&c); err == nil && d.More() {
		err = errors.New("something follows its end")
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return empty, &DamagedError{s.path, err}
	}
	return c, nil
}

// DamagedError says that the file is there, and cannot be understood.
type DamagedError struct {
	File string
	Err  error
}

// Error says what is wrong with it.
func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.File, e.Err) }

// Unwrap returns that.
func (e *DamagedError) Unwrap() error { return e.Err }

// known are the roles that a policy can have.
var known = []rules.PolicyRole{rules.RoleActive, rules.RoleShadow, rules.RoleCandidate, rules.RoleRetired, rules.RoleFallback}

func (c content) check() error {
	if c.Meshes == nil {
		return errors.New("it has no meshes")
	}
	for mesh, s := range c.Meshes {
		active := 0
		for name, x := range s.Policies {
			if !slices.Contains(known, x.Role) {
				return fmt.Errorf("policy %s of mesh %s has the role %q, which there is not", name, mesh, x.Role)
			}
			if x.Role == rules.RoleActive {
				active++
			}
		}
		if active > 1 {
			return fmt.Errorf("mesh %s has %d active policies", mesh, active)
		}
	}
	return nil
}

// Write has the state of a mesh on disk when it returns without an error: a crash leaves the
// one before or this one. A damaged file is replaced.
func (s *Store) Write(mesh string, state State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.read()
	if _, damaged := errors.AsType[*DamagedError](err); err != nil && !damaged {
		return err
	}
	c.Meshes[mesh] = state
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(s.path, append(b, '\n'))
}
