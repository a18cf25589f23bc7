package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// ReplayOptions say what Replay judges.
type ReplayOptions struct {
	Directory   string
	Rules       *rules.Mesh // of examples/mo1
	Dataset     *dataset.Dataset
	Budgets     []float64 // of every objective
	Delays      []int     // intervals after which an outcome is known, beyond the one that it belongs to
	Controllers []string  // of Controllers; none: the default ones
	Seed        uint64
	Runs        int              // on each kind of truth
	Trees       model.TreeParams // zero: model.TreeParamsFor the rows
	Progress    Progress         // may be nil

	intervals int         // of a run; 0: replayIntervals
	loads     [][]float64 // at which the model is tabulated; nil: those of the truths
}

// replayKinds are the families of truths: gradient-boosted trees, as the policies'
// model is made of, and extremely randomised trees.
var replayKinds = []string{"hgb", "et"}

const replaySplits = 4

// The load processes of a run.
const (
	replaySinusoids = iota
	replaySteps
	replayProcesses
)

// Replay judges controllers on a replay directory: truths that somebody else fitted,
// with the trace's own noise. Run i draws from seed and i, on split i modulo 4, its
// load sinusoids and steps by turns. The same options give the same report.
func Replay(ctx context.Context, o ReplayOptions) (ReplayReport, error) {
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	if o.intervals == 0 {
		o.intervals = replayIntervals
	}
	if o.loads == nil {
		// The loads of the truths, not the rungs of the data: what is judged is the model,
		// and between the rungs it says other than a straight line through them.
		o.loads = replayGrid()
	}
	e, err := prepareReplay(o)
	if err != nil {
		return ReplayReport{}, err
	}
	jobs := make([]replayJob, 0, o.Runs*len(replayKinds))
	for run := range o.Runs {
		for _, kind := range replayKinds {
			jobs = append(jobs, replayJob{run: run, kind: kind})
		}
	}
	errs := make([]error, len(jobs))
	var group sync.WaitGroup
	var mu sync.Mutex
	done, free := 0, make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range jobs {
		group.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			errs[i] = e.job(ctx, &jobs[i])
			mu.Lock()
			defer mu.Unlock()
			done++
			o.Progress("runs judged", done, len(jobs))
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return ReplayReport{}, fmt.Errorf("replay: %w", err)
	}
	return e.report(jobs), nil
}

// replayEvaluation is what all runs share.
type replayEvaluation struct {
	ReplayOptions
	layout      replayLayout
	controllers []Controller
	noise       [][]float64
	splits      []replaySplit
}

// replaySplit is what may be learned from one half of the configurations, and the
// truths of the other.
type replaySplit struct {
	model  *train.Tabular
	policy []byte // the artefact
	plans  *train.Choices
	truths map[string]*train.Choices
	index  map[string]int // action of the grid by its key
	// By budget.
	initial []map[string]margin.Calibration // by service
	goal    []*train.Goal
}

func prepareReplay(o ReplayOptions) (*replayEvaluation, error) {
	e := &replayEvaluation{ReplayOptions: o}
	var err error
	if e.layout, err = newReplayLayout(o.Rules); err != nil {
		return nil, err
	}
	for _, b := range o.Budgets {
		if !(b > 0 && b < 1) {
			return nil, fmt.Errorf("replay: budget %v: want a share between 0 and 1", b)
		}
	}
	if slices.ContainsFunc(o.Delays, func(d int) bool { return d < 0 || d > 100 }) || len(o.Budgets) == 0 || len(o.Delays) == 0 || o.Runs < 1 {
		return nil, errors.New("replay: want budgets, delays from 0 to 100 intervals, and at least one run")
	}
	if e.controllers, err = pick(o.Controllers, Controllers(), defaultControllers); err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	if e.noise, err = e.layout.residuals(o.Directory); err != nil {
		return nil, err
	}
	e.splits = make([]replaySplit, min(replaySplits, o.Runs))
	for n := range e.splits {
		o.Progress("models of splits fitted", n, len(e.splits))
		if e.splits[n], err = e.split(n); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// split fits the model of a split and reads its truths.
func (e *replayEvaluation) split(n int) (replaySplit, error) {
	rows, err := e.layout.split(e.Directory, n, e.Dataset)
	if err != nil {
		return replaySplit{}, err
	}
	if e.Trees == (model.TreeParams{}) {
		e.Trees = model.TreeParamsFor(rows.Rows())
	}
	s := replaySplit{truths: map[string]*train.Choices{}, index: map[string]int{}}
	signals, err := train.Signals(e.Rules, e.Dataset.Services)
	if err != nil {
		return s, err
	}
	for _, kind := range replayKinds {
		table, err := e.layout.truth(e.Directory, n, kind, signals, e.Dataset.Services)
		if err != nil {
			return s, err
		}
		if s.truths[kind], err = train.NewChoices(table); err != nil {
			return s, err
		}
	}
	t, err := train.EnumerateTabularAt(e.Rules, rows, e.loads, e.Trees, "", e.Seed)
	if err != nil {
		return s, fmt.Errorf("replay: split %d: %w", n, err)
	}
	s.model = t
	if s.policy, err = t.Table.Encode(); err != nil {
		return s, err
	}
	if s.plans, err = train.NewChoices(t.Table); err != nil {
		return s, err
	}
	for i, a := range s.plans.Grid {
		s.index[key(a)] = i
	}
	return s, e.calibrate(&s)
}

// calibrate finds what the model says of each budget before anything is measured.
func (e *replayEvaluation) calibrate(s *replaySplit) error {
	for _, budget := range e.Budgets {
		goal, err := train.NewGoal(e.Rules, e.Dataset.Services)
		if err != nil {
			return err
		}
		for i := range goal.Budget {
			if math.IsInf(goal.Bound[i], 1) {
				return errNoBounds
			}
			goal.Budget[i] = budget
		}
		prices, err := train.Prices(goal, s.model.Table, e.Seed)
		if err != nil {
			return err
		}
		initial := map[string]margin.Calibration{}
		for i, service := range goal.Services {
			first := s.model.Card.Initial(service.Name, goal.Signals[i])
			first.Margin, first.Price = s.model.Model.Fit[i].FirstMargin(goal.Bound[i], budget), prices[i]
			initial[service.Name] = first
		}
		s.initial, s.goal = append(s.initial, initial), append(s.goal, goal)
	}
	return nil
}

// replayJob is one run on one truth, under every controller.
type replayJob struct {
	run     int
	kind    string
	best    []float64    // by budget: the optimum's value per interval
	results [][]measures // [controller][budget * delays + delay]
}

func (e *replayEvaluation) job(ctx context.Context, j *replayJob) error {
	s := &e.splits[j.run%len(e.splits)]
	run := e.series(j.run)
	truth := s.truths[j.kind]
	best := newWholeRun(s.goal[0], truth, run)
	for _, budget := range e.Budgets {
		j.best = append(j.best, best.value(slices.Repeat([]float64{budget}, len(s.goal[0].Services)))/float64(len(run.offered)))
	}
	policies := map[string]policy.Policy{} // by their settings
	for _, c := range e.controllers {
		p, err := s.configured(ctx, policies, c)
		if err != nil {
			return err
		}
		var results []measures
		for b, budget := range e.Budgets {
			services := e.Rules.PolicyServices()
			for i := range services {
				for k := range services[i].Objectives {
					services[i].Objectives[k].Budget = budget
				}
			}
			for _, delay := range e.Delays {
				r := replayed{
					controller: c, policy: p, services: services, truth: truth, index: s.index, goal: s.goal[b], delay: delay,
					initial: func(service, _ string) margin.Calibration { return s.initial[b][service] },
				}
				if c.planned {
					r.plan = rewardPlan(r.goal, s.plans, run.offered)
				}
				m, err := r.run(ctx, run)
				if err != nil {
					return fmt.Errorf("%s, run %d, controller %s: %w", j.kind, j.run, c.Name, err)
				}
				results = append(results, m)
			}
		}
		j.results = append(j.results, results)
	}
	return nil
}

// configured returns the policy of a controller, from those that there are already.
func (s *replaySplit) configured(ctx context.Context, policies map[string]policy.Policy, c Controller) (policy.Policy, error) {
	if p, ok := policies[c.settings]; ok {
		return p, nil
	}
	p := tabular.New()
	if err := p.Configure(ctx, policy.Config{Artefact: s.policy, Settings: []byte(c.settings)}); err != nil {
		return nil, err
	}
	policies[c.settings] = p
	return p, nil
}

// series draws the loads and the noise of a run.
func (e *replayEvaluation) series(run int) series {
	rng := rand.New(rand.NewPCG(e.Seed, uint64(run)))
	low, high := float64(replayFrom), float64(replayTo)
	out := series{offered: make([][]float64, e.intervals)}
	if process := run / replaySplits % replayProcesses; process == replaySinusoids {
		out.offered = unseen([][]float64{{low, high}, {low, high}}, rng)[:e.intervals]
	} else {
		const stay = 60 // intervals on average, each service by itself
		now := []float64{low + (high-low)*rng.Float64(), low + (high-low)*rng.Float64()}
		for t := range out.offered {
			for s := range now {
				if rng.Float64() < 1./stay {
					now[s] = low + (high-low)*rng.Float64()
				}
			}
			out.offered[t] = slices.Clone(now)
		}
	}
	out.noise = draw(e.noise, e.intervals, rng)
	return out
}
