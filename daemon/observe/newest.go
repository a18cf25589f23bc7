package observe

import (
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// Newest remembers when the newest valid sample of each signal was taken. The zero value
// remembers nothing.
type Newest struct{ times map[signalKey]time.Time }

type signalKey struct{ service, name string }

// Renew marks signals of a state that have no newer sample than in any state before as
// stale: a cycle without new samples is not an interval. The state is changed and returned.
func (n *Newest) Renew(state policy.State) policy.State {
	if n.times == nil {
		n.times = map[signalKey]time.Time{}
	}
	for _, s := range n.Mark(state) {
		if s.Status == policy.Valid {
			n.times[signalKey{s.Service, s.Name}] = s.At
		}
	}
	return state
}

// Mark is Renew, but remembers nothing of the state.
func (n *Newest) Mark(state policy.State) policy.State {
	for i, s := range state {
		if s.Status == policy.Valid && !s.At.After(n.times[signalKey{s.Service, s.Name}]) {
			state[i].Status, state[i].Value = policy.Stale, 0
		}
	}
	return state
}
