package train_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/windvane/windvane/internal/bench"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/train"
)

// simulate times the simulator through its interface: steps of a lane in a second of one
// core, with actions drawn beforehand. The second is one of the process's CPU time, so
// that what else the machine does is not counted.
func (b *benchmark) simulate(t *train.Tabular) {
	goal := must(train.NewGoal(b.rules, t.Table.Services))
	loads := must(env.Uniform(env.Cross(t.Table.Loads), 1))
	const lanes, n = 64, 5
	for _, one := range []struct {
		name      string
		backend   env.Backend
		stepLimit int
	}{
		{"simulator_table_steps", must(env.NewGrid(t.Table, goal)), 0},
		{"simulator_limited_steps", must(env.NewGrid(t.Table, goal)), 1}, // one level an interval, a delay of one
		{"simulator_model_steps", must(env.NewSystem(t.Model, goal)), 0},
	} {
		e := must(env.New(env.Config{
			Backend: one.backend, Loads: loads, Lanes: lanes, Horizon: 100, StepLimit: one.stepLimit, Delay: one.stepLimit,
		}))
		var rates []float64
		for range n {
			rates = append(rates, stepRate(e))
		}
		b.Add(one.name, bench.Median(rates), "1/s", n)
		b.Add(one.name+"_allocations", stepAllocations(e), "1", allocationRuns)
	}
}

const allocationRuns = 1000

// stepAllocations are those of a step of all lanes, once there was one.
func stepAllocations(e *env.Env) float64 {
	lanes := e.NumLanes()
	actions, obs, rewards := make([]int32, lanes*len(e.Axes())), make([]float32, lanes*e.ObservationSize()), make([]float32, lanes)
	terminated, truncated := make([]bool, lanes), make([]bool, lanes)
	check(e.Reset(1, obs))
	return testing.AllocsPerRun(allocationRuns, func() {
		check(e.Step(actions, obs, rewards, terminated, truncated))
	})
}

// stepRate steps for about a fifth of a second.
func stepRate(e *env.Env) float64 {
	const rounds, enough = 16, 200 * time.Millisecond
	lanes, axes, rng := e.NumLanes(), e.Axes(), rand.New(rand.NewPCG(1, 1))
	width := lanes * len(axes)
	actions := make([]int32, rounds*width)
	for i := range actions {
		actions[i] = int32(rng.IntN(axes[i%len(axes)]))
	}
	obs, rewards := make([]float32, lanes*e.ObservationSize()), make([]float32, lanes)
	terminated, truncated := make([]bool, lanes), make([]bool, lanes)
	check(e.Reset(1, obs))
	start := bench.CPUTime()
	for steps := 0; ; {
		for round := range rounds {
			check(e.Step(actions[round*width:(round+1)*width], obs, rewards, terminated, truncated))
			steps += lanes
		}
		if took := bench.CPUTime() - start; took > enough {
			return float64(steps) / took.Seconds()
		}
	}
}
