// Package explore is the policy that tries settings, so that a model can be fitted
// on what comes of them. It is a policy like any other: under the guard, within the
// authority, in the journal.
//
// What lives here is the choice of the next setting, a pure function of the seed and
// the observation. Turning what came of it into a dataset is daemon/lifecycle.
package explore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// Settings are the policy's table in a rules file.
type Settings struct {
	Seed uint64 `json:"seed"`

	// Hold is how long a setting stays, as "15s": a multiple of the mesh's interval. 0: one
	// interval. Where queues outlast an interval, which they do where a bound is much shorter
	// than it, the first interval under a setting that is too much for the mesh shows little
	// of what it does when it stays.
	Hold string `json:"hold"`
}

// Explore tries settings. Each weight walks at random, one level at a time; blocking
// is raised by up to two levels after an interval in which a bound was broken, and
// lowered by up to one after any other. So the settings stay about where the bounds
// are, which is where a model has to be good, and the harm is bounded by the same
// rule; drawn evenly from the grid they would mostly be hopeless or wasteful.
type Explore struct {
	seed uint64
	hold time.Duration
}

var _ policy.Policy = (*Explore)(nil)

// New returns the policy with its default settings.
func New() *Explore { return &Explore{} }

// Describe names the policy; it takes no artefact.
func (e *Explore) Describe(context.Context) (policy.Description, error) {
	return policy.Description{Name: "explore", Version: "1"}, nil
}

// Configure replaces the settings; what is not given is the default. An error leaves
// them as they were.
func (e *Explore) Configure(_ context.Context, config policy.Config) error {
	var s Settings
	if len(config.Settings) > 0 {
		d := json.NewDecoder(bytes.NewReader(config.Settings))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			return fmt.Errorf("explore: settings: %w; want seed, a whole number, and hold, a duration", err)
		}
	}
	hold := time.Duration(0)
	if s.Hold != "" {
		d, err := model.ParseDuration(s.Hold)
		if err != nil {
			return fmt.Errorf("explore: settings: hold: %w; want a multiple of the mesh's interval, as \"15s\"", err)
		}
		hold = time.Duration(d)
	}
	e.seed, e.hold = s.Seed, hold
	return nil
}

// Decide names the next setting to try.
func (e *Explore) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if err := o.Live.Validate(o.Knobs); err != nil {
		return policy.Decision{}, fmt.Errorf("explore: live %w", err)
	}
	// By the time alone: a policy has no memory.
	if !o.At.Truncate(e.hold).Equal(o.At) {
		return policy.Decision{Action: o.Live.Clone(), Reason: "lets a setting stay, so that what it does in the long run becomes known"}, nil
	}
	rng := rand.New(rand.NewPCG(e.seed, uint64(o.At.UnixNano())))
	want, over := o.Live.Clone(), broken(o)
	for i := 0; i < len(o.Knobs); {
		j := i + 1
		switch k := o.Knobs[i]; k.Kind {
		case policy.Weight:
			for j < len(o.Knobs) && o.Knobs[j].Kind == policy.Weight && o.Knobs[j].Target == k.Target {
				j++
			}
			shift(rng, want[i:j], 1/float64(max(k.Levels-1, 1)))
		case policy.Blocking:
			want[i].Value = block(rng, k, want[i].Value, over)
		case policy.Replicas:
		}
		i = j
	}
	return policy.Decision{Action: guard.Limit(o, want).Action, Reason: "tries a setting, so that its effect becomes known"}, nil
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

func block(rng *rand.Rand, k policy.Knob, live float64, over bool) float64 {
	level := (k.Max - k.Min) / float64(max(k.Levels-1, 1))
	at := math.Round((live - k.Min) / level)
	if over {
		at += float64(rng.IntN(3))
	} else {
		at -= float64(rng.IntN(2))
	}
	return math.Max(k.Min, math.Min(k.Max, k.Min+at*level))
}
