// Package dryrun is the actuator of a mesh that is only observed: it reads the settings
// in force and writes none.
//
// It holds nothing that could write: the interface that it is given can only read.
package dryrun

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/windvane/windvane/plugins/policy"
)

// Reader reads the settings in force.
type Reader interface {
	Live(ctx context.Context) (live policy.Action, said map[string]string, err error)
}

// Actuator remembers what it was told to apply. It may be used by several goroutines.
type Actuator struct {
	reader Reader

	mu   sync.Mutex
	last policy.Action
	told bool
}

// New returns an actuator that reads through the reader.
func New(r Reader) *Actuator { return &Actuator{reader: r} }

// Live returns the settings in force, and what is said of the authority, as the reader does.
func (a *Actuator) Live(ctx context.Context) (live policy.Action, said map[string]string, err error) {
	return a.reader.Live(ctx)
}

// Prepare asks nothing, and has no baselines.
func (a *Actuator) Prepare(context.Context, policy.Action, policy.Action, map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	return nil, nil
}

// Apply writes nothing, and succeeds.
func (a *Actuator) Apply(_ context.Context, _, want policy.Action, _ map[string]json.RawMessage) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last, a.told = want.Clone(), true
	return nil
}

// Last returns what the last Apply was given, and whether there was one.
func (a *Actuator) Last() (policy.Action, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last.Clone(), a.told
}
