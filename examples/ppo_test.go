package examples_test

import (
	"math"
	"slices"
	"testing"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/train"
)

// PPO on MO1, at the loads of the table and under the paper's sinusoid, against the
// optimum by enumeration, in a third of the usual steps.
func TestPPOOnMO1(t *testing.T) {
	tab := table()
	goal := must(train.NewGoal(must(rules.Load("mo1/rules.toml")), tab.Services))
	params := train.DefaultPPO()
	params.Steps = 100_000
	l := must(train.NewRewardLearning(goal, tab, params, 1))
	for !l.Done() {
		if err := l.Step(); err != nil {
			t.Fatal(err)
		}
	}
	var wave [][]float64
	for i := range 1000 {
		wave = append(wave, []float64{
			12.5 + 7.5*math.Sin(2*math.Pi*float64(i)/500), 12.5 + 7.5*math.Sin(2*math.Pi*float64(i)/400+1),
		})
	}
	grid := must(env.NewGrid(tab, goal))
	for _, load := range []struct {
		name    string
		offered [][]float64
		least   float64
	}{{"seen", env.Cross(tab.Loads), .985}, {"unseen", wave, .96}} {
		rewards, n := must(grid.Rewards(load.offered)), grid.Space().Len()
		got, best := 0., 0.
		for i, action := range l.Plan(load.offered) {
			got += float64(rewards[i*n+action])
			best += float64(slices.Max(rewards[i*n:][:n]))
		}
		t.Logf("%s: %.4f of the optimum", load.name, got/best)
		if got < load.least*best {
			t.Errorf("%s: %.4f of the optimum, want %v", load.name, got/best, load.least)
		}
	}
}

// PPO where an action is in force an interval later and a knob moves one level at a
// time: the problem of TestPlanningAheadPays, against value iteration, in a fifth of the
// usual steps (windvane evaluate --sequential takes them all).
func TestPPOPlansAhead(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	s := planAhead()
	params := train.SequentialPPO()
	params.Steps = 100_000
	e := must(env.New(env.Config{Backend: s.grid, Loads: s.loads, Lanes: train.Lanes, StepLimit: 1, Delay: 1}))
	p := must(train.NewPPO(e, params, 1))
	for !p.Done() {
		if err := p.Step(); err != nil {
			t.Fatal(err)
		}
	}
	got := play(t, e, p.Actor())
	t.Logf("%.4f of value iteration", got/s.best)
	if got < .97*s.best {
		t.Errorf("PPO earns %v an interval, value iteration %v", got, s.best)
	}
}

// play is what an actor earns in the mean of an interval, after the first hundred.
func play(t *testing.T, e *env.Env, a *train.Actor) float64 {
	t.Helper()
	lanes, size, axes := e.NumLanes(), e.ObservationSize(), len(e.Axes())
	obs, actions, rewards := make([]float32, lanes*size), make([]int32, lanes*axes), make([]float32, lanes)
	terminated, truncated := make([]bool, lanes), make([]bool, lanes)
	if err := e.Reset(99, obs); err != nil {
		t.Fatal(err)
	}
	const warmup, intervals = 100, 600
	sum := 0.
	for i := range warmup + intervals {
		for lane := range lanes {
			a.Choose(obs[lane*size:][:size], actions[lane*axes:][:axes])
		}
		if err := e.Step(actions, obs, rewards, terminated, truncated); err != nil {
			t.Fatal(err)
		}
		for _, r := range rewards {
			if i >= warmup {
				sum += float64(r)
			}
		}
	}
	return sum / float64(intervals*lanes)
}
