// Package search is the policy for meshes that are too large for a table: it
// constructs settings service by service, the most valuable for their work first,
// and improves them by local search.
//
// The search knows a system only as an Evaluator: what one part's choice does to the
// ratios of latencies to bounds. The learned model of sim/model is one, behind the
// policy. What lives here is the choice; the margin is the host's, the limits are the
// guard's.
package search

import (
	"errors"
	"math"
	"slices"
)

// largestMove is the most parts that one move takes out.
const largestMove = 5

// Solve looks for the best choices within a number of evaluations; a little more may
// be used to finish. The same problem, budget and seed give the same result. Where
// the sets of choices are few enough, it goes through all of them.
//
// A result that is not feasible is the one that breaks the bounds least, of those
// that were looked at; nothing better may exist.
func Solve(p *Problem, budget int, seed uint64) (Result, error) {
	if err := p.check(); err != nil {
		return Result{}, err
	}
	if budget < 1 {
		return Result{}, errors.New("search: no budget; want at least one evaluation")
	}
	s := newState(p, budget, seed)
	r := Result{InForce: s.candidate(s.feasible())}
	r.Greedy = s.start(r.InForce)
	if math.IsInf(s.bestScore, -1) {
		r.Choices, r.Value, r.Evaluations = slices.Clone(s.choice), s.value, s.evaluations
		return r, nil
	}
	switch sets := s.sets(); {
	case sets <= float64(budget):
		r.Exact = s.enumerate(budget)
	case sets <= reach*float64(budget):
		s.improve(budget / 4)
		r.Exact = s.enumerate(budget)
	default:
		s.improve(budget)
	}
	s.settle()
	r.Choices, r.Value, r.Feasible, r.Evaluations = slices.Clone(s.choice), s.value, s.capped(), s.evaluations
	return r, nil
}

// candidate copies the choices; met says whether every bound is met.
func (s *state) candidate(met bool) Candidate {
	return Candidate{Choices: slices.Clone(s.choice), Value: s.value, Feasible: met && s.capped()}
}

// start takes the best of the choices in force and of two constructions, and returns
// the first of these. Where none meets the bounds it looks for the least broken, and
// leaves bestScore at minus infinity unless that breaks nothing.
func (s *state) start(live Candidate) Candidate {
	s.measure()
	if s.feasible() {
		s.save()
	}
	met := s.construct(false)
	greedy := s.candidate(met)
	if met {
		s.save()
		if !live.Feasible && s.construct(true) {
			s.save()
		}
	}
	if math.IsInf(s.bestScore, -1) {
		s.descend(live.Choices)
		return greedy
	}
	s.load(s.best)
	return greedy
}

// construct starts with every part at rest and gives each the most valuable choice
// that is feasible, in the order of value for work; with keep, the one in force
// where it is feasible. It reports false where resting does not meet the bounds.
func (s *state) construct(keep bool) bool {
	for part := range s.p.Parts {
		s.put(part, s.p.Parts[part].Rest)
	}
	if !s.feasible() {
		return false
	}
	for _, part := range s.rank {
		if keep && s.try(part, s.p.Parts[part].Start) {
			continue
		}
		if !s.insert(part, math.Inf(-1)) {
			return false
		}
	}
	return true
}

// blink is how often a move passes over choices that are worth the same. Putting every
// part back as full as it can be would never leave room for what comes after it.
const blink = .1

// insert gives a part its most valuable choice that is feasible, of those worth at
// least as much as needed. Choices that are worth the same are tried from a random
// one on, so that the search sees all of them.
func (s *state) insert(part int, needed float64) bool {
	order, choices := s.order[part], s.p.Parts[part].Choices
	for _, g := range s.groups[part] {
		if choices[order[g.from]].Value < needed {
			return false
		}
		if needed > math.Inf(-1) && s.rng.Float64() < blink {
			continue
		}
		n := g.to - g.from
		first := 0
		if n > 1 {
			first = s.rng.IntN(n)
		}
		for k := range n {
			if s.try(part, order[g.from+(first+k)%n]) {
				return true
			}
		}
	}
	return false
}

// descents is the share of the budget that a descent may take: each evaluation asks
// for every service, and costs several times as much as those that stop at the first
// broken bound.
const descents = 16

// descend takes, part by part, the choice with which the bounds are broken least,
// from all parts at rest and from the choices in force. It saves what breaks none.
func (s *state) descend(live []int) {
	rest := make([]int, len(s.p.Parts))
	for i, part := range s.p.Parts {
		rest[i] = part.Rest
	}
	least, kept := math.Inf(1), make([]int, len(rest))
	for _, from := range [][]int{rest, live} {
		s.load(from)
		over, last := s.overload(), math.Inf(1)
		most := s.evaluations + s.budget/descents
		for over > 0 && over < last-tiny {
			last = over
			for _, part := range s.rank {
				over = s.lower(part, over, most)
			}
		}
		if over < least {
			least = over
			copy(kept, s.choice)
		}
	}
	s.load(kept)
	if least == 0 {
		s.save()
	}
}

// lower gives a part the choice with which the bounds are broken least.
func (s *state) lower(part int, over float64, most int) float64 {
	best := s.choice[part]
	for _, c := range s.order[part] {
		if over == 0 || s.evaluations >= most {
			break
		}
		s.put(part, c)
		if o := s.overload(); o < over-tiny || o == 0 {
			best, over = c, o
		}
	}
	s.put(part, best)
	return over
}

// improve is the local search: take a few parts that burden each other out, put them
// back in random order, and keep what is not worse, or worse by little.
func (s *state) improve(budget int) {
	all := 0.0
	for part := range s.p.Parts {
		all += s.top(part)
	}
	start := s.evaluations
	hot := warmth * math.Abs(all) / float64(len(s.p.Parts))
	for s.evaluations < budget && s.bestScore < all-tiny {
		s.move(hot * (1 - float64(s.evaluations-start)/float64(budget-start)))
	}
	s.load(s.best)
}

// warmth is the temperature at the start of a search, in shares of a part's mean
// value; it falls to 0 with the budget.
const warmth = .05

// move is one step of improve at a temperature, in value per second.
func (s *state) move(temperature float64) {
	s.evaluations++ // also where nothing has to be asked
	s.take()
	need := s.score() - temperature*s.rng.ExpFloat64()
	rest := 0.0 // what the parts out may gain at most
	for i, part := range s.removed {
		s.before[i] = s.choice[part]
		s.put(part, s.p.Parts[part].Rest)
		rest += s.top(part) - s.p.Parts[part].Choices[s.p.Parts[part].Rest].Value
	}
	ok := true
	for i := range s.removed {
		j := i + s.rng.IntN(len(s.removed)-i)
		s.removed[i], s.removed[j] = s.removed[j], s.removed[i]
		s.before[i], s.before[j] = s.before[j], s.before[i]
		part := s.removed[i]
		low := s.p.Parts[part].Choices[s.p.Parts[part].Rest].Value
		rest -= s.top(part) - low
		if ok = s.insert(part, need-(s.value-low+rest)-tiny); !ok {
			break
		}
	}
	if ok && s.score() >= need-tiny {
		s.save()
		return
	}
	for i, part := range s.removed {
		if s.choice[part] != s.before[i] {
			s.put(part, s.before[i])
		}
	}
}

// take draws the parts of a move: one, and some of those around it.
func (s *state) take() {
	center := s.rank[s.rng.IntN(len(s.rank))]
	s.removed = append(s.removed[:0], center)
	s.mixed = append(s.mixed[:0], s.around[center]...)
	size := min(1+s.rng.IntN(largestMove-1), len(s.mixed))
	for i := range size {
		j := i + s.rng.IntN(len(s.mixed)-i)
		s.mixed[i], s.mixed[j] = s.mixed[j], s.mixed[i]
		s.removed = append(s.removed, s.mixed[i])
	}
}
