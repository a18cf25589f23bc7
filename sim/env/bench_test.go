package env_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// scenario is MO1 on the shipped sample of its trace: 1,296 actions, 16 loads.
type scenario struct {
	goal   *train.Goal
	system *model.System
	table  *model.Table
}

func mo1(b *testing.B) scenario {
	b.Helper()
	const dir = "../../examples/mo1/"
	m := must(rules.Load(dir + "rules.toml"))
	mapping := must(dataset.ReadMapping("mapping.toml", must(os.ReadFile(dir+"mapping.toml"))))
	d, _, err := mapping.Import("trace", bytes.NewReader(must(os.ReadFile(dir+"trace-sample.csv"))))
	if err != nil {
		b.Fatal(err)
	}
	s := scenario{goal: must(train.NewGoal(m, d.Services)), system: must(model.FitMean(d, m.Knobs(), model.DefaultTreeParams()))}
	s.table = must(s.system.Tabulate(train.LoadGrid(d), s.goal.Signals))
	return s
}

// run steps with actions drawn beforehand; steps/s are of one lane, on one core.
func run(b *testing.B, c env.Config) {
	b.Helper()
	e := must(env.New(c))
	const rounds = 16
	axes, rng := e.Axes(), rand.New(rand.NewPCG(1, 1))
	actions := make([]int32, rounds*c.Lanes*len(axes))
	for i := range actions {
		actions[i] = int32(rng.IntN(axes[i%len(axes)]))
	}
	n := e.NumLanes()
	obs, rewards := make([]float32, n*e.ObservationSize()), make([]float32, n)
	terminated, truncated := make([]bool, n), make([]bool, n)
	if err := e.Reset(1, obs); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	steps := 0
	for b.Loop() {
		at := steps % rounds * n * len(axes)
		if err := e.Step(actions[at:at+n*len(axes)], obs, rewards, terminated, truncated); err != nil {
			b.Fatal(err)
		}
		steps++
	}
	b.ReportMetric(float64(steps)*float64(n)/b.Elapsed().Seconds(), "steps/s")
}

func BenchmarkTable(b *testing.B) {
	s := mo1(b)
	grid := must(env.NewGrid(s.table, s.goal))
	uniform := must(env.Uniform(env.Cross(s.table.Loads), 1))
	sine := env.Timed{IntervalSeconds: 5, StartWithinSeconds: 10_000, Processes: []load.Process{
		must(load.NewSine(load.Sine{Mean: 12.5, Amplitude: 7.5, PeriodSeconds: 2500})),
		must(load.NewSine(load.Sine{Mean: 12.5, Amplitude: 7.5, PeriodSeconds: 2000})),
	}}
	for name, c := range map[string]env.Config{
		"grid":       {Backend: grid, Loads: uniform, Lanes: 64, Horizon: 100},
		"sequential": {Backend: grid, Loads: uniform, Lanes: 64, Horizon: 100, StepLimit: 1, Delay: 1},
		"sinusoid":   {Backend: grid, Loads: sine, Lanes: 64, Horizon: 100},
	} {
		b.Run(name, func(b *testing.B) { run(b, c) })
	}
}

func BenchmarkModel(b *testing.B) {
	s := mo1(b)
	uniform := must(env.Uniform(env.Cross(s.table.Loads), 1))
	run(b, env.Config{Backend: must(env.NewSystem(s.system, s.goal)), Loads: uniform, Lanes: 64, Horizon: 100})
}
