package env

import (
	"errors"
	"fmt"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

// System is the back end of the full system model: any number of services and actions,
// at the price of a prediction a step.
type System struct {
	model *model.System
	goal  Goal
	space *Space
	worth worth
}

// NewSystem returns the back end of a model.
func NewSystem(m *model.System, goal Goal) (*System, error) {
	if goal == nil {
		return nil, errors.New("env: no goal")
	}
	space, err := NewSpace(m.Knobs)
	if err != nil {
		return nil, err
	}
	return &System{model: m, goal: goal, space: space, worth: newWorth(space, m.Services)}, nil
}

// Space implements Backend.
func (s *System) Space() *Space { return s.space }

// Offered implements Backend: the loads in the data behind the model.
func (s *System) Offered() []model.Span { return s.model.Offered }

// Prepare implements Backend.
func (s *System) Prepare(points [][]float64) (Rewarder, error) {
	n := len(s.model.Services)
	for i, p := range points {
		if len(p) != n {
			return nil, fmt.Errorf("env: load point %d has %d services, want %d", i, len(p), n)
		}
	}
	return &predicted{
		System: s, points: points, predictor: s.model.Predictor(),
		settings: make([]float64, len(s.model.Knobs)), latency: make([]float64, n), admitted: make([]float64, n),
	}, nil
}

// predicted asks the model, one lane after the other.
type predicted struct {
	*System
	points    [][]float64
	predictor *model.Predictor
	settings  []float64
	latency   []float64
	admitted  []float64
}

// Rewards implements Rewarder.
func (p *predicted) Rewards(out []float32, b *Batch) {
	axes, services := len(p.space.sizes), len(p.latency)
	for lane := range out {
		choice := b.Live[lane*axes:][:axes]
		var offered []float64
		if b.Point != nil {
			offered = p.points[b.Point[lane]]
		} else {
			offered = b.Offered[lane*services:][:services]
		}
		p.space.Settings(choice, p.settings)
		p.predictor.Latency(p.latency, p.settings, offered)
		cost := p.worth.of(choice, p.admitted)
		out[lane] = float32(p.goal.Reward(p.latency, offered, p.admitted, cost))
	}
}

// worth knows what of an action does not depend on the load.
type worth struct {
	blocking []int       // by service: the axis of its blocking, or -1
	admitted [][]float64 // by service, category of that axis: share that is not blocked
	axes     []int       // that cost something
	cost     [][]float64 // by such an axis, category
}

func newWorth(s *Space, services []string) worth {
	w := worth{blocking: make([]int, len(services)), admitted: make([][]float64, len(services))}
	for i := range w.blocking {
		w.blocking[i] = -1
	}
	for i, axis := range s.axes {
		cost, costs := make([]float64, len(axis.Values)), false
		for c, values := range axis.Values {
			for k, v := range values {
				cost[c] += s.knobs[axis.First+k].Cost * v
			}
			costs = costs || cost[c] != 0
		}
		if costs {
			w.axes, w.cost = append(w.axes, i), append(w.cost, cost)
		}
		knob := s.knobs[axis.First]
		at := slices.Index(services, knob.Service)
		if knob.Kind != policy.Blocking || at < 0 {
			continue
		}
		w.blocking[at] = i
		for _, values := range axis.Values {
			w.admitted[at] = append(w.admitted[at], 1-values[0])
		}
	}
	return w
}

// of writes the admitted share of each service into out, and returns the cost.
func (w *worth) of(choice []int32, out []float64) (cost float64) {
	for s, axis := range w.blocking {
		out[s] = 1
		if axis >= 0 {
			out[s] = w.admitted[s][choice[axis]]
		}
	}
	for i, axis := range w.axes {
		cost += w.cost[i][choice[axis]]
	}
	return cost
}
