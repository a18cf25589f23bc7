package search

import "math"

// sets is the number of sets of choices.
func (s *state) sets() float64 {
	n := 1.0
	for _, part := range s.p.Parts {
		n *= float64(len(part.Choices))
	}
	return n
}

// reach is how many more sets of choices than evaluations may be gone through: most
// of them are never asked about, because they could not be worth more than the best.
const reach = 64

// enumerate goes through every set of choices, but for those that cannot be worth
// more than the best so far. It reports false if that takes too many evaluations;
// the best that it found stays.
func (s *state) enumerate(budget int) bool {
	n := len(s.rank)
	above := make([]float64, n+1) // value of the parts from here on
	for i := n - 1; i >= 0; i-- {
		above[i] = above[i+1] + s.top(s.rank[i])
	}
	var from func(i int, value float64)
	from = func(i int, value float64) {
		if i == n {
			if s.score() > s.bestScore+tiny && s.feasible() {
				s.save()
			}
			return
		}
		part := s.rank[i]
		for _, c := range s.order[part] {
			v := value + s.p.Parts[part].Choices[c].Value
			if v+above[i+1] <= s.bestScore+tiny || s.evaluations >= budget {
				return // the others of this part are worth no more
			}
			s.put(part, c)
			from(i+1, v)
		}
	}
	from(0, 0)
	s.load(s.best)
	return s.evaluations < budget
}

// settle takes, among choices that are worth the same, those in force where nothing
// is lost by it, and otherwise those that stay furthest below the bounds.
func (s *state) settle() {
	for _, part := range s.rank {
		p := &s.p.Parts[part]
		now := p.Choices[s.choice[part]]
		if start := p.Choices[p.Start]; s.choice[part] != p.Start && start.Value >= now.Value && start.Blocked <= now.Blocked {
			if s.try(part, p.Start) {
				continue
			}
		}
		if s.choice[part] != p.Start {
			s.relieve(part)
		}
	}
}

// relieve moves a part to the choice worth the same whose services have the lowest
// largest ratio, if that is lower by more than rounding.
func (s *state) relieve(part int) {
	now := s.choice[part]
	choices := s.p.Parts[part].Choices
	best, least := now, s.worst(part, now)
	for _, c := range s.order[part] {
		if c != now && choices[c] == choices[now] {
			if w := s.worst(part, c); w < least-tiny {
				best, least = c, w
			}
		}
	}
	if best != now && s.try(part, best) {
		return
	}
	s.put(part, now)
}

// worst is the largest ratio that a choice of a part touches.
func (s *state) worst(part, choice int) float64 {
	s.evaluations++
	worst := 0.0
	for _, service := range s.put(part, choice) {
		worst = math.Max(worst, s.p.Evaluator.Ratio(int(service)))
	}
	return worst
}
