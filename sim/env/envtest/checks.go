package envtest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/windvane/windvane/sim/env"
)

func (c *checker) shapes() error {
	s, err := c.start(0)
	if err != nil {
		return err
	}
	if s.NumLanes() < 1 || s.ObservationSize() < 1 || len(s.axes) < 1 || slices.Min(s.axes) < 1 {
		return fmt.Errorf("%d lanes, observations of %d, axes %v", s.NumLanes(), s.ObservationSize(), s.axes)
	}
	s.axes[0] = -1
	if s.Axes()[0] == -1 {
		return errors.New("axes are those that the environment uses itself")
	}
	return nil
}

func (c *checker) deterministic() error {
	s, err := c.start(1)
	if err != nil {
		return err
	}
	first, err := s.record(7)
	if err != nil {
		return err
	}
	s.rng = rand.New(rand.NewPCG(1, 0))
	again, err := s.record(7)
	if err != nil {
		return err
	}
	other, err := c.record(7, 1)
	if err != nil {
		return err
	}
	for i, f := range first {
		if !f.equal(again[i]) {
			return fmt.Errorf("step %d differs after another Reset", i)
		}
		if !f.equal(other[i]) {
			return fmt.Errorf("step %d differs in another environment", i)
		}
	}
	return nil
}

func (c *checker) seeded() error {
	a, err := c.record(7, 1)
	if err != nil {
		return err
	}
	b, err := c.record(8, 1)
	if err != nil {
		return err
	}
	if slices.EqualFunc(a, b, frame.equal) {
		return errors.New("two seeds give the same run")
	}
	return nil
}

func (c *checker) inBounds() error {
	frames, err := c.record(3, 2)
	if err != nil {
		return err
	}
	const slack = 1e-4 // of float32
	low, high := c.bounds.MinReward-slack, c.bounds.MaxReward+slack
	for step, f := range frames {
		for i, v := range f.obs {
			if !(v >= env.MinObservation && v <= env.MaxObservation) {
				return fmt.Errorf("step %d: observation %d is %v, want %v to %v", step, i, v, env.MinObservation, env.MaxObservation)
			}
		}
		for lane, r := range f.rewards {
			if v := float64(r); step > 0 && !(v >= low && v <= high) {
				return fmt.Errorf("step %d: the reward of lane %d is %v, want %v to %v", step, lane, r, c.bounds.MinReward, c.bounds.MaxReward)
			}
		}
	}
	return nil
}

// independent gives the even lanes the same actions twice, and the odd ones others.
func (c *checker) independent() error {
	a, err := c.start(1)
	if err != nil {
		return err
	}
	b, err := c.start(2)
	if err != nil {
		return err
	}
	if err := errors.Join(a.Reset(5, a.obs), b.Reset(5, b.obs)); err != nil {
		return err
	}
	axes, size := len(a.axes), a.ObservationSize()
	for step := range steps {
		a.draw()
		b.draw()
		for lane := 0; lane < a.NumLanes(); lane += 2 {
			copy(b.actions[lane*axes:(lane+1)*axes], a.actions[lane*axes:])
		}
		if err := errors.Join(a.step(), b.step()); err != nil {
			return err
		}
		for lane := 0; lane < a.NumLanes(); lane += 2 {
			from, to := lane*size, (lane+1)*size
			if a.rewards[lane] != b.rewards[lane] || a.truncated[lane] != b.truncated[lane] || !slices.Equal(a.obs[from:to], b.obs[from:to]) {
				return fmt.Errorf("step %d: what other lanes did changed lane %d", step, lane)
			}
		}
	}
	return nil
}

// unaliased spoils every buffer between steps, and uses new ones each time.
func (c *checker) unaliased() error {
	want, err := c.record(9, 4)
	if err != nil {
		return err
	}
	s, err := c.start(4)
	if err != nil {
		return err
	}
	if err := s.Reset(9, s.obs); err != nil {
		return err
	}
	for step := 1; step <= steps; step++ {
		s.spoil()
		s.frame = newFrame(s.Env)
		s.spoil()
		s.actions = make([]int32, len(s.actions))
		s.draw()
		given := slices.Clone(s.actions)
		if err := s.step(); err != nil {
			return err
		}
		if !slices.Equal(s.actions, given) {
			return fmt.Errorf("step %d changed the actions", step)
		}
		if !s.equal(want[step]) {
			return fmt.Errorf("step %d depends on what the caller does with the buffers", step)
		}
		for i := range s.actions {
			s.actions[i] = -1
		}
	}
	return nil
}

func (f frame) spoil() {
	for _, v := range [][]float32{f.obs, f.rewards} {
		for i := range v {
			v[i] = float32(math.NaN())
		}
	}
	for _, v := range [][]bool{f.terminated, f.truncated} {
		for i := range v {
			v[i] = true
		}
	}
}

func (c *checker) refuses() error {
	want, err := c.record(11, 6)
	if err != nil {
		return err
	}
	s, err := c.start(6)
	if err != nil {
		return err
	}
	if s.step() == nil {
		return errors.New("a step before the first reset is no error")
	}
	if s.Reset(11, s.obs[1:]) == nil {
		return errors.New("a reset into a short buffer is no error")
	}
	if err := s.Reset(11, s.obs); err != nil {
		return err
	}
	for step := 1; step <= steps; step++ {
		s.draw()
		if err := s.refused(); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		if err := s.step(); err != nil {
			return err
		}
		if !s.equal(want[step]) {
			return fmt.Errorf("step %d differs after a refused one", step)
		}
	}
	return nil
}

// refused makes the same step wrong in every way.
func (s *stepper) refused() error {
	last, n := len(s.actions)-1, int32(s.axes[len(s.axes)-1])
	right := s.actions[last]
	for _, wrong := range []int32{-1, n, math.MaxInt32, math.MinInt32} {
		s.actions[last] = wrong
		if s.step() == nil {
			return fmt.Errorf("category %d of %d is no error", wrong, n)
		}
	}
	s.actions[last] = right
	for i, err := range []error{
		s.Step(s.actions[1:], s.obs, s.rewards, s.terminated, s.truncated),
		s.Step(s.actions, s.obs[1:], s.rewards, s.terminated, s.truncated),
		s.Step(s.actions, s.obs, s.rewards[1:], s.terminated, s.truncated),
		s.Step(s.actions, s.obs, s.rewards, s.terminated[1:], s.truncated),
		s.Step(s.actions, s.obs, s.rewards, s.terminated, s.truncated[1:]),
	} {
		if err == nil {
			return fmt.Errorf("short buffer %d is no error", i)
		}
	}
	return nil
}

func (c *checker) truncates() error {
	s, err := c.start(8)
	if err != nil {
		return err
	}
	final := make([]float32, s.ObservationSize())
	if err := s.Reset(13, s.obs); err != nil {
		return err
	}
	for step := 1; step <= max(steps, 3*c.bounds.Horizon); step++ {
		s.draw()
		if err := s.step(); err != nil {
			return err
		}
		end := c.bounds.Horizon > 0 && step%c.bounds.Horizon == 0
		for lane := range s.truncated {
			if s.truncated[lane] != end || s.terminated[lane] {
				return fmt.Errorf("step %d, lane %d: terminated %v, truncated %v; want false and %v", step, lane, s.terminated[lane], s.truncated[lane], end)
			}
			for i := range final {
				final[i] = float32(math.NaN())
			}
			s.Final(lane, final)
			for i, v := range final {
				if !(v >= env.MinObservation && v <= env.MaxObservation) {
					return fmt.Errorf("step %d, lane %d: feature %d of the last observation is %v", step, lane, i, v)
				}
			}
		}
	}
	return nil
}

func (c *checker) allocatesNothing() error {
	s, err := c.start(10)
	if err != nil {
		return err
	}
	if err := s.Reset(17, s.obs); err != nil {
		return err
	}
	n := testing.AllocsPerRun(steps, func() {
		s.draw()
		err = errors.Join(err, s.step())
	})
	if n > 0 {
		return errors.Join(err, fmt.Errorf("%v allocations in a step", n))
	}
	return err
}
