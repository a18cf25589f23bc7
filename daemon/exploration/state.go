package exploration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/windvane/windvane/internal/atomicfile"
	"github.com/windvane/windvane/plugins/explore/bounded"
	"github.com/windvane/windvane/plugins/policy"
)

// state is what is kept between two cycles and over restarts.
type state struct {
	Began   time.Time       `json:"began"` // its first cycle; before that, when it was asked for
	By      string          `json:"by"`
	Phase   phase           `json:"phase"`
	Reason  string          `json:"reason,omitempty"` // why it is not running; for a person
	Known   []string        `json:"known,omitempty"`  // alerts that fired when it was begun or resumed, by fingerprint
	Left    policy.Action   `json:"left,omitempty"`   // the settings that it chose last; nil: none, or they were given back
	Before  policy.Action   `json:"before,omitempty"` // those that it chose before them
	Session bounded.Session `json:"session"`
	Spent   []bounded.Spent `json:"spent,omitempty"`
}

// phase is how far an exploration is.
type phase string

const (
	running   phase = "running"
	returning phase = "returning" // the settings of before are given back, then it is paused
	ending    phase = "ending"    // likewise, then it is over
	paused    phase = "paused"
	done      phase = "done"   // all intervals were measured
	failed    phase = "failed" // it will not go on
)

// chose remembers what is chosen, as long as it may be in force.
func (s *state) chose(a policy.Action) { s.Before, s.Left = s.Left, a }

// ours reports whether settings are those of before exploring, or what was chosen last, or
// some of each: a write may have been cut short.
func (s *state) ours(live policy.Action) bool {
	for i, x := range live {
		known := false
		for _, a := range []policy.Action{s.Session.Baseline, s.Left, s.Before} {
			known = known || i < len(a) && a[i].KnobID == x.KnobID && math.Abs(a[i].Value-x.Value) < policy.Rounding
		}
		if !known {
			return false
		}
	}
	return true
}

// over reports whether there is nothing to resume.
func (p phase) over() bool { return p == done || p == failed || p == ending }

// file is where the exploration of a mesh is in a state directory.
func file(dir, mesh string) string { return filepath.Join(dir, "exploration", mesh+".json") }

// read returns what is known; nil where that is nothing.
func read(path string) (*state, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; remove it: what was measured is in the journal all the same", path, err)
	}
	if err := s.Session.Check(); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; remove it: what was measured is in the journal all the same", path, err)
	}
	return &s, nil
}

// write has the state on disk when it returns without an error.
func (s *state) write(path string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return atomicfile.Write(path, append(b, '\n'))
}
