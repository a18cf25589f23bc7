package search

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Evaluator tells what a set of choices does to the services. It starts at the
// choices that Problem.Start names, and changes one part at a time, so that only
// what the change touches has to be computed again. It is for one goroutine.
//
// A ratio is a predicted latency under its margin over its bound: at most 1 where
// the objective is expected to be met, 0 for a service without one. Neither Set nor
// Ratio may allocate.
type Evaluator interface {
	// Set gives a part another of its choices, and returns the services whose ratio
	// may be another one now. The slice belongs to the evaluator and does not change.
	Set(part, choice int) []int32
	// Ratio is the largest ratio of a service's objectives, computed when it is asked for.
	Ratio(service int) float64
	// Undo takes back the last Set. It is called at most once after each.
	Undo()
}

// Choice is one way to set the knobs of a part.
type Choice struct {
	Value   float64 // worth of what it carries, less its costs, per second
	Blocked float64 // offered load that it refuses, requests/s
}

// Part is a set of knobs that are chosen together: a service's blocking and weights,
// or the replicas of a workload.
type Part struct {
	Choices []Choice
	Rest    int     // the choice that burdens the others least
	Start   int     // the choice in force
	Service int     // whose knobs they are; -1 for none
	Work    float64 // what the most valuable choice costs the others, in any unit; 0: it is measured on the evaluator
}

// Problem is one decision: a choice for each part, so that no ratio is above 1, the
// parts together refuse at most MostBlocked, and the value is largest.
type Problem struct {
	Parts       []Part
	Services    int
	MostBlocked float64 // requests/s; infinite for no cap
	Evaluator   Evaluator
}

// Result is the best set of choices that was found.
type Result struct {
	Choices     []int // by part
	Value       float64
	Feasible    bool // under the evaluator and the cap
	Exact       bool // every set of choices was considered
	Evaluations int  // sets of choices that the evaluator was asked about

	InForce Candidate // what Problem.Start names
	Greedy  Candidate // what the construction in density order reached, before any search
}

// Candidate is a set of choices that was looked at.
type Candidate struct {
	Choices  []int // by part
	Value    float64
	Feasible bool // under the evaluator and the cap
}

// group is the choices of a part that carry and refuse the same: they differ in
// where the load goes.
type group struct{ from, to int } // positions in state.order of the part

// check refuses what the search would read out of bounds.
func (p *Problem) check() error {
	if len(p.Parts) == 0 || p.Evaluator == nil {
		return fmt.Errorf("search: nothing to choose: %d parts", len(p.Parts))
	}
	for i, part := range p.Parts {
		n := len(part.Choices)
		if part.Rest < 0 || part.Rest >= n || part.Start < 0 || part.Start >= n || part.Service < -1 || part.Service >= p.Services {
			return fmt.Errorf("search: part %d: rest %d and start %d of %d choices, service %d of %d",
				i, part.Rest, part.Start, n, part.Service, p.Services)
		}
	}
	return nil
}

// price is what a request above the cap costs: more than any choice could earn by it.
func (p *Problem) price() float64 {
	if math.IsInf(p.MostBlocked, 1) {
		return 0
	}
	most := 0.0
	for _, part := range p.Parts {
		low, high, least, blocked := math.Inf(1), math.Inf(-1), math.Inf(1), 0.0
		for _, c := range part.Choices {
			low, high = math.Min(low, c.Value), math.Max(high, c.Value)
			least, blocked = math.Min(least, c.Blocked), math.Max(blocked, c.Blocked)
		}
		if blocked > least {
			most = math.Max(most, (high-low)/(blocked-least))
		}
	}
	return 10 * (most + 1)
}

// ranked sorts a part's choices, the most valuable first and of those the ones that
// refuse least, and says which are alike.
func (p *Problem) ranked(part int) (order []int, groups []group) {
	choices := p.Parts[part].Choices
	order = make([]int, len(choices))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(-cmp.Compare(choices[a].Value, choices[b].Value), cmp.Compare(choices[a].Blocked, choices[b].Blocked))
	})
	for i, c := range order {
		if i == 0 || choices[order[i-1]] != choices[c] {
			groups = append(groups, group{from: i})
		}
		groups[len(groups)-1].to = i + 1
	}
	return order, groups
}
