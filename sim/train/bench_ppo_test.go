package train_test

import (
	"context"
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/learned"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/train"
)

// What PPO of Stable-Baselines3 takes for the same scenario, on one core, to .982 of the
// optimum at the loads that it has seen and .951 under the sinusoid.
const (
	peerPPOSeconds     = 25.
	peerPPOSecondsMost = 50.
)

// learn times PPO on the scenario's reward, in seconds of the process's CPU time, says
// what it comes to, and times the decisions of the learned policy.
func (b *bench) learn(t *train.Tabular, decide func(policy.Policy) []float64) {
	const seeds = 5
	goal := must(train.NewGoal(b.rules, t.Table.Services))
	grid, seen, wave := must(env.NewGrid(t.Table, goal)), env.Cross(t.Table.Loads), sinusoid(t.Table.Loads)
	var seconds, atSeen, atWave []float64
	params := train.DefaultPPO()
	for seed := range uint64(seeds) {
		start := cpuTime()
		l := must(train.NewRewardLearning(goal, t.Table, params, seed+1))
		for !l.Done() {
			check(l.Step())
		}
		seconds = append(seconds, (cpuTime() - start).Seconds())
		atSeen = append(atSeen, shareOf(grid, seen, l.Plan(seen)))
		atWave = append(atWave, shareOf(grid, wave, l.Plan(wave)))
	}
	b.add("ppo_train_seconds", median(seconds), "s", new(peerPPOSeconds), seeds)
	b.add("ppo_steps_per_second", float64(params.Steps)/median(seconds), "1/s", nil, seeds)
	b.add("ppo_seen_ratio", median(atSeen), "1", nil, seeds)
	b.add("ppo_unseen_ratio", median(atWave), "1", nil, seeds)

	l := must(train.NewLearning(goal, t, params, 1))
	check(l.Run(context.Background(), nil))
	p := learned.New()
	check(p.Configure(context.Background(), policy.Config{Artefact: must(l.Learned().Artefact.Encode())}))
	micros := decide(p)
	b.add("learned_decide_microseconds", micros[len(micros)/2], "us", nil, len(micros))
}

// shareOf is what a plan earns of the optimum by enumeration.
func shareOf(grid *env.Grid, points [][]float64, plan []int) float64 {
	rewards, n := must(grid.Rewards(points)), grid.Space().Len()
	got, best := 0., 0.
	for i, action := range plan {
		row := rewards[i*n:][:n]
		got += float64(row[action])
		best += float64(slices.Max(row))
	}
	return got / best
}

// sinusoid is the paper's unseen load, 12.5 + 7.5 sin, over the loads of a table, with a
// period of its own for each service.
func sinusoid(loads [][]float64) [][]float64 {
	out := make([][]float64, 2000)
	for t := range out {
		for s, l := range loads {
			low, high := l[0], l[len(l)-1]
			wave := math.Sin(2*math.Pi*float64(t)/float64(500-100*(s%3)) + float64(s))
			out[t] = append(out[t], (low+high)/2+(high-low)/2*wave)
		}
	}
	return out
}
