// Package explore is the policy that tries settings, so that a model can be fitted
// on what comes of them. It is a policy like any other: under the guard, within the
// authority, in the journal.
//
// What it tries is a function of its seed and the time of the observation alone, but
// for the limits, which count from the live action: it keeps nothing between calls.
package explore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/windvane/windvane/plugins/policy"
)

// Settings are the policy's table in a rules file.
type Settings struct {
	Seed uint64 `json:"seed"`
}

// Explore is the policy. It has settings and no other state.
type Explore struct{ settings Settings }

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
			return fmt.Errorf("explore: settings: %w; want seed", err)
		}
	}
	e.settings = s
	return nil
}

// Decide names the next action to try. It is an error if the live action does not
// fit the knobs.
func (e *Explore) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	if err := o.Live.Validate(o.Knobs); err != nil {
		return policy.Decision{}, fmt.Errorf("explore: live %w", err)
	}
	rng := rand.New(rand.NewPCG(e.settings.Seed, uint64(o.At.UnixNano())))
	want := o.Live.Clone()
	for i := 0; i < len(o.Knobs); {
		j := i + 1
		for o.Knobs[i].Kind == policy.Weight && j < len(o.Knobs) && o.Knobs[j].Kind == policy.Weight && o.Knobs[j].Target == o.Knobs[i].Target {
			j++
		}
		draw(rng, o, want[i:j], o.Knobs[i:j])
		i = j
	}
	return policy.Decision{Action: want, Reason: "tries a setting, so that its effect becomes known"}, nil
}

// draw draws the settings of one axis: all weights of a target, or one other knob.
func draw(rng *rand.Rand, o policy.Observation, want policy.Action, knobs []policy.Knob) {
	k := knobs[0]
	if k.Kind != policy.Weight {
		v := k.Value(rng.IntN(k.Levels))
		if k.Kind == policy.Blocking {
			v = math.Max(v, want[0].Value-o.Limits.MaxStep)
		}
		want[0].Value = v
		return
	}
	// A step of the grid from one destination to another.
	from, to := rng.IntN(len(knobs)), rng.IntN(len(knobs))
	step := math.Min(o.Limits.MaxStep, 1/float64(k.Levels-1))
	step = math.Min(step, math.Min(want[from].Value-knobs[from].Min, knobs[to].Max-want[to].Value))
	if from != to && step > 0 {
		want[from].Value -= step
		want[to].Value += step
	}
}
