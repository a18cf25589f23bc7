package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/rollout"
	"github.com/windvane/windvane/sim/env"
)

// Sequential is a problem in which an action matters beyond its interval (step limits,
// delays) over loads that are known as a chain. Its state is the point of the chain and
// the action that was commanded last: a delay of k intervals adds nothing to it, because
// what is commanded now earns its reward k intervals on whatever happens in between, so
// that the expected reward then can stand in for a reward now.
type Sequential struct {
	Chain    *env.Chain
	Space    *env.Space
	Rewards  []float32    // [point][action], as env.Grid's Rewards returns them
	Limiter  *env.Limiter // where an axis gets to in one interval
	Delay    int          // intervals until an action is in force
	Discount float64      // in [0, 1): what the next interval is worth, seen from this one
}

// Plan says what to command in each state.
type Plan struct {
	Next   []int32   // [point][action commanded last]: the action to command, which the limiter admits
	Value  []float64 // [point][action commanded last]: discounted worth of what can still be changed
	Sweeps int       // over all states
}

// NewSequential returns the problem of an environment with these loads over a table.
// The limiter is of the table's space.
func NewSequential(g *env.Grid, chain *env.Chain, limiter *env.Limiter, delay int, discount float64) (*Sequential, error) {
	if err := chain.Check(len(g.Offered())); err != nil {
		return nil, err
	}
	rewards, err := g.Rewards(chain.Points())
	if err != nil {
		return nil, err
	}
	s := &Sequential{Chain: chain, Space: g.Space(), Rewards: rewards, Limiter: limiter, Delay: delay, Discount: discount}
	return s, s.check()
}

func (s *Sequential) check() error {
	switch {
	case s.Chain == nil || s.Space == nil || s.Limiter == nil:
		return errors.New("train: a sequential problem needs a chain of loads, a space and a limiter")
	case s.Space.Len() == 0:
		return errors.New("train: too many actions for value iteration; use a policy that searches")
	case len(s.Rewards) != len(s.Chain.Points())*s.Space.Len():
		return fmt.Errorf("train: %d rewards, want %d points x %d actions", len(s.Rewards), len(s.Chain.Points()), s.Space.Len())
	case s.Delay < 0:
		return fmt.Errorf("train: a delay of %d intervals", s.Delay)
	case !(s.Discount >= 0 && s.Discount < 1):
		return fmt.Errorf("train: discount %v, want at least 0 and below 1", s.Discount)
	}
	return nil
}

// maxSweeps is far beyond what any discount below .999 takes.
const maxSweeps = 100_000

// ValueIteration plans by dynamic programming, until no value can be off by more than
// tolerance (in the unit of a reward, above 0). It is deterministic; of equal actions it
// takes the first.
//
// Each point is brought up to date with what was just learned of the others, the last
// first (Gauss and Seidel), so that a cycle of points takes two or three sweeps.
func ValueIteration(s *Sequential, tolerance float64) (*Plan, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if !(tolerance > 0) {
		return nil, fmt.Errorf("train: tolerance %v, want above 0", tolerance)
	}
	states, n := len(s.Rewards), s.Space.Len()
	ahead, reach := s.ahead(s.Delay), s.reach()
	p := &Plan{Next: make([]int32, states), Value: make([]float64, states)}
	worth := make([]float64, n)
	for p.Sweeps < maxSweeps {
		p.Sweeps++
		change := 0.0
		for at := states - n; at >= 0; at -= n {
			s.expect(worth, p.Value, at/n)
			for i, v := range worth {
				worth[i] = ahead[at+i] + s.Discount*v
			}
			reach.Best(worth, p.Next[at:at+n])
			for i, v := range worth {
				change = math.Max(change, math.Abs(v-p.Value[at+i]))
				p.Value[at+i] = v
			}
		}
		if change*s.Discount/(1-s.Discount) < tolerance { // a contraction by the discount
			return p, nil
		}
	}
	return nil, fmt.Errorf("train: value iteration has not converged after %d sweeps; use a smaller discount", maxSweeps)
}

// ahead is the expected reward of each action in so many intervals, [point][action].
func (s *Sequential) ahead(intervals int) []float64 {
	out, next := make([]float64, len(s.Rewards)), make([]float64, len(s.Rewards))
	for i, r := range s.Rewards {
		out[i] = float64(r)
	}
	n := s.Space.Len()
	for range intervals {
		for from := range s.Chain.Points() {
			s.expect(next[from*n:(from+1)*n], out, from)
		}
		out, next = next, out
	}
	return out
}

// expect writes, by action, the expectation of what v will be at the point after one.
func (s *Sequential) expect(out, v []float64, from int) {
	n := len(out)
	clear(out)
	for _, j := range s.Chain.Row(from) {
		if j.P == 0 {
			continue
		}
		for i, x := range v[int(j.To)*n : (int(j.To)+1)*n] {
			out[i] += j.P * x
		}
	}
}

// reach is what the limiter lets an action get to in one interval.
func (s *Sequential) reach() *rollout.Reach {
	r := rollout.NewReach(s.Space.Axes())
	r.Set(func(axis int, from, to int32) bool { return s.Limiter.Move(axis, from, to) == to })
	return r
}

// best replaces the worth of each action at each point by that of the best action
// within reach of it, and writes which one it is to next.
func (s *Sequential) best(r *rollout.Reach, worth []float64, next []int32) {
	n := s.Space.Len()
	for at := 0; at < len(worth); at += n {
		r.Best(worth[at:at+n], next[at:at+n])
	}
}

// Mean is the expected reward of one interval under a plan, exactly, over the intervals
// after warmup, from any point with the same chance and the given first action (in the
// order of the grid).
func (s *Sequential) Mean(p *Plan, first int32, warmup, intervals int) (float64, error) {
	if err := s.check(); err != nil {
		return 0, err
	}
	if len(p.Next) != len(s.Rewards) || first < 0 || int(first) >= s.Space.Len() || warmup < 0 || intervals < 1 {
		return 0, fmt.Errorf("train: a plan of %d states from action %d over %d and %d intervals; want %d states, one of %d actions, and at least 0 and 1 intervals",
			len(p.Next), first, warmup, intervals, len(s.Rewards), s.Space.Len())
	}
	n, points := s.Space.Len(), len(s.Chain.Points())
	chance, later := make([]float64, points*n), make([]float64, points*n)
	for point := range points {
		chance[point*n+int(first)] = 1 / float64(points)
	}
	// A command earns its reward Delay intervals on, at the load of then.
	ahead, sum := s.ahead(s.Delay), 0.0
	for t := range warmup + intervals {
		clear(later)
		for state, c := range chance {
			if c == 0 {
				continue
			}
			from := state / n
			next := int(p.Next[state])
			if t >= warmup {
				sum += c * ahead[from*n+next]
			}
			for _, j := range s.Chain.Row(from) {
				later[int(j.To)*n+next] += c * j.P
			}
		}
		chance, later = later, chance
	}
	return sum / float64(intervals), nil
}
