// Package envtest checks that an environment keeps the contract of sim/env, as
// Gymnasium's env_checker does for its own.
package envtest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// Env is what is checked: *env.Env and whatever wraps it.
type Env interface {
	NumLanes() int
	ObservationSize() int
	Axes() []int
	Reset(seed uint64, obs []float32) error
	Step(actions []int32, obs, rewards []float32, terminated, truncated []bool) error
	Final(lane int, obs []float32)
}

// Bounds are what Check cannot find out by itself.
type Bounds struct {
	MinReward, MaxReward float64 // of one interval
	Horizon              int     // intervals after which every lane is truncated; 0: never
}

// Check runs every check as a subtest on environments that make makes; each call has
// to make a new one, with the same configuration.
func Check(t *testing.T, bounds Bounds, make func() (Env, error)) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.check(&checker{bounds: bounds, make: make}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Failures returns the names of the checks that an environment fails, with the reasons.
func Failures(bounds Bounds, make func() (Env, error)) map[string]error {
	out := map[string]error{}
	for _, c := range checks {
		if err := c.check(&checker{bounds: bounds, make: make}); err != nil {
			out[c.name] = err
		}
	}
	return out
}

var checks = []struct {
	name  string
	check func(c *checker) error
}{
	{"shapes", (*checker).shapes},
	{"same seed and actions, same bytes", (*checker).deterministic},
	{"other seed, other episodes", (*checker).seeded},
	{"values in bounds", (*checker).inBounds},
	{"lanes are independent", (*checker).independent},
	{"no buffer is kept", (*checker).unaliased},
	{"errors change nothing", (*checker).refuses},
	{"truncated at the horizon", (*checker).truncates},
	{"no allocation in a step", (*checker).allocatesNothing},
}

// steps of one run.
const steps = 200

type checker struct {
	bounds Bounds
	make   func() (Env, error)
}

// stepper drives one environment with random actions.
type stepper struct {
	Env
	frame
	axes    []int
	actions []int32
	rng     *rand.Rand
}

// frame is everything that one Step writes.
type frame struct {
	obs, rewards          []float32
	terminated, truncated []bool
}

func newFrame(e Env) frame {
	n := e.NumLanes()
	return frame{make([]float32, n*e.ObservationSize()), make([]float32, n), make([]bool, n), make([]bool, n)}
}

func (f frame) clone() frame {
	return frame{slices.Clone(f.obs), slices.Clone(f.rewards), slices.Clone(f.terminated), slices.Clone(f.truncated)}
}

func (f frame) equal(g frame) bool {
	return bytes.Equal(raw(f.obs), raw(g.obs)) && bytes.Equal(raw(f.rewards), raw(g.rewards)) &&
		slices.Equal(f.terminated, g.terminated) && slices.Equal(f.truncated, g.truncated)
}

// raw are the bytes of floats, so that NaN equals itself and 0 is not -0.
func raw(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

// start makes a new environment, not yet reset.
func (c *checker) start(actionSeed uint64) (*stepper, error) {
	e, err := c.make()
	if err != nil {
		return nil, err
	}
	s := &stepper{Env: e, frame: newFrame(e), axes: e.Axes(), rng: rand.New(rand.NewPCG(actionSeed, 0))}
	s.actions = make([]int32, e.NumLanes()*len(s.axes))
	return s, nil
}

// draw fills the actions.
func (s *stepper) draw() {
	for i := range s.actions {
		s.actions[i] = int32(s.rng.IntN(s.axes[i%len(s.axes)]))
	}
}

// step takes a step with the actions that are there.
func (s *stepper) step() error {
	return s.Step(s.actions, s.obs, s.rewards, s.terminated, s.truncated)
}

// record resets a stepper, steps it, and returns the frames, the one of Reset first.
func (s *stepper) record(seed uint64) ([]frame, error) {
	s.frame = newFrame(s.Env) // Reset writes observations only
	if err := s.Reset(seed, s.obs); err != nil {
		return nil, err
	}
	out := []frame{s.clone()}
	for range steps {
		s.draw()
		if err := s.step(); err != nil {
			return nil, err
		}
		out = append(out, s.clone())
	}
	return out, nil
}

// record is start and record in one.
func (c *checker) record(seed, actionSeed uint64) ([]frame, error) {
	s, err := c.start(actionSeed)
	if err != nil {
		return nil, err
	}
	return s.record(seed)
}
