package env

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/windvane/windvane/sim/model"
)

// Chain are loads that are a finite set of points, of which the next depends on the
// present one alone. An episode starts at any point with the same chance. It is
// immutable. What is known of it in full can be planned for: see train.ValueIteration.
type Chain struct {
	points [][]float64
	rows   [][]Jump
	limits [][]uint64                          // the sums of a row's probabilities, as shares of all 64-bit numbers
	step   func(at int32, rng *rand.PCG) int32 // instead of limits, where it is simpler
}

// Jump is a transition and its probability.
type Jump struct {
	To int32
	P  float64
}

// NewChain returns the chain over points ([point][service], requests/s) with the given
// transitions ([from][…], each row's probabilities summing to 1).
func NewChain(points [][]float64, rows [][]Jump) (*Chain, error) {
	c := &Chain{points: points, rows: rows}
	if err := checkPoints(points); err != nil {
		return nil, err
	}
	if len(rows) != len(points) {
		return nil, fmt.Errorf("env: transitions from %d points, want %d", len(rows), len(points))
	}
	for from, row := range rows {
		sum, limits := 0.0, make([]uint64, len(row))
		for i, j := range row {
			if j.To < 0 || int(j.To) >= len(points) || !(j.P >= 0) {
				return nil, fmt.Errorf("env: point %d goes to %d with probability %v", from, j.To, j.P)
			}
			sum += j.P
			limits[i] = threshold(sum)
		}
		if math.Abs(sum-1) > 1e-9 {
			return nil, fmt.Errorf("env: the probabilities from point %d sum to %v, want 1", from, sum)
		}
		limits[len(limits)-1] = math.MaxUint64 // what rounding left
		c.limits = append(c.limits, limits)
	}
	return c, nil
}

// threshold is p of all 64-bit numbers.
func threshold(p float64) uint64 {
	if p >= 1 {
		return math.MaxUint64
	}
	return uint64(p * (1 << 63) * 2)
}

// Uniform returns loads that are drawn anew with a chance of 1 in hold (at least 1) in
// each interval, every point with the same chance: the grid that the published policies
// are trained on, where hold is 1.
func Uniform(points [][]float64, hold int) (*Chain, error) {
	if err := checkPoints(points); err != nil {
		return nil, err
	}
	if hold < 1 {
		return nil, fmt.Errorf("env: loads drawn anew every %d intervals; want at least 1", hold)
	}
	n, c := len(points), &Chain{points: points}
	for from := range n {
		row := make([]Jump, n)
		for to := range row {
			row[to] = Jump{int32(to), 1 / float64(hold) / float64(n)}
		}
		row[from].P += 1 - 1/float64(hold)
		c.rows = append(c.rows, row)
	}
	anew := threshold(1 / float64(hold))
	c.step = func(at int32, rng *rand.PCG) int32 {
		u := rng.Uint64()
		if u > anew {
			return at
		}
		if hold > 1 {
			u = rng.Uint64()
		}
		hi, _ := bits.Mul64(u, uint64(n))
		return int32(hi)
	}
	return c, nil
}

// Cycle returns loads that go through the points in their order, and round again: a
// period that is known, or a recorded day.
func Cycle(points [][]float64) (*Chain, error) {
	if err := checkPoints(points); err != nil {
		return nil, err
	}
	n, c := len(points), &Chain{points: points}
	for from := range n {
		c.rows = append(c.rows, []Jump{{int32((from + 1) % n), 1}})
	}
	c.step = func(at int32, _ *rand.PCG) int32 {
		if int(at) == n-1 {
			return 0
		}
		return at + 1
	}
	return c, nil
}

// Cross returns every combination of levels (by service, requests/s), the last
// service's varying fastest: the points of a load grid, in the order of a model.Table.
func Cross(levels [][]float64) [][]float64 {
	var out [][]float64
	for _, l := range levels {
		if len(l) == 0 {
			return nil
		}
	}
	model.EachLoad(levels, func(offered []float64) {
		out = append(out, append([]float64(nil), offered...))
	})
	return out
}

func checkPoints(points [][]float64) error {
	if len(points) == 0 || len(points) > math.MaxInt32 {
		return errors.New("env: no load points, or too many")
	}
	for i, p := range points {
		if len(p) != len(points[0]) {
			return fmt.Errorf("env: load point %d has %d services, the first %d", i, len(p), len(points[0]))
		}
		for s, v := range p {
			if !(v >= 0) || math.IsInf(v, 1) {
				return fmt.Errorf("env: load point %d: service %d is offered %v; want a finite number of 0 or more", i, s, v)
			}
		}
	}
	return nil
}

// Check implements Loads.
func (c *Chain) Check(services int) error {
	if c == nil || len(c.points) == 0 {
		return errors.New("env: the chain of loads has no points; make it with NewChain, Uniform or Cycle")
	}
	if len(c.points[0]) != services {
		return fmt.Errorf("env: loads of %d services, want %d", len(c.points[0]), services)
	}
	return nil
}

// Points implements Loads. They are only to be read.
func (c *Chain) Points() [][]float64 { return c.points }

// Row returns the transitions from a point. It is only to be read.
func (c *Chain) Row(from int) []Jump { return c.rows[from] }

// Start implements Loads.
func (c *Chain) Start(at *Lane, rng *rand.PCG) {
	at.Point = draw(rng, uint32(len(c.points)))
}

// Next implements Loads.
func (c *Chain) Next(at *Lane, rng *rand.PCG) {
	if c.step != nil {
		at.Point = c.step(at.Point, rng)
		return
	}
	u := rng.Uint64()
	for i, limit := range c.limits[at.Point] {
		if u <= limit {
			at.Point = c.rows[at.Point][i].To
			return
		}
	}
}

// Offered implements Loads.
func (c *Chain) Offered(at *Lane, out []float64) { copy(out, c.points[at.Point]) }
