package daemon

import (
	"math"
	"slices"
	"sync"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/policy"
)

// agreement counts how often the shadows of a mesh want what its active policy does.
type agreement struct {
	mu sync.Mutex
	of map[string]api.Agrees // by policy
}

// sameSetting is the largest difference of a setting that nobody would notice.
const sameSetting = .005

// count counts a cycle that the active policy has decided.
func (a *agreement) count(r *loop.Report) {
	d := r.Intent.Decision
	if d == nil || d.Abstain || r.Intent.PolicyRole != journal.RoleActive {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		a.of = map[string]api.Agrees{}
	}
	want := policy.Diff(r.Intent.Live, d.Action, sameSetting)
	for _, s := range r.Shadows {
		if s.Error != "" || s.Abstain || s.CutChanges > 0 {
			continue
		}
		n := a.of[s.Policy]
		n.Cycles++
		if slices.EqualFunc(want, s.Changes, func(x, y policy.Change) bool { return x.KnobID == y.KnobID && math.Abs(x.To-y.To) <= sameSetting }) {
			n.Same++
		}
		a.of[s.Policy] = n
	}
}

// get is the count of a policy; nil: there is none.
func (a *agreement) get(name string) *api.Agrees {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n, ok := a.of[name]; ok {
		return &n
	}
	return nil
}

// forget begins anew: another policy is active.
func (a *agreement) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of = nil
}
