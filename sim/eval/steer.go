package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
)

// steered is a policy behind the contract that steers a truth: the daemon's cycle
// with an outcome that is known before the next decision, and a load that is known
// when it is decided on.
type steered struct {
	mesh    *rules.Mesh
	policy  policy.Policy
	initial func(service, signal string) margin.Calibration
	watch   watch // may be nil
}

// watch is told of each interval: what the policy was handed, with the action that
// became live, and the latencies that were measured.
type watch func(t int, o *policy.Observation, a *asker, latency []float64)

// names of the signals that a truth has beside the latencies.
const (
	signalOffered = "offered"
	signalCarried = "carried"
)

// epoch is the time of interval 0: any, as long as it is always the same.
var epoch = time.Unix(0, 0).UTC()

// run steers through a series and sums it up.
func (s steered) run(ctx context.Context, a *asker, run series) (tally, error) {
	params, knobs, services := margin.Defaults(), a.latency.Knobs, s.mesh.PolicyServices()
	control := margin.Control(nil).Adopt(params, services, s.initial)
	o := policy.Observation{
		Mesh: s.mesh.Name, At: epoch, Live: begin(knobs, a.choices.Grid), Knobs: knobs, Limits: s.mesh.Limits(),
		State: stateOf(a),
	}
	// What was measured before the first decision is not part of the run.
	measured := make([]float64, len(a.seconds))
	var sum, before tally
	pace, made := paceOf(s.mesh), guard.History(nil)
	a.of(run.offered[0], o.Live)
	tell(&o, a, run.offered[0], before.add(a, run.offered[0], run.noise[0], measured))
	for t, offered := range run.offered {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		announce(&o, a, offered)
		o.Services = control.Hand(params, services, margin.Compared)
		frozen, _ := pace.Frozen(o.At, made)
		o.Limits.Frozen = string(frozen)
		d, err := s.policy.Decide(ctx, o)
		if err != nil {
			return sum, fmt.Errorf("interval %d: %w", t, err)
		}
		choice := margin.Choice{}
		if !d.Abstain {
			checked := guard.Check(o, d.Action)
			made = pace.After(made, o.At, policy.Diff(o.Live, checked.Action, 1e-9))
			o.Live, choice = checked.Action, originOf(d, true, checked).Choice()
		}
		a.of(offered, o.Live)
		o.At = o.At.Add(s.mesh.Interval)
		tell(&o, a, offered, sum.add(a, offered, run.noise[t], measured))
		if s.watch != nil {
			s.watch(t, &o, a, measured)
		}
		control, _ = control.Measure(params, services, o.State, choice)
		if choice.Counted {
			// The prediction is for the very action and load that were measured.
			control = control.Compare(params, &o, d.Expected)
		}
	}
	return sum, nil
}

// stateOf makes the signals of a truth, without values.
func stateOf(a *asker) policy.State {
	var out policy.State
	for s, service := range a.goal.Services {
		out = append(out,
			policy.Signal{Name: signalOffered, Service: service.Name, Role: policy.RoleOffered},
			policy.Signal{Name: signalCarried, Service: service.Name, Role: policy.RoleCarried},
			policy.Signal{Name: a.goal.Signals[s], Service: service.Name, Role: policy.RoleLatency})
	}
	out.Sort()
	return out
}

// announce puts the load that is about to be decided on into the state.
func announce(o *policy.Observation, a *asker, offered []float64) {
	for s, service := range a.goal.Services {
		set(o, service.Name, policy.RoleOffered, offered[s])
	}
}

// tell puts what was measured into a state of its own.
func tell(o *policy.Observation, a *asker, offered, latency []float64) {
	o.State = slices.Clone(o.State)
	announce(o, a, offered)
	for s, service := range a.goal.Services {
		carried := a.measured[s]
		if math.IsNaN(carried) {
			carried = offered[s] * a.admitted[s]
		}
		set(o, service.Name, policy.RoleCarried, carried)
		set(o, service.Name, policy.RoleLatency, latency[s])
	}
}

func set(o *policy.Observation, service string, role policy.Role, v float64) {
	for i := range o.State {
		if s := &o.State[i]; s.Service == service && s.Role == role {
			s.Value, s.Status, s.At = v, policy.Valid, o.At
		}
	}
}

// begin is the setting before the first decision: the action of the grid nearest to
// even weights, nothing blocked, and all replicas.
func begin(knobs []policy.Knob, grid []policy.Action) policy.Action {
	parts := map[string]float64{}
	for _, k := range knobs {
		parts[k.Target]++
	}
	best, least := 0, math.Inf(1)
	for i, a := range grid {
		d := 0.0
		for j, k := range knobs {
			want := k.Min
			switch k.Kind {
			case policy.Weight:
				want = 1 / parts[k.Target]
			case policy.Replicas:
				want = k.Max
			case policy.Blocking: // none
			}
			d += (a[j].Value - want) * (a[j].Value - want)
		}
		if d < least-1e-12 {
			best, least = i, d
		}
	}
	return grid[best].Clone()
}

// originOf is how what the guard let pass came about, where all of that is in force at once.
func originOf(d policy.Decision, own bool, checked guard.Result) margin.Origin {
	return margin.Origin{Own: own, Act: true, Decision: &d, Held: checked.Refused != "", Edits: len(checked.Edits), Converged: true}
}
