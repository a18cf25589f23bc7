package envtest_test

import (
	"math"
	"testing"

	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/env/envtest"
)

// good is a small environment that keeps the contract: the reward is the share of one
// service's load that is admitted.
func good() (*env.Env, error) {
	loads, err := env.Uniform([][]float64{{1}, {2}}, 1)
	if err != nil {
		return nil, err
	}
	return env.New(env.Config{Backend: backend{}, Loads: loads, Lanes: 2, Horizon: 10})
}

// broken breaks one rule on top of a good environment.
type broken struct {
	*env.Env
	step  func(b *broken, actions []int32, obs, rewards []float32, terminated, truncated []bool) error
	reset func(b *broken, seed uint64, obs []float32) error
	axes  []int
	kept  []float32
}

func (b *broken) Axes() []int {
	if b.axes != nil {
		return b.axes
	}
	return b.Env.Axes()
}

func (b *broken) Reset(seed uint64, obs []float32) error {
	if b.reset != nil {
		return b.reset(b, seed, obs)
	}
	return b.Env.Reset(seed, obs)
}

func (b *broken) Step(actions []int32, obs, rewards []float32, terminated, truncated []bool) error {
	if b.step != nil {
		return b.step(b, actions, obs, rewards, terminated, truncated)
	}
	return b.Env.Step(actions, obs, rewards, terminated, truncated)
}

var bounds = envtest.Bounds{MaxReward: 1, Horizon: 10}

func TestAGoodEnvironmentFailsNothing(t *testing.T) {
	envtest.Check(t, bounds, func() (envtest.Env, error) { return good() })
	for name, err := range envtest.Failures(bounds, func() (envtest.Env, error) { return good() }) {
		t.Errorf("%s: %v", name, err)
	}
}

func TestEachBrokenRuleIsFound(t *testing.T) {
	made := 0
	for check, breaks := range map[string]func(b *broken){
		"shapes": func(b *broken) { b.axes = b.Env.Axes() },
		"same seed and actions, same bytes": func(b *broken) {
			made++
			seed := uint64(made)
			b.reset = func(b *broken, _ uint64, obs []float32) error { return b.Env.Reset(seed, obs) }
		},
		"other seed, other episodes": func(b *broken) {
			b.reset = func(b *broken, _ uint64, obs []float32) error { return b.Env.Reset(1, obs) }
		},
		"values in bounds": after(func(_ *broken, obs, _ []float32, _ []bool) { obs[0] *= 5 }),
		"lanes are independent": after(func(_ *broken, _, rewards []float32, _ []bool) {
			rewards[0] = (rewards[0] + rewards[1]) / 2
		}),
		"no buffer is kept": func(b *broken) {
			b.step = func(b *broken, actions []int32, obs, rewards []float32, terminated, truncated []bool) error {
				err := b.Env.Step(actions, obs, rewards, terminated, truncated)
				if b.kept != nil && math.IsNaN(float64(b.kept[0])) && err == nil {
					rewards[0] = 0 // of what the caller did to the last buffer
				}
				b.kept = obs
				return err
			}
		},
		"errors change nothing": func(b *broken) {
			b.step = func(b *broken, actions []int32, obs, rewards []float32, terminated, truncated []bool) error {
				for i, c := range actions {
					actions[i] = max(0, min(2, c))
				}
				return b.Env.Step(actions, obs, rewards, terminated, truncated)
			}
		},
		"truncated at the horizon": after(func(_ *broken, _, _ []float32, truncated []bool) { truncated[1] = false }),
		"no allocation in a step":  after(func(b *broken, obs, _ []float32, _ []bool) { b.kept = append([]float32(nil), obs...) }),
	} {
		got := envtest.Failures(bounds, func() (envtest.Env, error) {
			e, err := good()
			b := &broken{Env: e}
			breaks(b)
			return b, err
		})
		if got[check] == nil {
			t.Errorf("%s: not found; found %v", check, got)
		}
	}
}

// after changes what a good step has written.
func after(change func(b *broken, obs, rewards []float32, truncated []bool)) func(b *broken) {
	return func(b *broken) {
		b.step = func(b *broken, actions []int32, obs, rewards []float32, terminated, truncated []bool) error {
			err := b.Env.Step(actions, obs, rewards, terminated, truncated)
			if err == nil {
				change(b, obs, rewards, truncated)
			}
			return err
		}
	}
}
