package eval

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/train"
)

// FrontierPoint is what a policy carries for what it violates, on unseen load and on
// configurations held out. A policy that plans under budgets has a point for each of a
// few; the others have one.
type FrontierPoint struct {
	Policy   string   `json:"policy"`
	Budget   *float64 `json:"budget"`         // mean over services with a bound; nil: the policy knows of none
	Violated Estimate `json:"violated_ratio"` // mean over services with a bound
	Carried  Estimate `json:"carried_ratio"`  // nominal, of what is offered
}

// frontierFactors are the budgets of a frontier, of the rules' own.
var frontierFactors = []float64{.2, .4, 1, 2, 4}

// factorOfRules is the budgets that the rows are about.
const factorOfRules = 1

// mark is one point of a frontier.
type mark struct {
	policy string
	factor float64
}

type sweep map[mark]tally

// sweep runs the policies that plan, and the optimum, under other budgets than the
// rules' own, on the run of the rows.
func (r *arena) sweep(ctx context.Context, seed uint64) (sweep, error) {
	out := sweep{}
	for _, factor := range r.factors {
		if factor == factorOfRules || !canScale(r.goal, factor) {
			continue
		}
		scaled, err := r.scaled(factor)
		if err != nil {
			return nil, err
		}
		for _, name := range r.named() {
			if name != Optimum && !slices.Contains(planners(), name) {
				continue
			}
			t, err := scaled.one(ctx, name, train.ObjectiveBudget, r.unseen, rand.New(rand.NewPCG(seed, streamRandom)))
			if err != nil {
				return nil, fmt.Errorf("policy %s, %g times the budgets: %w", name, factor, err)
			}
			out[mark{name, factor}] = t.closed()
		}
	}
	return out, nil
}

// scaled is the arena under budgets that are so many times the rules' own.
func (r *arena) scaled(factor float64) (*arena, error) {
	e := *r.evaluation
	e.Rules = scaledBudgets(r.Rules, factor)
	goal, err := train.NewGoal(e.Rules, e.Dataset.Services)
	if err != nil {
		return nil, err
	}
	e.goal = goal
	trained := *r.trained
	trained.Card.Services = slices.Clone(trained.Card.Services)
	for i, budget := range goal.Budget {
		if budget < 1 {
			trained.Card.Services[i].Margin = trained.Model.Fit[i].FirstMargin(goal.Bound[i], budget)
		}
	}
	out := *r
	out.evaluation, out.trained = &e, &trained
	return &out, nil
}

func scaledBudgets(m *rules.Mesh, factor float64) *rules.Mesh {
	out := *m
	out.Services = slices.Clone(m.Services)
	for i := range out.Services {
		s := &out.Services[i]
		s.Objectives = slices.Clone(s.Objectives)
		for k := range s.Objectives {
			s.Objectives[k].Target = 1 - factor*s.Objectives[k].Budget()
		}
	}
	return &out
}

// frontier sums up the seeds: the policies that plan by budget, then the others.
func (e *evaluation) frontier(results []judged, runs map[subject][]tally) []FrontierPoint {
	var out []FrontierPoint
	at := func(policy string) []tally {
		return runs[subject{train.ObjectiveBudget, LoadUnseen, OnHeldOut, policy, ""}]
	}
	for _, name := range Names() {
		if len(at(name)) == 0 || name == Random {
			continue
		}
		if name != Optimum && !slices.Contains(planners(), name) {
			out = append(out, e.point(name, nil, at(name)))
			continue
		}
		var before []tally
		for _, factor := range e.factors {
			var each []tally
			for _, r := range results {
				if t, ok := r.swept[mark{name, factor}]; ok {
					each = append(each, t)
				}
			}
			if factor == factorOfRules {
				each = slices.Clone(at(name))
			}
			if len(each) == 0 {
				continue
			}
			budget := factor * e.overBounded(func(service int) float64 { return e.goal.Budget[service] })
			if name == Optimum {
				keepBetter(each, before)
				if e.point(name, &budget, each).Violated.Mean > settledBar(budget) {
					continue // the mesh cannot keep it: what is least bad there is no bound for anybody
				}
				before = each
			}
			out = append(out, e.point(name, &budget, each))
		}
	}
	return out
}

// keepBetter puts the runs of a smaller budget in the place of those that are worth
// less: what keeps the smaller keeps the greater, though the oracle's search, which
// mixes no actions, may have missed it there.
func keepBetter(runs, smaller []tally) {
	for i, t := range smaller {
		if t.value > runs[i].value {
			runs[i] = t
		}
	}
}

func (e *evaluation) point(name string, budget *float64, runs []tally) FrontierPoint {
	return FrontierPoint{
		Policy: name, Budget: budget,
		Violated: estimateOf(runs, func(t tally) float64 { return e.overBounded(t.violatedRatio) }),
		Carried: estimateOf(runs, func(t tally) float64 {
			if v := share(t.nominal, t.offered); v != nil {
				return *v
			}
			return 0 // nothing was offered
		}),
	}
}

// overBounded is the mean of a figure over the services with a bound.
func (e *evaluation) overBounded(figure func(service int) float64) float64 {
	sum, n := 0.0, 0.0
	for i, b := range e.goal.Budget {
		if b < 1 {
			sum += figure(i)
			n++
		}
	}
	return sum / n
}

// canScale reports whether every budget stays one.
func canScale(g *train.Goal, factor float64) bool {
	for _, b := range g.Budget {
		if b < 1 && factor*b >= 1 {
			return false
		}
	}
	return true
}
