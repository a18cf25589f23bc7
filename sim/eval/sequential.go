package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/windvane/windvane/plugins/rollout"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// The policies of Sequential beside Rollout (plugins/rollout's lookahead from the present
// load) and Static.
const (
	ValueIteration = "value iteration" // by dynamic programming, with the loads to come as a known chain: the yardstick
	PPO            = "ppo"             // trained in the simulator under the same loads
	Myopic         = "myopic"          // the best action within reach for the present load, as tabular takes it
)

// LoadRedrawn are loads of the table, each pair drawn anew every redrawEvery intervals
// in the mean. The other load of Sequential is LoadUnseen, the paper's sinusoid.
const (
	LoadRedrawn = "redrawn"
	redrawEvery = 4
)

// The sequential problem: settings are in force an interval later, and each moves one
// level of its grid in an interval.
const (
	sequentialDelay = 1
	sequentialSteps = 1
)

// SequentialReport is the answer of Sequential.
type SequentialReport struct {
	Seed uint64          `json:"seed"` // the first
	Rows []SequentialRow `json:"rows"`
}

// SequentialRow says what one policy earned under one load.
type SequentialRow struct {
	Load   string    `json:"load"`
	Policy string    `json:"policy"`
	Reward float64   `json:"reward"` // of an interval, in the mean: median over the seeds
	Ratio  float64   `json:"ratio"`  // of value iteration's under the same seed: median
	Ratios []float64 `json:"ratios"` // by seed
}

// Sequential judges policies where an action matters beyond its interval, on the rules'
// reward and the model of all data: step limits of a level, and a delay of an interval.
// The same options give the same report. Policies and Artefacts of the options are not
// looked at. It is an error if rules and dataset do not fit each other, or if the rules
// have no reward.
func Sequential(ctx context.Context, o Options) (SequentialReport, error) {
	o = o.complete()
	o.intervals = cmp.Or(o.intervals, runIntervals)
	grid, loads, err := sequentialGrid(o)
	if err != nil {
		return SequentialReport{}, fmt.Errorf("evaluate: %w", err)
	}
	names := []string{LoadRedrawn, LoadUnseen}
	earned, errs := make([]map[string]float64, len(names)*o.Seeds), make([]error, len(names)*o.Seeds)
	var group sync.WaitGroup
	var mu sync.Mutex
	done := 0
	o.Progress("runs of value iteration and training", 0, len(earned))
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range earned {
		group.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			seed := o.Seed + uint64(i/len(names))
			earned[i], errs[i] = o.contest(ctx, grid, loads, names[i%len(names)], seed)
			mu.Lock()
			defer mu.Unlock()
			done++
			o.Progress("runs of value iteration and training", done, len(earned))
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return SequentialReport{}, fmt.Errorf("evaluate: %w", err)
	}
	r := SequentialReport{Seed: o.Seed}
	for l, load := range names {
		for _, policy := range []string{ValueIteration, PPO, Rollout, Myopic, Static} {
			row := SequentialRow{Load: load, Policy: policy}
			var rewards []float64
			for i := l; i < len(earned); i += len(names) {
				rewards = append(rewards, earned[i][policy])
				row.Ratios = append(row.Ratios, earned[i][policy]/earned[i][ValueIteration])
			}
			row.Reward, row.Ratio = median(rewards), median(row.Ratios)
			r.Rows = append(r.Rows, row)
		}
	}
	return r, nil
}

// complete fills in the defaults.
func (o Options) complete() Options {
	if o.factors == nil {
		o.factors = frontierFactors
	}
	if o.Seeds == 0 {
		o.Seeds = defaultSeeds
	}
	if o.Trees == (model.TreeParams{}) {
		o.Trees = model.TreeParamsFor(o.Dataset.Rows())
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	return o
}

// median is the mean of the middle two of an even number.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

func sequentialGrid(o Options) (*env.Grid, [][]float64, error) {
	goal, err := train.NewGoal(o.Rules, o.Dataset.Services)
	if err != nil {
		return nil, nil, err
	}
	if !goal.HasReward() {
		return nil, nil, errors.New("the sequential problem is about a reward, and the rules have none; add [reward], as examples/mo1/rules.toml has it")
	}
	o.Progress("fitting the model of all data", 0, 0)
	system, err := model.FitMean(o.Dataset, o.Rules.Knobs(), o.Trees)
	if err != nil {
		return nil, nil, err
	}
	loads := train.LoadGrid(o.Dataset)
	table, err := system.Tabulate(loads, goal.Signals)
	if err != nil {
		return nil, nil, err
	}
	grid, err := env.NewGrid(table, goal)
	return grid, loads, err
}

// discount is that of value iteration: it looks some twenty intervals ahead, four times
// as far as from one end of a knob to the other.
const (
	discount  = .95
	tolerance = .01 // of a reward
)

// contest is what each policy earns in an interval under one load.
func (o Options) contest(ctx context.Context, grid *env.Grid, loads [][]float64, load string, seed uint64) (map[string]float64, error) {
	chain, err := env.Uniform(env.Cross(loads), redrawEvery)
	if load == LoadUnseen {
		chain, err = env.Cycle(unseen(loads, rand.New(rand.NewPCG(seed, streamUnseen))))
	}
	if err != nil {
		return nil, err
	}
	s, err := train.NewSequential(grid, chain, env.NewLimiter(grid.Space(), sequentialSteps, false), sequentialDelay, discount)
	if err != nil {
		return nil, err
	}
	plans := map[string]func() (*train.Plan, error){
		ValueIteration: func() (*train.Plan, error) { return train.ValueIteration(s, tolerance) },
		Rollout:        func() (*train.Plan, error) { return train.Rollout(s, rollout.Horizon) },
		Myopic:         func() (*train.Plan, error) { return train.Myopic(s) },
		Static:         func() (*train.Plan, error) { return train.Hold(s) },
	}
	config := env.Config{Backend: grid, Loads: chain, StepLimit: sequentialSteps, Delay: sequentialDelay}
	out := map[string]float64{}
	for _, name := range []string{ValueIteration, Rollout, Myopic, Static} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		plan, err := plans[name]()
		if err != nil {
			return nil, err
		}
		if out[name], err = play(config, seed, o.intervals, planner(grid.Space(), plan)); err != nil {
			return nil, err
		}
	}
	if !(out[ValueIteration] > 0) {
		return nil, errors.New("even value iteration earns nothing, so that shares of it say nothing")
	}
	actor, err := trainSequential(ctx, config, seed, o.Steps)
	if err != nil {
		return nil, err
	}
	out[PPO], err = play(config, seed, o.intervals, func(_ *env.Env, _ int, obs []float32, choice []int32) { actor.Choose(obs, choice) })
	return out, err
}

func trainSequential(ctx context.Context, c env.Config, seed uint64, steps int) (*train.Actor, error) {
	c.Lanes = train.Lanes
	e, err := env.New(c)
	if err != nil {
		return nil, err
	}
	params := train.SequentialPPO()
	if steps > 0 {
		params.Steps = steps
	}
	p, err := train.NewPPO(e, params, seed)
	if err != nil {
		return nil, err
	}
	for !p.Done() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.Step(); err != nil {
			return nil, err
		}
	}
	return p.Actor(), nil
}

// choose writes what a policy commands in a lane.
type choose func(e *env.Env, lane int, obs []float32, choice []int32)

// planner plays a plan.
func planner(space *env.Space, p *train.Plan) choose {
	return func(e *env.Env, lane int, _ []float32, choice []int32) {
		e.Commanded(lane, choice)
		space.Choice(int(p.Next[int(e.Point(lane))*space.Len()+space.Flat(choice)]), choice)
	}
}

// A policy is played in so many lanes, over whole periods of the sinusoid, after it had
// time to get away from settings drawn at random.
const (
	playLanes  = 8
	playWarmup = 100
)

// play is the mean reward of an interval. The loads of a seed are the same for every
// policy.
func play(c env.Config, seed uint64, intervals int, policy choose) (float64, error) {
	c.Lanes = playLanes
	e, err := env.New(c)
	if err != nil {
		return 0, err
	}
	size, axes := e.ObservationSize(), len(e.Axes())
	obs, actions, rewards := make([]float32, playLanes*size), make([]int32, playLanes*axes), make([]float32, playLanes)
	terminated, truncated := make([]bool, playLanes), make([]bool, playLanes)
	if err := e.Reset(seed, obs); err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range playWarmup + intervals {
		for lane := range playLanes {
			policy(e, lane, obs[lane*size:][:size], actions[lane*axes:][:axes])
		}
		if err := e.Step(actions, obs, rewards, terminated, truncated); err != nil {
			return 0, err
		}
		for _, r := range rewards {
			if i >= playWarmup {
				sum += float64(r)
			}
		}
	}
	return sum / float64(intervals*playLanes), nil
}
