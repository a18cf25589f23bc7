// Package plugintest holds policies to what their host expects of them, whatever they
// observe, and has a small mesh to try them on. It is for tests of policies in Go; what
// holds for a plugin in any language is plugins/plugintest/conformance.
package plugintest

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// TB is what is used of a testing.TB: programs that check plugins do not link testing.
type TB interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// Unedited scatters an observation many times, and fails where the guard would change
// an answer, whether that is feasible or not: an edited interval does not count for the
// debt. A policy may refuse to answer. It is also a failure if the answers were all
// feasible or all not.
func Unedited(t TB, p policy.Policy, o policy.Observation, rounds int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 9))
	feasible, infeasible := 0, 0
	for range rounds {
		o := Scatter(rng, o)
		d, err := p.Decide(t.Context(), o)
		if err != nil {
			continue
		}
		if d.Abstain {
			t.Fatalf("a policy that plans abstains: %s", d.Reason)
		}
		r := guard.Check(o, d.Action)
		if len(r.Edits) > 0 {
			t.Fatalf("infeasible %v, limits %+v, live %v: %v (%s) is edited: %+v", d.Infeasible, o.Limits, o.Live, d.Action, d.Reason, r.Edits)
		}
		if r.Refused == "" && !r.Action.Equal(d.Action, 1e-9) {
			t.Fatalf("%v became %v without an edit", d.Action, r.Action)
		}
		for _, a := range d.Alternatives {
			if err := a.Action.Validate(o.Knobs); err != nil || a.Action.Equal(d.Action, 1e-9) || a.Reason == "" || math.IsInf(a.Score, 0) || math.IsNaN(a.Score) {
				t.Fatalf("alternative %+v of %v: %v", a, d.Action, err)
			}
		}
		if d.Infeasible {
			infeasible++
		} else {
			feasible++
		}
	}
	if feasible < rounds/20 || infeasible < rounds/20 {
		t.Errorf("of %d answers %d are feasible and %d are not: that tests one side", rounds, feasible, infeasible)
	}
}

// Scatter returns an observation of the same mesh in any condition that a host may find
// it in: settings on the grid or off it, beyond the caps or not, loads from none to half
// more than there were, signals that miss, and any state of the control.
func Scatter(rng *rand.Rand, o policy.Observation) policy.Observation {
	o.Live, o.State, o.Services = o.Live.Clone(), slices.Clone(o.State), slices.Clone(o.Services)
	scatterLive(rng, o.Live, o.Knobs)
	o.Limits = policy.Limits{MaxStep: .05 + .95*rng.Float64(), TotalBlocking: math.Min(1, 1.2*rng.Float64())}
	if rng.IntN(4) == 0 {
		o.Limits.Frozen = "cooldown"
	}
	for i := range o.State {
		switch s := &o.State[i]; {
		case s.Role == policy.RoleOffered && rng.IntN(20) == 0:
			s.Value = 0
		case s.Role != policy.RoleOffered && rng.IntN(20) == 0:
			s.Status = policy.Status(rng.IntN(4))
		default:
			s.Value *= .2 + 1.3*rng.Float64()
		}
	}
	terms := policy.NewTerms(o.Knobs, o.Services).Len()
	for i := range o.Services {
		s := &o.Services[i]
		offered, _ := o.State.Role(s.Name, policy.RoleOffered).Get()
		s.Floor = float64(rng.IntN(2)) * 1.1 * offered * rng.Float64()
		s.Objectives = slices.Clone(s.Objectives)
		for j := range s.Objectives {
			scatterControl(rng, &s.Objectives[j], terms)
		}
	}
	return o
}

// scatterLive draws settings: each knob on its grid or off it.
func scatterLive(rng *rand.Rand, live policy.Action, knobs []policy.Knob) {
	for i := 0; i < len(knobs); {
		k, j := knobs[i], i+1
		for k.Kind == policy.Weight && j < len(knobs) && knobs[j].Kind == policy.Weight && knobs[j].Target == k.Target {
			j++
		}
		left := 1.0
		for n := i; n < j; n++ {
			v := rng.Float64()
			if steps := float64(max(1, k.Levels-1)); rng.IntN(2) == 0 {
				v = math.Round(v*steps) / steps
			}
			switch k.Kind {
			case policy.Weight:
				if v = left * v; n == j-1 {
					v = left
				}
				left -= v
				live[n].Value = v
			case policy.Blocking:
				live[n].Value = k.Min + v*(k.Max-k.Min)
			case policy.Replicas:
				live[n].Value = math.Round(k.Min + v*(k.Max-k.Min))
			}
		}
		i = j
	}
	copy(live, policy.Quantise(live))
}

func scatterControl(rng *rand.Rand, o *policy.Objective, terms int) {
	o.Margin = -.3 + 1.3*rng.Float64()*rng.Float64()
	o.Lag, o.Residual, o.Correction = 0, 0, nil
	switch rng.IntN(3) {
	case 0:
		o.Lag = .5 * rng.Float64()
	case 1:
		o.Residual = .5 * (rng.Float64() - .4)
	}
	if rng.IntN(3) == 0 {
		for range terms {
			o.Correction = append(o.Correction, .05*rng.NormFloat64())
		}
	}
}
