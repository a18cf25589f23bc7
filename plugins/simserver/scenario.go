// Package simserver serves the simulator (sim/env) to learners in other processes and
// languages, over the Simulator service of plugins/proto.
//
// What an environment does is sim/env's; who may connect is the listener's. Here are the
// scenario that is served, the translation of requests, and the bounds on them.
package simserver

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// Scenario is what all environments of a server have in common. It is immutable.
type Scenario struct {
	Mesh     string
	Reward   string // what an interval is worth, for a person
	Services []string
	Backend  env.Backend
	Points   [][]float64 // [point][service], requests/s: the loads unless a client has its own
}

// FromTable is the scenario of a table, in which a step is one look-up.
func FromTable(m *rules.Mesh, t *model.Table) (*Scenario, error) {
	goal, reward, err := goalOf(m, t.Services)
	if err != nil {
		return nil, err
	}
	grid, err := env.NewGrid(t, goal)
	if err != nil {
		return nil, err
	}
	return &Scenario{Mesh: m.Name, Reward: reward, Services: t.Services, Backend: grid, Points: train.Curriculum(t.Loads)}, nil
}

// FromModel is the scenario of the system model, for which no number of services or
// actions is too large, at the price of a prediction a step. Its loads are drawn over the
// range of the data by the seed.
func FromModel(m *rules.Mesh, s *model.System, seed uint64) (*Scenario, error) {
	goal, reward, err := goalOf(m, s.Services)
	if err != nil {
		return nil, err
	}
	system, err := env.NewSystem(s, goal)
	if err != nil {
		return nil, err
	}
	return &Scenario{Mesh: m.Name, Reward: reward, Services: s.Services, Backend: system, Points: scatter(s.Offered, seed)}, nil
}

// Fit learns the scenario of a mesh from a dataset, as windvane trains with.
func Fit(m *rules.Mesh, d *dataset.Dataset, digest string, seed uint64, ofModel bool) (*Scenario, error) {
	if ofModel {
		s, err := train.FitSearched(m, d, digest, seed)
		if err != nil {
			return nil, err
		}
		return FromModel(m, s.Model, seed)
	}
	t, err := train.EnumerateTabular(m, d, digest, seed)
	if err != nil {
		return nil, err
	}
	return FromTable(m, t.Table)
}

// Constants of scatter.
const (
	scattered     = 1024 // loads
	streamScatter = 0x73636174
)

func scatter(ranges []model.Span, seed uint64) [][]float64 {
	rng := rand.New(rand.NewPCG(seed, streamScatter))
	out := make([][]float64, scattered)
	for i := range out {
		for _, r := range ranges {
			out[i] = append(out[i], r.Min+(r.Max-r.Min)*rng.Float64())
		}
	}
	return out
}

// goalOf is the rules' reward, or, where they have none, one that keeps the bounds.
func goalOf(m *rules.Mesh, services []string) (env.Goal, string, error) {
	goal, err := train.NewGoal(m, services)
	if err != nil {
		return nil, "", err
	}
	if goal.HasReward() {
		return goal, "the reward " + m.Reward.Name + " of the rules", nil
	}
	return &keepBounds{goal, slices.Repeat([]float64{1}, len(services))},
		"the value of what is carried, as a share of that of all that is offered; less than nothing where a predicted latency exceeds its bound", nil
}

// keepBounds is a reward for rules that have none.
type keepBounds struct {
	*train.Goal
	all []float64
}

// penaltySlope is how fast what exceeds a bound gets worse, as in what `learned` trains on.
const penaltySlope = 2

// Reward implements env.Goal.
func (k *keepBounds) Reward(latency, offered, admitted []float64, cost float64) float64 {
	excess := 0.0
	for s, v := range latency {
		excess = math.Max(excess, v/k.Bound[s])
	}
	if excess > 1 {
		return -math.Min(1, penaltySlope*(excess-1))
	}
	whole := k.Value(offered, k.all, 0)
	if !(whole > 0) {
		whole = 1 // nothing is offered, or it is worth nothing
	}
	return k.Value(offered, admitted, cost) / whole
}
