package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/eval"
)

// Static is a setting that stays for all of part 3.
type Static struct {
	Action  policy.Action
	Carried int // requests answered in time
	Offered int
	Tried   int // settings that were run, most of them not to the end
}

// BestStatic finds, in hindsight, the setting of the grid that carries most of part
// 3's own load while it breaks no objective in more intervals than its budget
// allows. It is exact in what it claims: settings are run in descending order of
// the load that they would carry if everything admitted were answered, each until a
// budget is broken; of those that come first to the end the one that carries most
// is the best. It uses all cores, and its answer does not depend on how many.
func BestStatic(ctx context.Context, s *Scenario, m *rules.Mesh) (*Static, error) {
	grid, err := policy.Grid(m.Knobs())
	if err != nil {
		return nil, fmt.Errorf("best static setting: %w", err)
	}
	search := &staticSearch{scenario: s, mesh: m, services: m.PolicyServices(), options: s.actEmulator(), first: -1}
	if err := search.rank(grid); err != nil {
		return nil, fmt.Errorf("best static setting: %w", err)
	}
	return search.run(ctx)
}

// candidate is a setting with what it would carry if everything admitted were answered.
type candidate struct {
	action  policy.Action
	nominal float64
	carried int // -1: broke a budget, or was not run to the end
}

type staticSearch struct {
	scenario *Scenario
	mesh     *rules.Mesh
	services []policy.Service
	options  emulator.Options
	offered  int

	candidates []candidate // by nominal carried load, descending

	mu    sync.Mutex // guards what follows
	next  int
	first int // of the candidates that kept the budgets; -1: none yet
	err   error
}

// rank counts the offered requests, which no setting changes, and orders the grid.
func (s *staticSearch) rank(grid []policy.Action) error {
	totals, _, err := s.play(s.options, func() bool { return false }, false)
	if err != nil {
		return err
	}
	for _, t := range totals {
		s.offered += t.Offered
	}
	for _, a := range grid {
		c := candidate{action: a, carried: -1}
		for i, service := range s.options.Graph.Services {
			b, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: service.Name})
			c.nominal += float64(totals[i].Offered) * (1 - b)
		}
		s.candidates = append(s.candidates, c)
	}
	slices.SortStableFunc(s.candidates, func(a, b candidate) int { return cmp.Compare(b.nominal, a.nominal) })
	return nil
}

func (s *staticSearch) run(ctx context.Context) (*Static, error) {
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() { s.work(ctx) })
	}
	workers.Wait()
	if err := errors.Join(s.err, ctx.Err()); err != nil {
		return nil, fmt.Errorf("best static setting: %w", err)
	}
	best := -1
	for i, c := range s.candidates {
		if c.carried >= 0 && (best < 0 || c.carried > s.candidates[best].carried) && c.nominal >= s.candidates[s.first].nominal {
			best = i
		}
	}
	if best < 0 {
		return nil, errors.New("best static setting: none of the grid keeps every budget; raise a bound or the grid's blocking")
	}
	c := s.candidates[best]
	return &Static{Action: c.action, Carried: c.carried, Offered: s.offered, Tried: s.next}, nil
}

// work runs candidates until none is left that could be better than one that was found.
func (s *staticSearch) work(ctx context.Context) {
	for {
		s.mu.Lock()
		i := s.next
		if i == len(s.candidates) || s.err != nil || ctx.Err() != nil || s.worse(i) {
			s.mu.Unlock()
			return
		}
		s.next++
		s.mu.Unlock()

		options := s.options
		var err error
		if options.Initial, err = eval.Settings(options.Graph, s.mesh, s.candidates[i].action); err == nil {
			var totals []emulator.Totals
			var kept bool
			totals, kept, err = s.play(options, func() bool { return ctx.Err() != nil || s.isWorse(i) }, true)
			if kept {
				s.candidates[i].carried = 0
				for _, t := range totals {
					s.candidates[i].carried += t.Carried
				}
			}
		}
		s.mu.Lock()
		s.err = errors.Join(s.err, err)
		if s.candidates[i].carried >= 0 && (s.first < 0 || i < s.first) {
			s.first = i
		}
		s.mu.Unlock()
	}
}

// worse reports whether a candidate cannot be the best any more. The caller holds the lock.
func (s *staticSearch) worse(i int) bool {
	return s.first >= 0 && s.candidates[i].nominal < s.candidates[s.first].nominal
}

func (s *staticSearch) isWorse(i int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.worse(i)
}

// play runs part 3 with the initial settings, and returns the totals by service of
// the graph. Kept is false where a budget was broken, or quit said to give up.
func (s *staticSearch) play(o emulator.Options, quit func() bool, judge bool) (totals []emulator.Totals, kept bool, err error) {
	e, err := emulator.New(o)
	if err != nil {
		return nil, false, err
	}
	meter, err := eval.NewMeter(e, Interval, Scrape, .95)
	if err != nil {
		return nil, false, err
	}
	meter.Skip(s.scenario.Act().Seconds())
	e.Take()
	n := s.scenario.Lengths.Act
	readings, broken, unknown := make([]eval.Reading, len(o.Graph.Services)), make([]int, len(o.Graph.Services)), make([]int, len(o.Graph.Services))
	for range n {
		meter.Advance(readings)
		if !judge {
			continue
		}
		for i, r := range readings {
			bound, budget := s.objective(o.Graph.Services[i].Name)
			switch {
			case r.Latency > bound:
				broken[i]++
			case !(r.Latency <= bound):
				unknown[i]++ // no success: it makes the share of the others larger
			}
			if float64(broken[i]) > budget*float64(n-unknown[i]) {
				return nil, false, nil
			}
		}
		if quit() {
			return nil, false, nil
		}
	}
	return e.Take(), true, nil
}

// objective returns the bound and the budget of a service's latency.
func (s *staticSearch) objective(service string) (bound, budget float64) {
	for _, p := range s.services {
		if p.Name == service {
			return p.Objectives[0].Bound, p.Objectives[0].Budget
		}
	}
	return 0, 1
}
