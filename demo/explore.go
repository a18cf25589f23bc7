package demo

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/model"
)

// Explore is the policy of part 2: it tries settings, so that a model can be fitted.
// Each weight walks at random, one level at a time; blocking is raised by up to two
// levels after an interval in which a bound was broken, and lowered by up to one
// after any other. So the settings stay about where the bounds are, which is where a
// model has to be good, and the harm is bounded by the same rule; drawn evenly from
// the grid they would mostly be hopeless or wasteful. It is a pure function of the
// seed and the observation, within the guard's limits.
type Explore struct {
	Seed  uint64
	Until time.Time // from here on it returns to equal weights and no blocking; zero: never
}

var _ policy.Policy = (*Explore)(nil)

// ReturnIntervals are enough to return from any setting within the limits of Rules.
const ReturnIntervals = 6

// Trees are for the model of the few hundred intervals of an exploration. Leaves of 20
// rows, as for tens of thousands, would be too coarse for them.
func Trees() model.TreeParams {
	return model.TreeParams{Trees: 150, Leaves: 6, Rate: .05, MinLeafRows: 8}
}

// Describe names the policy; it takes no artefact.
func (e *Explore) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "explore", Version: "1"}, nil
}

// Configure does nothing: whoever runs the exploration makes the policy with its seed.
func (e *Explore) Configure(context.Context, policy.Config) error { return nil }

// Decide names the next setting to try.
func (e *Explore) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if err := o.Live.Validate(o.Knobs); err != nil {
		return policy.Decision{}, fmt.Errorf("explore: live %w", err)
	}
	rng := rand.New(rand.NewPCG(e.Seed, uint64(o.At.UnixNano())))
	home := !e.Until.IsZero() && !o.At.Before(e.Until)
	want, over := o.Live.Clone(), broken(o)
	for i := 0; i < len(o.Knobs); {
		j := i + 1
		switch k := o.Knobs[i]; k.Kind {
		case policy.Weight:
			for j < len(o.Knobs) && o.Knobs[j].Kind == policy.Weight && o.Knobs[j].Target == k.Target {
				j++
			}
			if home {
				towardsEqual(want[i:j])
			} else {
				shift(rng, want[i:j], 1/float64(max(k.Levels-1, 1)))
			}
		case policy.Blocking:
			want[i].Value = block(rng, k, want[i].Value, over, home)
		case policy.Replicas:
		}
		i = j
	}
	reason := "tries a setting that the model shall be fitted on"
	if home {
		reason = "returns to equal weights and no blocking"
	}
	return policy.Decision{Action: guard.Limit(o, want).Action, Reason: reason}, nil
}

// broken reports whether any objective's bound was exceeded in the last interval. A
// service that has a signal and no value is no reason to go further.
func broken(o policy.Observation) bool {
	for _, s := range o.Services {
		for _, objective := range s.Objectives {
			v, ok := o.State.Find(s.Name, objective.Signal).Get()
			if !ok || objective.Kind == policy.LatencyObjective && v > objective.Bound {
				return true
			}
		}
	}
	return false
}

// shift moves one level of weight from one destination to another, or, one time in
// three, nothing: for two destinations a walk of -1, 0 or 1.
func shift(rng *rand.Rand, weights policy.Action, level float64) {
	n := len(weights)
	if n < 2 || rng.IntN(3) == 0 {
		return
	}
	from := rng.IntN(n)
	to := (from + 1 + rng.IntN(n-1)) % n
	d := math.Min(level, weights[from].Value)
	weights[from].Value -= d
	weights[to].Value += d
}

func towardsEqual(weights policy.Action) {
	for i := range weights {
		weights[i].Value = 1 / float64(len(weights)) // the guard takes it there in steps
	}
}

func block(rng *rand.Rand, k policy.Knob, live float64, over, home bool) float64 {
	level := (k.Max - k.Min) / float64(max(k.Levels-1, 1))
	at := math.Round((live - k.Min) / level)
	switch {
	case home:
		at = 0
	case over:
		at += float64(rng.IntN(3))
	default:
		at -= float64(rng.IntN(2))
	}
	return math.Max(k.Min, math.Min(k.Max, k.Min+at*level))
}
