package verify

import (
	"maps"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
)

// State is what was seen of a mesh so far, and what follows for changes to come. The zero value: nothing.
// It is a value: what changes it returns the next one.
type State struct {
	Services map[string]Follow `json:"services,omitempty"` // those of which there is something to say

	lives []policy.Action    // in force in the last cycles, the newest last
	seen  map[string]float64 // requests of services since they were changed or away
}

// Follow is how one service follows.
type Follow struct {
	Pending  bool          `json:"pending,omitempty"`  // windvane changed it, and it was not seen to follow yet
	Away     int           `json:"away,omitempty"`     // cycles in a row
	Before   policy.Action `json:"before,omitempty"`   // its settings when it was not away yet; nil: not known
	Failures int           `json:"failures,omitempty"` // changes in a row that it did not follow
	Retry    uint64        `json:"retry,omitempty"`    // the cycle in which another may be made
}

func (f Follow) idle() bool { return !f.Pending && f.Away == 0 && f.Failures == 0 }

func (s State) clone() State {
	s.Services, s.seen = maps.Clone(s.Services), maps.Clone(s.seen)
	if s.seen == nil {
		s.seen = map[string]float64{}
	}
	return s
}

func (s *State) set(service string, f Follow) {
	if f.idle() {
		delete(s.Services, service)
		return
	}
	if s.Services == nil {
		s.Services = map[string]Follow{}
	}
	s.Services[service] = f
}

// remember adds what is in force. Over a gap nothing is known of what was in between.
func (s *State) remember(live policy.Action, most int) {
	if live == nil {
		s.lives, s.seen = nil, map[string]float64{}
		return
	}
	from := max(0, len(s.lives)-most)
	s.lives = append(append([]policy.Action(nil), s.lives[from:]...), live)
}

// judge gives the verdict from the shares, where a service may be away for fewer cycles in
// a row than slack. before are the settings in force before those that the shares are of.
func (s *State) judge(f *Finding, slack int, before policy.Action) {
	x := s.Services[f.Service]
	settled, least := true, 0.
	for i, share := range f.Shares {
		settled = settled && !share.Moved
		if i == 0 || share.Requests < least {
			least = share.Requests
		}
	}
	if s.seen[f.Service] += least; f.Away() || !settled {
		s.seen[f.Service] = 0
	}
	switch {
	case f.Away():
		if x.Away++; x.Away == 1 {
			x.Before = before
		}
		f.Verdict = NotYet
		if x.Away >= slack {
			f.Verdict = Failed
		}
	case len(f.Shares) == 0:
		f.Verdict = Undecided
	case !settled:
		f.Verdict, x.Away, x.Before = NotYet, 0, nil
	case s.seen[f.Service] < enough:
		f.Verdict = Undecided
	default:
		f.Verdict, x.Away, x.Before = Converged, 0, nil
		if x.Pending {
			x = Follow{}
		}
	}
	s.set(f.Service, x)
}

// Ineffective is how many changes in a row a service may fail to follow before changing it
// is taken to be of no effect.
const Ineffective = 5

// longest is the longest back-off, in cycles.
const longest = 64

// Changed returns the state after windvane has made changes: of the services that they are
// of it is to be seen whether they follow.
func (w *Watch) Changed(s State, changes []policy.Change) State {
	s = s.clone()
	for _, c := range changes {
		if name, ok := w.owner[c.KnobID]; ok {
			x := s.Services[name]
			if !x.Pending { // what it was away from before is not this change's
				x.Pending, x.Away, x.Before = true, 0, nil
			}
			s.set(name, x)
		}
	}
	return s
}

// Services returns those that changes are of, each once.
func (w *Watch) Services(changes []policy.Change) (out []string) {
	for _, c := range changes {
		if name, ok := w.owner[c.KnobID]; ok && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Abandon returns the state after what windvane had changed was left to others: by changes
// of theirs, or all of it where there are none. Whether that is followed is not windvane's
// to answer for, and nothing of it is put back.
func (w *Watch) Abandon(s State, changes ...policy.Change) State {
	if len(s.Services) == 0 {
		return s
	}
	s = s.clone()
	for name, x := range s.Services {
		if len(changes) == 0 || slices.ContainsFunc(changes, func(c policy.Change) bool { return w.owner[c.KnobID] == name }) {
			x.Pending, x.Away, x.Before = false, 0, nil
			s.set(name, x)
		}
	}
	return s
}

// Fail returns the state after it was found, in the given cycle, that a service does not
// follow. The next change may be made after 1, 2, 4, … cycles without one.
func (s State) Fail(service string, cycle uint64) State {
	s = s.clone()
	n := s.Services[service].Failures + 1
	s.set(service, Follow{Failures: n, Retry: cycle + 1 + uint64(min(longest, 1<<min(n-1, 16)))}) //nolint:gosec // from 1 to 64
	return s
}

// Retry is the cycle in which the mesh may be changed again: until then, only blocking may
// be raised. Services share what they run on, and a plan of which a part is left out is not
// the policy's: so a mesh waits as a whole.
func (s State) Retry() (cycle uint64) {
	for _, x := range s.Services {
		cycle = max(cycle, x.Retry)
	}
	return cycle
}

// Forget returns the state without what was found of services.
func (s State) Forget() State {
	s.Services = nil
	return s
}
