package env

import (
	"errors"
	"fmt"

	"github.com/windvane/windvane/sim/model"
)

// Grid is the back end of a table: every action at a few loads, interpolated between
// them, as the tabular policy sees it. Where the loads are a finite set, a step is one
// look-up.
type Grid struct {
	table *model.Table
	goal  Goal
	space *Space
	worth worth
	spans []model.Span
}

// NewGrid returns the back end of a table. It is an error if the table is damaged, or
// its loads beyond what a look-up takes.
func NewGrid(t *model.Table, goal Goal) (*Grid, error) {
	if goal == nil {
		return nil, errors.New("env: no goal")
	}
	if _, err := t.Actions(); err != nil {
		return nil, err
	}
	space, err := NewSpace(t.Knobs)
	if err != nil {
		return nil, err
	}
	g := &Grid{table: t, goal: goal, space: space, worth: newWorth(space, t.Services)}
	for _, loads := range t.Loads {
		g.spans = append(g.spans, model.Span{Min: loads[0], Max: loads[len(loads)-1]})
	}
	return g, nil
}

// Space implements Backend.
func (g *Grid) Space() *Space { return g.space }

// Offered implements Backend: the loads of the table, from the first to the last.
func (g *Grid) Offered() []model.Span { return g.spans }

// maxRewards bounds a table of rewards: 1 GiB.
const maxRewards = 1 << 28

// Rewards returns the worth of every action at each point ([point][service], requests/s)
// as [point][action], the actions in the order of policy.Grid.
func (g *Grid) Rewards(points [][]float64) ([]float32, error) {
	n := g.space.Len()
	if len(points) > maxRewards/n {
		return nil, fmt.Errorf("env: %d loads x %d actions are too many to look up; use fewer points, or loads that are a continuum", len(points), n)
	}
	out := make([]float32, 0, len(points)*n)
	one := g.newRow()
	choice := make([]int32, len(g.space.sizes))
	for i, offered := range points {
		if len(offered) != len(g.spans) {
			return nil, fmt.Errorf("env: load point %d has %d services, want %d", i, len(offered), len(g.spans))
		}
		one.corners, _ = g.table.Corners(one.corners, offered, n)
		for flat := range n {
			g.space.Choice(flat, choice)
			out = append(out, one.reward(flat, choice, offered))
		}
	}
	return out, nil
}

// Prepare implements Backend.
func (g *Grid) Prepare(points [][]float64) (Rewarder, error) {
	if points == nil {
		r := g.newRow()
		return &r, nil
	}
	rewards, err := g.Rewards(points)
	if err != nil {
		return nil, err
	}
	r := &lookUp{rewards: rewards, actions: g.space.Len()}
	for _, s := range g.space.stride {
		r.stride = append(r.stride, int32(s))
	}
	return r, nil
}

// lookUp is a table of rewards.
type lookUp struct {
	rewards []float32 // [point][action]
	actions int
	stride  []int32
}

// Rewards implements Rewarder.
func (l *lookUp) Rewards(out []float32, b *Batch) {
	stride := l.stride
	live := b.Live
	for lane := range out {
		flat := int32(0)
		choice := live[:len(stride)]
		live = live[len(stride):]
		for i, c := range choice {
			flat += c * stride[i]
		}
		out[lane] = l.rewards[int(b.Point[lane])*l.actions+int(flat)]
	}
}

// row interpolates one lane after the other.
type row struct {
	*Grid
	corners  []model.Corner
	latency  []float64
	admitted []float64
}

func (g *Grid) newRow() row {
	n := len(g.spans)
	return row{Grid: g, corners: make([]model.Corner, 0, 1<<min(n, 20)), latency: make([]float64, n), admitted: make([]float64, n)}
}

// reward is the worth of an action at the loads of the corners.
func (r *row) reward(flat int, choice []int32, offered []float64) float32 {
	r.table.Predict(r.latency, r.corners, flat)
	cost := r.worth.of(choice, r.admitted)
	return float32(r.goal.Reward(r.latency, offered, r.admitted, cost))
}

// Rewards implements Rewarder.
func (r *row) Rewards(out []float32, b *Batch) {
	axes, services := len(r.space.sizes), len(r.spans)
	for lane := range out {
		offered, choice := b.Offered[lane*services:][:services], b.Live[lane*axes:][:axes]
		r.corners, _ = r.table.Corners(r.corners, offered, r.space.length)
		out[lane] = r.reward(r.space.Flat(choice), choice, offered)
	}
}
