package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"

	"github.com/windvane/windvane/plugins/learned"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

// queues is a mesh of two services over two nodes, of which each service may use both:
// latencies rise with what the nodes carry. It is small enough for a quick training.
func queues(t *testing.T) (*Goal, *Tabular) {
	t.Helper()
	table := &model.Table{Services: []string{"a", "b"}, Signals: []string{"latency", "latency"}, Loads: [][]float64{{4, 12, 20}, {4, 12, 20}}}
	goal := &Goal{Signals: table.Signals, Bound: []float64{.05, .06}, Budget: []float64{.05, .05}}
	for i, s := range table.Services {
		table.Knobs = append(table.Knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Blocking, Target: s}, Service: s, Max: 1, Levels: 6})
		for _, v := range []string{"v1", "v2"} {
			table.Knobs = append(table.Knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/" + s, Part: v}, Service: s, Max: 1, Levels: 5})
		}
		goal.Services = append(goal.Services, policy.Service{Name: s, Value: float64(1 + i), Objectives: []policy.Objective{
			{Signal: "latency", Kind: policy.LatencyObjective, Bound: goal.Bound[i], Budget: .05},
		}})
	}
	policy.SortKnobs(table.Knobs)
	grid, err := policy.Grid(table.Knobs)
	if err != nil {
		t.Fatal(err)
	}
	model.EachLoad(table.Loads, func(offered []float64) {
		for _, a := range grid {
			var node [2]float64
			var weight [2][2]float64
			for s, name := range table.Services {
				b, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: name})
				for d, v := range []string{"v1", "v2"} {
					weight[s][d], _ = a.Get(policy.KnobID{Kind: policy.Weight, Target: "ns/vs/" + name, Part: v})
					node[d] += offered[s] * (1 - b) * weight[s][d]
				}
			}
			for s := range table.Services {
				latency := 0.
				for d, capacity := range []float64{18, 12} {
					if weight[s][d] > 0 {
						latency = math.Max(latency, .02/math.Max(.1, 1-node[d]/(capacity*1.3)))
					}
				}
				table.Values = append(table.Values, float32(latency))
			}
		}
	})
	card := Card{Policy: "tabular", Mesh: "m", Knobs: table.Knobs}
	for i, s := range table.Services {
		card.Services = append(card.Services, ServiceCard{Service: s, Signal: "latency", Loads: table.Loads[i]})
	}
	return goal, &Tabular{Table: table, Card: card}
}

func quick() PPOParams {
	p := DefaultPPO()
	p.Steps = 60_000
	return p
}

func learn(t *testing.T, params PPOParams, seed uint64) *Learned {
	t.Helper()
	goal, tabular := queues(t)
	l, err := NewLearning(goal, tabular, params, seed)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return l.Learned()
}

// The policy that is served keeps every margin where that is possible at all, and has
// nearly the value of the enumeration, at loads and margins of all kinds.
func TestLearnedPolicyAgainstEnumeration(t *testing.T) {
	goal, tabular := queues(t)
	got := learn(t, quick(), 1)
	src, err := got.Artefact.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := learned.New()
	if err := p.Configure(context.Background(), policy.Config{Artefact: src}); err != nil {
		t.Fatal(err)
	}
	c, err := NewChoices(tabular.Table)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newBudgetEnv(goal, tabular.Table, 1)
	if err != nil {
		t.Fatal(err)
	}
	obs := make([]float32, e.ObservationSize())
	if err := e.Reset(99, obs); err != nil {
		t.Fatal(err)
	}
	value, best, latency := 0., 0., make([]float64, 2)
	for range 300 {
		offered := e.points[e.at[0]]
		o := policy.Observation{Knobs: tabular.Table.Knobs, Live: c.Grid[len(c.Grid)-1], Limits: policy.Limits{MaxStep: 1, TotalBlocking: 1}}
		for s, service := range goal.Services {
			service.Objectives = []policy.Objective{service.Objectives[0]}
			service.Objectives[0].Margin = goal.Bound[s]/e.limit[s] - 1
			o.Services = append(o.Services, service)
			o.State = append(o.State, policy.Signal{Name: "offered", Service: service.Name, Role: policy.RoleOffered, Value: offered[s], Status: policy.Valid})
		}
		corners, _ := tabular.Table.Corners(nil, offered, len(c.Grid))
		score := func(action int, latency []float64) float64 {
			for s, v := range latency {
				if v > e.limit[s] {
					return -1
				}
			}
			return goal.Value(offered, c.Admitted[action], 0)
		}
		_, most := c.Best(corners, score)
		d, err := p.Decide(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		if d.Infeasible != (most < 0) {
			t.Errorf("at %v/s under %v s: infeasible is %t, the best action is worth %v", offered, e.limit, d.Infeasible, most)
		}
		if most > 0 && !d.Infeasible {
			for i, a := range c.Grid {
				if a.Equal(d.Action, 1e-9) {
					tabular.Table.Predict(latency, corners, i)
					value += score(i, latency)
				}
			}
			best += most
		}
		e.draw(obs)
	}
	if share := value / best; share < .98 || share > 1+1e-9 {
		t.Errorf("%.3f of the value of the enumeration", share)
	}
}

// A training that was interrupted and resumed ends with the bits of one that was not.
func TestResumedTrainingIsTheSame(t *testing.T) {
	params := quick()
	params.Steps = 5 * Lanes * params.Rollout
	want := learn(t, params, 3)
	goal, tabular := queues(t)
	l, err := NewLearning(goal, tabular, params, 3)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = l.Run(ctx, func(taken, of int) {
		if taken*2 > of {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || l.Done() {
		t.Fatalf("error %v after %d steps", err, l.Taken())
	}
	saved, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewLearning(goal, tabular, params, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Restore(saved); err != nil {
		t.Fatal(err)
	}
	if again.Taken() != l.Taken() {
		t.Errorf("resumed at %d, stopped at %d", again.Taken(), l.Taken())
	}
	if err := again.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	a, errA := want.Artefact.Encode()
	b, errB := again.Learned().Artefact.Encode()
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("the resumed training ended elsewhere (%v, %v)", errA, errB)
	}
	other, err := NewLearning(goal, tabular, params, 4)
	if err != nil {
		t.Fatal(err)
	}
	if other.Restore(saved) == nil {
		t.Error("a checkpoint of another seed was accepted")
	}
	goal.Bound[0] *= 2
	if other, err = NewLearning(goal, tabular, params, 3); err != nil {
		t.Fatal(err)
	}
	if other.Restore(saved) == nil {
		t.Error("a checkpoint of another problem was accepted")
	}
	for i := range saved {
		if i%97 == 0 && again.Restore(saved[:i]) == nil {
			t.Errorf("%d bytes of a checkpoint were accepted", i)
		}
	}
}
