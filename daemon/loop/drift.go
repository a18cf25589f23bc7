package loop

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// written is what was given to the actuator and not seen in force yet.
type written struct {
	want    policy.Action
	certain bool // the actuator said that all of it was written
}

// drift says which settings somebody else has changed since windvane set them, or
// started to act, if the authority has it care.
func (l *Loop) drift(live policy.Action, level rules.Authority) []policy.Change {
	if live == nil || l.standsBy() {
		return nil // not known, or left to another windvane
	}
	pending := l.pending
	l.pending = nil
	if !sameKnobs(l.commanded, live) || pending != nil && !sameKnobs(pending.want, live) {
		l.commanded = live
		return nil
	}
	if !l.ownsWhatIsInForce(level) {
		l.handOver(live, pending)
		return nil
	}
	if l.handedOver {
		l.commanded, l.handedOver = live, false
		return nil
	}
	expected := l.commanded
	if pending != nil {
		expected = pending.want
	}
	var out []policy.Change
	for k, s := range live {
		same := near(s.Value, expected[k].Value) || pending != nil && !pending.certain && near(s.Value, l.commanded[k].Value)
		if !same {
			out = append(out, policy.Change{KnobID: s.KnobID, From: expected[k].Value, To: s.Value})
		}
	}
	switch {
	case len(out) == 0 && pending == nil: // small differences do not add up
	case len(out) == 0, l.o.Mesh.Guard.OnDrift == rules.OnDriftAdopt:
		l.commanded = live
	default:
		l.commanded = expected
	}
	return out
}

// handOver leaves what is in force to the others. When windvane may act again it goes on from
// there; what it had set itself is known until then, so that a release tells it from theirs.
func (l *Loop) handOver(live policy.Action, pending *written) {
	if len(l.baseline) == 0 { // it has set nothing
		l.commanded = live
		return
	}
	if pending != nil && (pending.certain || live.Equal(pending.want, policy.Rounding)) {
		l.commanded = pending.want
	}
	l.handedOver = true
}

func near(a, b float64) bool { return math.Abs(a-b) < policy.Rounding }

func sameKnobs(a, b policy.Action) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if a[k].KnobID != b[k].KnobID {
			return false
		}
	}
	return true
}

// prepare has the actuator find out whether the plan can be applied, before it is
// recorded as an intent: what is refused is a hold.
func (l *Loop) prepare(ctx context.Context, r *Report) {
	intent := &r.Intent
	if l.heldByDrift(intent) && intent.Hold == "" {
		intent.Hold, intent.Act = HoldDrift, false
	}
	if !intent.Act {
		return
	}
	defer l.watch.time(StagePrepare)()
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	found, err := l.o.Actuator.Prepare(ctx, intent.Live, intent.Guarded, l.baseline)
	if err != nil {
		r.fail(fmt.Errorf("prepare: %w", err))
		intent.Hold, intent.Act = HoldRefused, false
		return
	}
	baseline := map[string]json.RawMessage{}
	maps.Copy(baseline, l.baseline)
	maps.Copy(baseline, found)
	l.baseline = baseline
}

// resolve closes the intent of an earlier process whose settings could not be read at the
// start, once they can be.
func (l *Loop) resolve(live policy.Action) *journal.Outcome {
	i := l.unresolved
	if i == nil || live == nil {
		return nil
	}
	l.unresolved = nil
	return &journal.Outcome{Cycle: i.Cycle, Result: result(i, live, false, nil), Live: live}
}
