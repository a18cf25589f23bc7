package train

import (
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

// The objectives that a policy is judged by.
const (
	ObjectiveReward = "reward" // the published reward on the model's mean
	ObjectiveBudget = "budget" // the most carried load within each error budget
)

// Static is a setting that never changes: the least that a policy must beat. It is
// chosen on the model, over the loads of the table with equal weight.
type Static struct {
	Objective string             `json:"objective"` // "reward" or "budget"
	Action    policy.Action      `json:"action"`
	Carried   float64            `json:"carried_ratio"`          // nominal, of all that is offered
	Violated  map[string]float64 `json:"violated_ratio"`         // expected, from the model's residuals on configurations held out
	Reward    *float64           `json:"reward_ratio,omitempty"` // of the best action at each load; objective "reward" only
	Feasible  bool               `json:"feasible"`               // no error budget is expected to be exceeded
}

// Statics returns the best static setting for each objective that the rules have:
// the reward, where they ask for one, and the error budgets. Where no static setting
// keeps every budget, it is the one that exceeds them least. Tails are by service.
func Statics(g *Goal, t *model.Table, tails []Tail) ([]Static, error) {
	c, err := NewChoices(t)
	if err != nil {
		return nil, err
	}
	s := survey(g, c, tails)
	var out []Static
	if g.HasReward() {
		best := 0
		for i, v := range s.reward {
			if v > s.reward[best] {
				best = i
			}
		}
		share := 1.0
		if s.optimum > 0 {
			share = s.reward[best] / s.optimum
		}
		one := s.static(ObjectiveReward, best)
		one.Reward = &share
		out = append(out, one)
	}
	return append(out, s.static(ObjectiveBudget, s.withinBudget())), nil
}

// surveyed sums up what every action gives over the loads of a table.
type surveyed struct {
	goal     *Goal
	choices  *Choices
	reward   []float64   // by action, per interval
	value    []float64   // by action, per interval
	carried  []float64   // by action, of what is offered
	violated [][]float64 // [action][service]
	optimum  float64     // the best reward at each load
}

func survey(g *Goal, c *Choices, tails []Tail) *surveyed {
	n, actions := len(g.Services), len(c.Grid)
	s := &surveyed{
		goal: g, choices: c, reward: make([]float64, actions), value: make([]float64, actions),
		carried: make([]float64, actions), violated: make([][]float64, actions),
	}
	for i := range s.violated {
		s.violated[i] = make([]float64, n)
	}
	points, total := 0, 0.0
	var corners []model.Corner
	latency := make([]float64, n)
	model.EachLoad(c.Table.Loads, func(offered []float64) {
		points++
		corners, _ = c.Table.Corners(corners, offered, actions)
		best := math.Inf(-1)
		for _, l := range offered {
			total += l
		}
		for i := range c.Grid {
			c.Table.Predict(latency, corners, i)
			r := g.Reward(latency, offered, c.Admitted[i], c.Cost[i])
			best = math.Max(best, r)
			s.reward[i] += r
			s.value[i] += g.Value(offered, c.Admitted[i], c.Cost[i])
			for j, share := range c.Admitted[i] {
				s.carried[i] += offered[j] * share
				s.violated[i][j] += tails[j].Above(latency[j], g.Bound[j])
			}
		}
		s.optimum += best
	})
	for i := range c.Grid {
		s.carried[i] /= math.Max(total, math.SmallestNonzeroFloat64)
		for j := range s.violated[i] {
			s.violated[i][j] /= float64(points)
		}
	}
	return s
}

// withinBudget is the action worth most among those that keep every budget, else the
// one that exceeds them least.
func (s *surveyed) withinBudget() int {
	best, least, feasible := 0, math.Inf(1), false
	for i := range s.value {
		over := s.over(i)
		switch {
		case over <= 1 && (!feasible || s.value[i] > s.value[best]):
			best, feasible = i, true
		case !feasible && over < least:
			best, least = i, over
		}
	}
	return best
}

// over is the largest ratio of violations to their budget.
func (s *surveyed) over(action int) float64 {
	worst := 0.0
	for j, v := range s.violated[action] {
		worst = math.Max(worst, v/s.goal.Budget[j])
	}
	return worst
}

func (s *surveyed) static(objective string, action int) Static {
	out := Static{
		Objective: objective, Action: s.choices.Grid[action].Clone(), Carried: s.carried[action],
		Violated: map[string]float64{}, Feasible: s.over(action) <= 1,
	}
	for j, service := range s.goal.Services {
		if !math.IsInf(s.goal.Bound[j], 1) {
			out.Violated[service.Name] = s.violated[action][j]
		}
	}
	return out
}
