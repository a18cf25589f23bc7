// Package actuate makes several actuators one.
//
// The actuators themselves are in the packages below: istio sets weights and blocking,
// kube sets replicas, dryrun sets nothing. Which of them a mesh has is chosen once, when
// the daemon is wired; nothing here or below decides whether to act.
package actuate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/windvane/windvane/plugins/policy"
)

// Actuator reads and writes the settings of some knobs. Prepare and Apply are given
// settings of its own knobs only in want. A knob that is neither as in live nor as in want
// is an error that wraps ErrChanged, and is not written; one that live does not have is.
type Actuator interface {
	Live(ctx context.Context) (live policy.Action, said map[string]string, err error)
	Prepare(ctx context.Context, live, want policy.Action, known map[string]json.RawMessage) (map[string]json.RawMessage, error)
	Apply(ctx context.Context, live, want policy.Action, known map[string]json.RawMessage) error
	Owns(id policy.KnobID) bool
}

// ErrChanged says that somebody else has changed a setting since it was read.
var ErrChanged = errors.New("somebody else has changed it meanwhile; nothing of it was written")

// Group is several actuators, each with knobs of its own, as one.
type Group []Actuator

// Live returns the settings in force of all actuators, sorted, and what their objects say
// of the authority, by object. It is an error if one of them fails, or if two have the same knob.
func (g Group) Live(ctx context.Context) (live policy.Action, said map[string]string, err error) {
	var out policy.Action
	said = map[string]string{}
	var errs []error
	for _, a := range g {
		part, words, err := a.Live(ctx)
		errs = append(errs, err)
		out = append(out, part...)
		maps.Copy(said, words)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	out.Sort()
	for i := 1; i < len(out); i++ {
		if out[i].KnobID == out[i-1].KnobID {
			return nil, nil, fmt.Errorf("actuate: %s belongs to two actuators", out[i].KnobID)
		}
	}
	return out, said, nil
}

// Prepare has each actuator find out whether Apply would succeed, and writes nothing. It
// returns the baselines, by object, that are to be recorded before Apply; known are
// those that were.
func (g Group) Prepare(ctx context.Context, live, want policy.Action, known map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	parts, err := g.split(want)
	if err != nil {
		return nil, err
	}
	out := map[string]json.RawMessage{}
	var errs []error
	for i, a := range g {
		if len(parts[i]) > 0 {
			baselines, err := a.Prepare(ctx, live, parts[i], known)
			errs = append(errs, err)
			maps.Copy(out, baselines)
		}
	}
	return out, errors.Join(errs...)
}

// Apply gives each actuator the settings of its own knobs, and nothing to one that
// has none in want. The failure of one does not keep the others from being applied; the
// error joins them all. A knob that nobody owns is an error before anything is applied.
func (g Group) Apply(ctx context.Context, live, want policy.Action, known map[string]json.RawMessage) error {
	parts, err := g.split(want)
	if err != nil {
		return err
	}
	var errs []error
	for i, a := range g {
		if len(parts[i]) > 0 {
			errs = append(errs, a.Apply(ctx, live, parts[i], known))
		}
	}
	return errors.Join(errs...)
}

// split gives each actuator its part.
func (g Group) split(want policy.Action) ([]policy.Action, error) {
	parts := make([]policy.Action, len(g))
	for _, s := range want {
		i := g.owner(s.KnobID)
		if i < 0 {
			return nil, fmt.Errorf("actuate: nothing sets %s; nothing was written", s.KnobID)
		}
		parts[i] = append(parts[i], s)
	}
	return parts, nil
}

// Owns reports whether one of the actuators owns the knob.
func (g Group) Owns(id policy.KnobID) bool { return g.owner(id) >= 0 }

func (g Group) owner(id policy.KnobID) int {
	for i, a := range g {
		if a.Owns(id) {
			return i
		}
	}
	return -1
}
