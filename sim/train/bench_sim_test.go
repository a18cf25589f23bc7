package train_test

import (
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/train"
)

// What the published Python simulator (a random forest behind a Gym environment) does
// on one core, and what it does when its predictions are looked up in a table instead.
const (
	peerModelSteps = 58.
	peerTableSteps = 850.
)

// simulate times the simulator through its interface: steps of a lane in a second of one
// core, with actions drawn beforehand. The second is one of the process's CPU time, so
// that what else the machine does is not counted.
func (b *bench) simulate(t *train.Tabular) {
	goal := must(train.NewGoal(b.rules, t.Table.Services))
	loads := must(env.Uniform(env.Cross(t.Table.Loads), 1))
	const lanes, n = 64, 5
	for _, one := range []struct {
		name      string
		backend   env.Backend
		stepLimit int
		peer      *float64
	}{
		{"simulator_table_steps", must(env.NewGrid(t.Table, goal)), 0, new(peerTableSteps)},
		{"simulator_limited_steps", must(env.NewGrid(t.Table, goal)), 1, nil}, // one level an interval, a delay of one
		{"simulator_model_steps", must(env.NewSystem(t.Model, goal)), 0, new(peerModelSteps)},
	} {
		e := must(env.New(env.Config{
			Backend: one.backend, Loads: loads, Lanes: lanes, Horizon: 100, StepLimit: one.stepLimit, Delay: one.stepLimit,
		}))
		var rates []float64
		for range n {
			rates = append(rates, stepRate(e))
		}
		b.add(one.name, median(rates), "1/s", one.peer, n)
	}
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
	start := cpuTime()
	for steps := 0; ; {
		for round := range rounds {
			check(e.Step(actions[round*width:(round+1)*width], obs, rewards, terminated, truncated))
			steps += lanes
		}
		if took := cpuTime() - start; took > enough {
			return float64(steps) / took.Seconds()
		}
	}
}

// cpuTime is what the process has used of its cores.
func cpuTime() time.Duration {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
