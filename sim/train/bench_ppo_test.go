package train_test

import (
	"context"
	"math"
	"slices"

	"github.com/windvane/windvane/internal/bench"
	"github.com/windvane/windvane/plugins/learned"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/train"
)

// learn times PPO on the scenario's reward, in seconds of the process's CPU time, says
// what it comes to, and times the decisions of the learned policy.
func (b *benchmark) learn(t *train.Tabular, decide func(policy.Policy) []float64) {
	const seeds = 5
	goal := must(train.NewGoal(b.rules, t.Table.Services))
	grid, seen, wave := must(env.NewGrid(t.Table, goal)), env.Cross(t.Table.Loads), sinusoid(t.Table.Loads)
	var seconds, atSeen, atWave []float64
	params := train.DefaultPPO()
	for seed := range uint64(seeds) {
		b.Stage("trainings of PPO", int(seed), seeds)
		start := bench.CPUTime()
		l := must(train.NewRewardLearning(goal, t.Table, params, seed+1))
		for !l.Done() {
			check(l.Step())
		}
		seconds = append(seconds, (bench.CPUTime() - start).Seconds())
		atSeen = append(atSeen, shareOf(grid, seen, l.Plan(seen)))
		atWave = append(atWave, shareOf(grid, wave, l.Plan(wave)))
	}
	b.Add("ppo_train_seconds", bench.Median(seconds), "s", seeds)
	b.Add("ppo_steps_per_second", float64(params.Steps)/bench.Median(seconds), "1/s", seeds)
	b.Add("ppo_seen_ratio", bench.Median(atSeen), "1", seeds)
	b.Add("ppo_unseen_ratio", bench.Median(atWave), "1", seeds)

	l := must(train.NewLearning(goal, t, params, 1))
	check(l.Run(context.Background(), nil))
	p := learned.New()
	check(p.Configure(context.Background(), policy.Config{Artefact: must(l.Learned().Artefact.Encode())}))
	micros := decide(p)
	b.Add("learned_decide_microseconds", micros[len(micros)/2], "us", len(micros))
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
