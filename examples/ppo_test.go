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
