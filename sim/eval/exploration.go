package eval

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/explore"
	"github.com/windvane/windvane/plugins/explore/bounded"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/emulator"
)

// The ways to explore that are held against each other.
const (
	ExploreBounded = "bounded" // as `windvane collect --explore` does
	ExploreRandom  = "random"  // under the same allowance, at random among what it admits
	ExploreWalk    = "walk"    // under the same allowance, and while there is some, as the policy explore does
	ExploreFree    = "free"    // the policy explore, with no allowance
	ExploreSample  = "sample"  // every setting of the grid alike, at random loads: what nobody can do to a mesh with customers
)

// ExplorationOptions say what Exploration judges.
type ExplorationOptions struct {
	Graph     Graph
	Rules     *rules.Mesh
	Budget    float64 // of every objective, for the policy that is learned
	Explored  int     // intervals
	Allowance float64 // violated intervals of each objective
	Intervals int     // that the policy controls the mesh for; 0: 1,000
	Seed      uint64  // of the first run
	Runs      int
	Progress  Progress // may be nil
}

// Exploration judges ways to explore an emulated mesh, by what they cost and by what the
// policy carries that is learned from what they leave. Run i has seed Seed+i: it explores
// under a load of its own, sinusoids or steps by turns, from even weights with nothing
// blocked, and controls the mesh under another one. The same options give the same report.
func Exploration(ctx context.Context, o ExplorationOptions) (ExplorationReport, error) {
	r, err := judgeExploration(ctx, o)
	if err != nil {
		return r, fmt.Errorf("exploration: %w", err)
	}
	return r, nil
}

func judgeExploration(ctx context.Context, o ExplorationOptions) (ExplorationReport, error) {
	bounds := bounded.Bounds{Intervals: o.Explored, Allowance: o.Allowance}
	if err := bounds.Check(); err != nil {
		return ExplorationReport{}, err
	}
	if o.Intervals == 0 {
		o.Intervals = emulatorIntervals
	}
	e, err := newEmulation(EmulatorOptions{
		Graph: o.Graph, Rules: o.Rules, Budgets: []float64{o.Budget}, Delays: []Delay{DelayDaemon}, Controllers: []string{ControllerFull},
		Seed: o.Seed, Runs: o.Runs, Progress: o.Progress, phases: []emulatorPhase{{PhaseNormal, o.Intervals}}, samples: o.Explored,
	})
	if err != nil {
		return ExplorationReport{}, err
	}
	c := e.newChances()
	if c == nil {
		return ExplorationReport{}, errors.New("this mesh has no oracle to hold a policy against: " + c.describe(e))
	}
	if err := e.measure(ctx, c); err != nil {
		return ExplorationReport{}, err
	}
	methods := []string{ExploreBounded, ExploreRandom, ExploreWalk, ExploreFree, ExploreSample}
	results := make([]explored, o.Runs*len(methods))
	if err := e.each(ctx, "exploring and controlling", len(results), func(i int) error {
		bounds, seed := bounds, o.Seed+uint64(i/len(methods))
		bounds.Seed = seed
		var err error
		if results[i], err = e.tryOut(ctx, methods[i%len(methods)], bounds, c); err != nil {
			return fmt.Errorf("seed %d, %s: %w", seed, methods[i%len(methods)], err)
		}
		return nil
	}); err != nil {
		return ExplorationReport{}, err
	}
	return newExplorationReport(o, e, c, methods, results), nil
}

// explored is what came of one way to explore in one run.
type explored struct {
	rows      int
	optimum   float64 // carried under the policy, of the oracle's
	violated  []float64
	carried   float64   // nominal, while exploring, of what was offered
	extra     []float64 // by objective: violations beyond those of the same intervals at the baseline
	spent     []bounded.Spent
	protected int // cycles in which nothing of the allowance was left
}

// tryOut explores, learns, and has the policy control the mesh.
func (e *emulation) tryOut(ctx context.Context, method string, b bounded.Bounds, c *chances) (explored, error) {
	var out explored
	var d *dataset.Dataset
	var err error
	if method == ExploreSample {
		d, err = e.sample(b.Seed)
		out.carried = math.NaN()
	} else {
		d, err = e.explored(ctx, method, b, &out)
	}
	if err != nil {
		return out, err
	}
	out.rows = d.Rows()
	l, err := e.learnFrom(d, b.Seed)
	if err != nil {
		return out, err
	}
	r, err := e.run(ctx, l, b.Seed, trial{})
	if err != nil {
		return out, err
	}
	best, err := e.best(c, b.Seed)
	if err != nil {
		return out, err
	}
	out.optimum, out.violated = r.phases[0].carried/best[0][0], r.phases[0].violated
	return out, nil
}

// loadsOfExploring sets the loads of a run apart from those that its policy is judged under.
const loadsOfExploring = 1 << 32

// explored has a mesh explored, and the same mesh under the same load left alone.
func (e *emulation) explored(ctx context.Context, method string, b bounded.Bounds, out *explored) (*dataset.Dataset, error) {
	seed := b.Seed + loadsOfExploring
	s, err := e.Graph.newScenario(e.mesh, e.Rules.Interval, []emulatorPhase{{PhaseNormal, b.Intervals}}, seed)
	if err != nil {
		return nil, err
	}
	loop := ClosedLoop{
		Mesh: e.Rules, Emulator: emulator.Options{Graph: s.graph, Seed: seed, SettleSeconds: e.Graph.SettleSeconds}, Params: margin.Defaults(),
		Start: epoch, From: s.from(), Intervals: b.Intervals, Scrape: e.Graph.Scrape, Quantile: emulatorQuantile,
	}
	p := &explorer{method: method, session: bounded.Session{Bounds: b}, walk: explore.New()}
	if err := p.walk.Configure(ctx, policy.Config{Settings: fmt.Appendf(nil, `{"seed": %d}`, b.Seed)}); err != nil {
		return nil, err
	}
	loop.Policy = p
	trace, err := loop.Run(ctx)
	if err == nil {
		err = trace.failure()
	}
	if err != nil {
		return nil, err
	}
	loop.Policy = still{}
	alone, err := loop.Run(ctx)
	if err != nil {
		return nil, err
	}
	out.extra, out.protected = extra(trace, alone), p.protected
	if out.spent, err = p.session.Account(p.last); err != nil {
		return nil, err
	}
	m := e.measures(s, trace, 0)[0]
	out.carried = m.carried / m.offered
	return trace.Explored(e.Rules)
}

// extra are, by objective, the errors of a trace beyond those of another one.
func extra(trace, alone *Trace) []float64 {
	var out []float64
	for i, in := range trace.Intervals {
		k := 0
		for s := range in.Services {
			for j, m := range in.Services[s].Errors {
				if i == 0 {
					out = append(out, 0)
				}
				if other := alone.Intervals[i].Services[s].Errors[j]; m.Known && other.Known {
					out[k] += m.Error - other.Error
				}
				k++
			}
		}
	}
	return out
}

// explorer explores as a daemon has it: it measures an interval, and then chooses.
type explorer struct {
	still
	method    string
	session   bounded.Session
	walk      *explore.Explore
	last      policy.Observation
	protected int
}

// Decide is not pure: a session is kept between two cycles.
func (p *explorer) Decide(ctx context.Context, o policy.Observation) (policy.Decision, error) {
	if p.session.Baseline == nil {
		p.session.Baseline = o.Live.Clone()
	}
	p.session.Measure(o, true)
	p.last = o
	if p.method == ExploreFree {
		return p.walk.Decide(ctx, o)
	}
	pick := bounded.Informed
	if p.method != ExploreBounded {
		pick = bounded.Random
	}
	c, err := p.session.Next(o, pick)
	if err != nil {
		return policy.Decision{}, err
	}
	if c.Kind == bounded.Protective || c.Kind == bounded.Retreat {
		p.protected++
	}
	if c.Kind == bounded.Free && p.method == ExploreWalk {
		return p.walk.Decide(ctx, o)
	}
	return policy.Decision{Action: c.Action, Reason: c.Reason}, nil
}

// still leaves a mesh alone.
type still struct{}

func (still) Describe(context.Context) (policy.Description, error) { return policy.Description{}, nil }
func (still) Configure(context.Context, policy.Config) error       { return nil }
func (still) Decide(_ context.Context, o policy.Observation) (policy.Decision, error) {
	return policy.Decision{Action: o.Live}, nil
}
