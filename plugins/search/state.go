package search

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// tiny absorbs rounding where values are compared.
const tiny = 1e-9

// state is a set of choices under change. Everything is allocated before the search.
type state struct {
	p       *Problem
	rng     *rand.Rand
	choice  []int // by part
	value   float64
	blocked float64
	price   float64 // of a request above the cap

	order  [][]int   // by part: its choices, the most valuable first
	groups [][]group // by part: choices that are worth the same
	rank   []int     // parts, the largest value for their work first
	around [][]int   // by part: parts whose services it burdens
	hot    []int     // by part: the service that refused it last, asked first

	evaluations, budget int
	removed             []int // of one move
	before              []int
	mixed               []int // neighbours of the part that a move is about
	best                []int
	bestScore           float64
}

func newState(p *Problem, budget int, seed uint64) *state {
	n := len(p.Parts)
	s := &state{
		p: p, budget: budget, price: p.price(), rng: rand.New(rand.NewPCG(seed, 0x5ea4c4)),
		choice: make([]int, n), order: make([][]int, n), groups: make([][]group, n), hot: make([]int, n),
		removed: make([]int, 0, largestMove), before: make([]int, largestMove), mixed: make([]int, 0, n),
		best: make([]int, n), bestScore: math.Inf(-1),
	}
	for i, part := range p.Parts {
		s.choice[i] = part.Start
		s.value += part.Choices[part.Start].Value
		s.blocked += part.Choices[part.Start].Blocked
		s.order[i], s.groups[i] = p.ranked(i)
		s.hot[i] = max(part.Service, 0)
	}
	return s
}

// score is the value less the price of what is refused beyond the cap.
func (s *state) score() float64 {
	if s.price == 0 {
		return s.value
	}
	return s.value - s.price*math.Max(0, s.blocked-s.p.MostBlocked)
}

// capped reports whether the choices keep to the cap.
func (s *state) capped() bool {
	return s.blocked <= s.p.MostBlocked*(1+tiny)+tiny
}

// put makes a choice without asking what comes of it.
func (s *state) put(part, choice int) []int32 {
	affected := s.p.Evaluator.Set(part, choice)
	s.count(part, choice)
	return affected
}

// count keeps the sums of a choice that the evaluator has.
func (s *state) count(part, choice int) {
	old, now := &s.p.Parts[part].Choices[s.choice[part]], &s.p.Parts[part].Choices[choice]
	s.value += now.Value - old.Value
	s.blocked += now.Blocked - old.Blocked
	s.choice[part] = choice
}

// try makes a choice if every service that it touches meets its bound then.
func (s *state) try(part, choice int) bool {
	s.evaluations++
	e := s.p.Evaluator
	affected := e.Set(part, choice)
	if s.p.Services > 0 && e.Ratio(s.hot[part]) > 1 {
		e.Undo()
		return false
	}
	for _, service := range affected {
		if e.Ratio(int(service)) > 1 {
			s.hot[part] = int(service)
			e.Undo()
			return false
		}
	}
	s.count(part, choice)
	return true
}

// feasible asks for every service.
func (s *state) feasible() bool {
	s.evaluations++
	for i := range s.p.Services {
		if s.p.Evaluator.Ratio(i) > 1 {
			return false
		}
	}
	return true
}

// overload is by how much the bounds are broken together; 0 where none is.
func (s *state) overload() float64 {
	s.evaluations++
	over := 0.0
	for i := range s.p.Services {
		over += math.Max(0, s.p.Evaluator.Ratio(i)-1)
	}
	return over
}

// load takes a whole set of choices. The sums start afresh, so that rounding does not add up.
func (s *state) load(choices []int) {
	for part, c := range choices {
		if s.choice[part] != c {
			s.put(part, c)
		}
	}
	s.value, s.blocked = 0, 0
	for part, c := range s.choice {
		s.value += s.p.Parts[part].Choices[c].Value
		s.blocked += s.p.Parts[part].Choices[c].Blocked
	}
}

// save keeps the choices if they are the best so far. They have to be feasible.
func (s *state) save() {
	if v := s.score(); v > s.bestScore+tiny {
		s.bestScore = v
		copy(s.best, s.choice)
	}
}

// top is the value of a part's most valuable choice.
func (s *state) top(part int) float64 {
	return s.p.Parts[part].Choices[s.order[part][0]].Value
}

// measure ranks the parts by value per work, and finds out which burden each other.
// Where each part touches few services the evaluator says so; where it cannot tell,
// the parts around one are those whose ratios it moves most.
func (s *state) measure() {
	n := len(s.p.Parts)
	work, moved := make([]float64, n), make([][]float64, n)
	owner := make([]int, s.p.Services)
	for i := range owner {
		owner[i] = -1
	}
	for i, part := range s.p.Parts {
		if work[i] = part.Work; part.Service >= 0 {
			owner[part.Service] = i
		}
		moved[i] = make([]float64, n)
	}
	for i := range s.p.Parts {
		s.probe(i, work, moved, owner)
	}
	s.rank = make([]int, n)
	density := make([]float64, n)
	for i, part := range s.p.Parts {
		s.rank[i] = i
		density[i] = (s.top(i) - part.Choices[part.Rest].Value) / math.Max(work[i], tiny)
	}
	slices.SortStableFunc(s.rank, func(a, b int) int {
		return cmp.Or(-cmp.Compare(density[a], density[b]), -cmp.Compare(s.top(a), s.top(b)))
	})
	s.around = make([][]int, n)
	for i := range s.p.Parts {
		for _, j := range s.rank {
			if j != i && (moved[i][j] > 0 || moved[j][i] > 0) {
				s.around[i] = append(s.around[i], j)
			}
		}
		if len(s.around[i]) > manyAround {
			near := s.around[i]
			slices.SortStableFunc(near, func(a, b int) int {
				return -cmp.Compare(moved[i][a]+moved[a][i], moved[i][b]+moved[b][i])
			})
			s.around[i] = near[:manyAround]
		}
	}
}

// manyAround bounds the parts around one: with more, most of what a move takes out
// would have nothing to do with each other.
const manyAround = 16

// probe notes what one part does to the services of the others.
func (s *state) probe(part int, work []float64, moved [][]float64, owner []int) {
	e, now := s.p.Evaluator, s.choice[part]
	affected := e.Set(part, now)
	if work[part] > 0 && len(affected) < s.p.Services {
		for _, service := range affected {
			if j := owner[service]; j >= 0 {
				moved[part][j] = 1
			}
		}
		return
	}
	s.evaluations += 2
	most, sum := 0.0, 0.0
	high := make([]float64, s.p.Services)
	e.Set(part, s.order[part][0])
	for _, service := range affected {
		high[service] = e.Ratio(int(service))
	}
	e.Set(part, s.p.Parts[part].Rest)
	for _, service := range affected {
		d := math.Max(0, high[service]-e.Ratio(int(service)))
		sum += d
		if j := owner[service]; j >= 0 {
			moved[part][j] = d
			if j != part {
				most = math.Max(most, d)
			}
		}
	}
	e.Set(part, now)
	if work[part] == 0 {
		work[part] = sum
	}
	for j := range moved[part] {
		if moved[part][j] < .02*most {
			moved[part][j] = 0
		}
	}
}
