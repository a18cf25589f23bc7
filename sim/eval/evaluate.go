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

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// The policies that Evaluate knows by name, in the order of its rows.
const (
	Optimum   = "optimum"   // by enumeration on the truth that judges
	Tabular   = "tabular"   // trained on the table of the seen loads
	Rollout   = "rollout"   // on the same table, looking ahead; under "reward", where no step is limited, it is tabular
	Learned   = "learned"   // a network trained on that table: on the reward, and on random margins
	Threshold = "threshold" // hysteresis on what was measured
	Static    = "static"    // the best setting that never changes, chosen on the policies' model
	Random    = "random"    // uniform over the grid
	None      = "none"      // no control: even weights, nothing blocked, all replicas
)

// Names lists the policies that can be asked for.
func Names() []string {
	return []string{Optimum, Tabular, Rollout, Learned, Threshold, Static, Random, None}
}

// Quick are the policies that take no time to train.
func Quick() []string { return []string{Optimum, Tabular, Threshold, Static, Random, None} }

// planners are the policies that plan under a budget: each has a frontier.
func planners() []string { return []string{Tabular, Rollout, Learned} }

// Options say what Evaluate judges.
type Options struct {
	Rules      *rules.Mesh
	Dataset    *dataset.Dataset
	Policies   []string                   // of Names; the optimum and the best static setting always come along
	Artefacts  map[string]*train.Artefact // tabular, rollout and learned ones by the name of their directory: judged on the model only, as they may have seen all data
	Seed       uint64
	Seeds      int              // runs with seeds of their own: Seed, Seed+1, …; 0: 4
	Trees      model.TreeParams // of every model; zero: model.TreeParamsFor the rows
	SampleRows int              // rows drawn at random, from which policies learn to be judged OnSample; 0: they do not
	Steps      int              // of a network's training; 0: train.DefaultPPO's
	Progress   Progress         // may be nil

	intervals int       // of a run at most; 0: all that it has
	factors   []float64 // of the frontier; nil: frontierFactors
}

// Progress is told how many of what are done; of 0: of what nobody can count. It is not
// called by two goroutines at a time.
type Progress func(what string, done, of int)

// defaultSeeds runs are enough for the second digit of a violated share.
const defaultSeeds = 4

// Evaluate judges policies on a model of a dataset, and on a model of one half of its
// configurations after they were trained on the other. The same options give the same
// report. It is an error if rules, dataset and artefacts do not fit each other.
func Evaluate(ctx context.Context, o Options) (Report, error) {
	o = o.complete()
	e, err := prepare(o)
	if err != nil {
		return Report{}, fmt.Errorf("evaluate: %w", err)
	}
	results, errs := make([]judged, o.Seeds), make([]error, o.Seeds)
	var group sync.WaitGroup
	var mu sync.Mutex
	done := 0
	o.Progress("seeds judged", done, o.Seeds)
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range o.Seeds {
		group.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			results[i], errs[i] = e.seed(ctx, o.Seed+uint64(i))
			mu.Lock()
			defer mu.Unlock()
			done++
			o.Progress("seeds judged", done, o.Seeds)
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return Report{}, fmt.Errorf("evaluate: %w", err)
	}
	return e.report(results), nil
}

// evaluation is what all seeds share.
type evaluation struct {
	Options
	goal  *train.Goal
	loads [][]float64
	full  *train.Tabular
	flow  *model.Table // carried load, of the model of all data
	truth *truth       // of all data
	noise [][]float64
}

func prepare(o Options) (*evaluation, error) {
	goal, err := boundedGoal(o.Rules, o.Dataset)
	if err != nil {
		return nil, err
	}
	o.Progress("fitting the model of all data", 0, 0)
	full, err := train.EnumerateTabularAt(o.Rules, o.Dataset, train.LoadGrid(o.Dataset), o.Trees, "", o.Seed)
	if err != nil {
		return nil, err
	}
	e, err := newEvaluation(o, goal, full)
	if err != nil {
		return nil, err
	}
	for name, artefact := range o.Artefacts {
		t, err := tableOf(artefact)
		if err != nil {
			return nil, fmt.Errorf("artefact %s: %w", name, err)
		}
		if !slices.EqualFunc(t.Knobs, e.full.Table.Knobs, sameKnob) || !slices.Equal(t.Services, e.full.Table.Services) {
			return nil, fmt.Errorf("artefact %s: it is for other knobs or services than the rules and the dataset; train it again", name)
		}
	}
	return e, nil
}

// boundedGoal is the goal of rules under which a latency can be judged.
func boundedGoal(m *rules.Mesh, d *dataset.Dataset) (*train.Goal, error) {
	goal, err := train.NewGoal(m, d.Services)
	if err != nil {
		return nil, err
	}
	for _, b := range goal.Budget {
		if b < 1 {
			return goal, nil
		}
	}
	return nil, errNoBounds
}

// newEvaluation judges by what was learned from all data.
func newEvaluation(o Options, goal *train.Goal, full *train.Tabular) (*evaluation, error) {
	e := &evaluation{Options: o, goal: goal, loads: full.Table.Loads, full: full}
	var err error
	if e.noise, err = noiseOf(full.Model); err != nil {
		return nil, err
	}
	if e.flow, err = full.Model.TabulateCarried(e.loads); err != nil {
		return nil, err
	}
	e.truth, err = newTruth(goal, full.Model, full.Table, full.Model, e.flow)
	return e, err
}

func sameKnob(a, b policy.Knob) bool { return a.KnobID == b.KnobID && a.Service == b.Service }

// judged is what one seed has shown.
type judged struct {
	rows    tallies
	swept   sweep
	stepped map[string]tally // by policy: the intervals after a step of the load
	sample  *Timeline        // of the first seed
}

// seed judges everything with the random numbers of one seed.
func (e *evaluation) seed(ctx context.Context, seed uint64) (judged, error) {
	out := judged{rows: tallies{}}
	arena := arena{evaluation: e, on: OnModel, truth: e.truth, trained: e.full, artefacts: e.Artefacts}
	if err := arena.judge(ctx, seed, out.rows); err != nil {
		return judged{}, err
	}
	half, err := e.heldOut(seed)
	if err != nil {
		return judged{}, fmt.Errorf("held-out half, seed %d: %w", seed, err)
	}
	if err := half.judge(ctx, seed, out.rows); err != nil {
		return judged{}, err
	}
	if e.SampleRows > 0 {
		few, err := half.sampled(seed)
		if err != nil {
			return judged{}, fmt.Errorf("a sample of %d rows, seed %d: %w", e.SampleRows, seed, err)
		}
		if err := few.judge(ctx, seed, out.rows); err != nil {
			return judged{}, err
		}
	}
	if out.swept, err = half.sweep(ctx, seed); err != nil {
		return judged{}, err
	}
	if out.stepped, err = half.stepLoad(ctx, seed); err != nil {
		return judged{}, err
	}
	if seed == e.Seed {
		out.sample, err = half.timeline(ctx, seed)
	}
	return out, err
}

// heldOut splits the configurations in halves: one to learn from, one to judge by.
func (e *evaluation) heldOut(seed uint64) (*arena, error) {
	config, n := e.Dataset.Configurations()
	order := rand.New(rand.NewPCG(seed, streamSplit)).Perm(n)
	learn := e.Dataset.Select(func(row int) bool { return order[config[row]]%2 == 0 })
	judge := e.Dataset.Select(func(row int) bool { return order[config[row]]%2 == 1 })
	trained, err := train.EnumerateTabularAt(e.Rules, learn, e.loads, e.Trees, "", seed)
	if err != nil {
		return nil, err
	}
	mean, err := model.FitMean(judge, e.Rules.Knobs(), e.Trees)
	if err != nil {
		return nil, err
	}
	table, err := mean.Tabulate(e.loads, e.goal.Signals)
	if err != nil {
		return nil, err
	}
	// What is carried as measured is a question about the mesh, not about the policy:
	// the model of all data answers it best.
	t, err := newTruth(e.goal, mean, table, e.full.Model, e.flow)
	return &arena{evaluation: e, on: OnHeldOut, truth: t, known: learn, trained: trained}, err
}

// Streams of random numbers of one seed, so that none depends on what others draw.
const (
	streamSplit = iota + 1
	streamSeen
	streamUnseen
	streamNoise
	streamRandom
	streamStep
	streamSample
)

// subject names what a row is about.
type subject struct {
	objective, load, on, policy, artefact string
}

type tallies map[subject]tally

// report sums up the seeds, its rows in a fixed order.
func (e *evaluation) report(results []judged) Report {
	runs := map[subject][]tally{}
	for _, one := range results {
		for s, t := range one.rows {
			runs[s] = append(runs[s], t)
		}
	}
	r := e.tabulate(runs)
	r.Frontier = e.frontier(results, runs)
	r.LoadStep = e.loadStep(results)
	r.Timeline = results[0].sample
	return r
}

// tabulate makes the rows of a report.
func (e *evaluation) tabulate(runs map[subject][]tally) Report {
	r := Report{Seed: e.Seed, Seeds: e.Seeds, Budget: map[string]float64{}}
	for i, service := range e.goal.Services {
		if e.goal.Budget[i] < 1 {
			r.Budget[service.Name] = e.goal.Budget[i]
		}
	}
	for _, s := range sortedSubjects(runs) {
		r.Rows = append(r.Rows, e.row(s, runs[s], runs[subject{s.objective, s.load, s.on, Optimum, ""}]))
	}
	return r
}

// row sums up the runs of one subject beside the optimum's with the same seeds.
func (e *evaluation) row(s subject, runs, best []tally) Row {
	row := Row{
		Policy: s.policy, Artefact: s.artefact, Objective: s.objective, Load: s.load, On: s.on, Seeds: len(runs),
		ViolatedRatio: map[string]float64{}, Violated: map[string]Estimate{}, WorstWindow: map[string]float64{},
	}
	worth := func(t tally) float64 { return t.value }
	if s.objective == train.ObjectiveReward {
		worth = func(t tally) float64 { return t.reward }
	}
	offered := sumOf(runs, func(t tally) float64 { return t.offered })
	row.CarriedMeasuredRatio = share(sumOf(runs, func(t tally) float64 { return t.measured }), offered)
	if v := share(sumOf(runs, func(t tally) float64 { return t.nominal }), offered); v != nil {
		row.CarriedRatio = *v // else nothing was ever offered
	}
	row.RewardRatio = share(sumOf(runs, worth), sumOf(best, worth))
	row.Regret = regret(row.RewardRatio, runs, best, worth)
	for i, service := range e.goal.Services {
		if e.goal.Budget[i] >= 1 {
			continue
		}
		row.Violated[service.Name] = estimateOf(runs, func(t tally) float64 { return t.violatedRatio(i) })
		row.ViolatedRatio[service.Name] = row.Violated[service.Name].Mean
		row.WorstWindow[service.Name] = sumOf(runs, func(t tally) float64 { return t.worst[i] }) / float64(len(runs))
	}
	return row
}

// regret is what a share of the optimum lacks to 1, nil where there is none.
func regret(ratio *float64, runs, best []tally, worth func(tally) float64) *Estimate {
	if ratio == nil {
		return nil
	}
	out := &Estimate{Mean: 1 - *ratio}
	each := make([]float64, len(runs))
	for i := range runs {
		v := share(worth(runs[i]), worth(best[i]))
		if v == nil {
			return out // the optimum of a run is worth nothing
		}
		each[i] = *v
	}
	out.Half = estimate(each).Half
	return out
}

func sortedSubjects(runs map[subject][]tally) []subject {
	out := make([]subject, 0, len(runs))
	for s := range runs {
		out = append(out, s)
	}
	places := []string{OnModel, OnHeldOut, OnSample}
	slices.SortFunc(out, func(a, b subject) int {
		return cmp.Or(
			-cmp.Compare(a.objective, b.objective), // reward, budget
			cmp.Compare(a.load, b.load),
			cmp.Compare(slices.Index(places, a.on), slices.Index(places, b.on)),
			cmp.Compare(slices.Index(Names(), a.policy), slices.Index(Names(), b.policy)),
			cmp.Compare(a.artefact, b.artefact),
		)
	})
	return out
}
