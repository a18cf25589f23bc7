package rollout

// Lookahead values actions by rollout (Bertsekas, Rollout, Policy Iteration, and
// Distributed Reinforcement Learning, 2020): an action is worth what it earns now and
// what the base policy earns from there. The base policy is the myopic one: in each
// interval the action within reach with the greatest score. It is for one goroutine.
type Lookahead struct {
	reach *Reach
	worth []float64
	base  []int32
}

// NewLookahead is for the grid of a Reach.
func NewLookahead(reach *Reach) *Lookahead {
	return &Lookahead{reach: reach, worth: make([]float64, reach.Len()), base: make([]int32, reach.Len())}
}

// Values returns, by action, the mean score of an interval if the action is taken now
// and the base policy then followed, horizon intervals in all (at least 1), in each of
// which an action has the same score. A score of -Inf is an action that must not be
// taken. The slice is reused.
//
// The work is of the order of the actions times their levels and the horizon.
func (l *Lookahead) Values(score []float64, horizon int) []float64 {
	copy(l.worth, score)
	l.reach.Best(l.worth, l.base)
	for i := range l.worth {
		sum, at := 0.0, int32(i)
		for left := horizon; left > 0; left-- {
			if l.base[at] == at { // nothing better is near: it stays
				sum += float64(left) * score[at]
				break
			}
			sum += score[at]
			at = l.base[at]
		}
		l.worth[i] = sum / float64(horizon)
	}
	return l.worth
}
