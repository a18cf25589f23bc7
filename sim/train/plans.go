package train

import (
	"errors"
	"math"

	"github.com/windvane/windvane/plugins/rollout"
)

// The plans of this file know nothing of the loads to come: what each does in a state
// depends on the present load alone, or not even on that.

// Myopic is the plan that takes the best action within reach for the present load, as
// if it were in force at once and the load stayed.
func Myopic(s *Sequential) (*Plan, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	p := &Plan{Next: make([]int32, len(s.Rewards)), Value: s.ahead(0), Sweeps: 1}
	s.best(s.reach(), p.Value, p.Next)
	return p, nil
}

// Rollout is the plan of the rollout policy: in each state the action within reach that
// is worth most if it is in force at once, the load stays, and Myopic is followed from
// there, horizon intervals in all.
func Rollout(s *Sequential, horizon int) (*Plan, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if horizon < 1 {
		return nil, errors.New("train: a horizon below one interval")
	}
	p := &Plan{Next: make([]int32, len(s.Rewards)), Value: s.ahead(0), Sweeps: 1}
	reach, n := s.reach(), s.Space.Len()
	look := rollout.NewLookahead(reach)
	for at := 0; at < len(p.Value); at += n {
		copy(p.Value[at:at+n], look.Values(p.Value[at:at+n], horizon))
	}
	s.best(reach, p.Value, p.Next)
	return p, nil
}

// Hold is the plan that goes to the action with the greatest mean reward over all points
// and stays there: the best that never follows the load.
func Hold(s *Sequential) (*Plan, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	n, axes := s.Space.Len(), s.Space.Axes()
	best, most := 0, math.Inf(-1)
	for a := range n {
		sum := 0.0
		for at := a; at < len(s.Rewards); at += n {
			sum += float64(s.Rewards[at])
		}
		if sum > most {
			best, most = a, sum
		}
	}
	p := &Plan{Next: make([]int32, len(s.Rewards)), Value: s.ahead(0), Sweeps: 1}
	target, at := make([]int32, len(axes)), make([]int32, len(axes))
	s.Space.Choice(best, target)
	for state := range p.Next {
		s.Space.Choice(state%n, at)
		for axis := range at {
			at[axis] = s.Limiter.Move(axis, at[axis], target[axis])
		}
		p.Next[state] = int32(s.Space.Flat(at))
	}
	return p, nil
}
