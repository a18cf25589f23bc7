package eval

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/windvane/windvane/sim/train"
)

// LoadStep says how policies settle after the load of every service steps up, on
// configurations held out. Single runs are too noisy to tell, so that every share is a
// mean over the seeds.
type LoadStep struct {
	Before   map[string]float64 `json:"before"` // by service: requests/s
	After    map[string]float64 `json:"after"`
	Bar      map[string]float64 `json:"bar"` // by service with a bound: the share of violations at which it has settled
	Policies []Settling         `json:"policies"`
}

// Settling is how one policy took the step.
type Settling struct {
	Policy string `json:"policy"`
	// Settled is the number of intervals after the step from which on the next 100 break
	// no service's bound more often than its bar; nil: not in the run.
	Settled *int                 `json:"settled_intervals"`
	First   map[string]float64   `json:"first_window_ratio"` // violated in the first 100 intervals after the step
	Windows map[string][]float64 `json:"-"`                  // violated in the 100 intervals from each one on
}

// The step: so many intervals before and after it, and the load as a share of the way
// from the least to the greatest of the data.
const (
	stepBefore, stepAfter = 500, 1000
	stepLow, stepHigh     = .25, .9
)

// settledBar is the share of violations at which a budget counts as kept again.
func settledBar(budget float64) float64 { return 1.5*budget + .01 }

func stepLoad(load []float64, at float64) float64 {
	low, high := load[0], load[len(load)-1]
	return low + at*(high-low)
}

// stepLoad runs every policy that does not know the future through the step, and
// returns what came after it.
func (r *arena) stepLoad(ctx context.Context, seed uint64) (map[string]tally, error) {
	s := series{offered: make([][]float64, stepBefore+stepAfter)}
	for t := range s.offered {
		at := stepLow
		if t >= stepBefore {
			at = stepHigh
		}
		for _, load := range r.loads {
			s.offered[t] = append(s.offered[t], stepLoad(load, at))
		}
	}
	s.noise = draw(r.noise, len(s.offered), rand.New(rand.NewPCG(seed, streamStep)))
	out := map[string]tally{}
	for _, name := range r.named() {
		if name == Optimum || name == Random {
			continue
		}
		t, err := r.one(ctx, name, train.ObjectiveBudget, s, nil)
		if err != nil {
			return nil, fmt.Errorf("policy %s, load step: %w", name, err)
		}
		for i := range t.broken {
			t.broken[i] = t.broken[i][stepBefore:]
		}
		out[name] = t
	}
	return out, nil
}

// loadStep sums up the seeds.
func (e *evaluation) loadStep(results []judged) LoadStep {
	out := LoadStep{Before: map[string]float64{}, After: map[string]float64{}, Bar: map[string]float64{}}
	for i, service := range e.goal.Services {
		out.Before[service.Name], out.After[service.Name] = stepLoad(e.loads[i], stepLow), stepLoad(e.loads[i], stepHigh)
		if e.goal.Budget[i] < 1 {
			out.Bar[service.Name] = settledBar(e.goal.Budget[i])
		}
	}
	for _, name := range Names() {
		if _, ok := results[0].stepped[name]; !ok {
			continue
		}
		one := Settling{Policy: name, First: map[string]float64{}, Windows: map[string][]float64{}}
		for i, service := range e.goal.Services {
			if e.goal.Budget[i] >= 1 {
				continue
			}
			each := make([][]bool, len(results))
			for n, r := range results {
				each[n] = r.stepped[name].broken[i]
			}
			shares := windowShares(each)
			one.Windows[service.Name], one.First[service.Name] = shares, shares[0]
		}
		one.Settled = settled(one.Windows, out.Bar)
		out.Policies = append(out.Policies, one)
	}
	return out
}

// windowShares is, by the interval that a window begins with, the share of true values
// in it, over all runs: [run][interval], all of one length, which is the window's where
// they are shorter.
func windowShares(runs [][]bool) []float64 {
	window := min(window, len(runs[0]))
	out := make([]float64, 0, len(runs[0])-window+1)
	in := 0
	for t := range runs[0] {
		for _, b := range runs {
			if b[t] {
				in++
			}
			if t >= window && b[t-window] {
				in--
			}
		}
		if t >= window-1 {
			out = append(out, float64(in)/float64(window*len(runs)))
		}
	}
	return out
}

// settled is the first window in which no service is above its bar, nil without one.
func settled(windows map[string][]float64, bar map[string]float64) *int {
	n := 0
	for _, w := range windows {
		n = len(w)
	}
	for start := range n {
		kept := true
		for service, w := range windows {
			kept = kept && w[start] <= bar[service]
		}
		if kept {
			return &start
		}
	}
	return nil
}
