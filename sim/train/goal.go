package train

import (
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/model"
)

// Goal is what the rules ask of the services of a dataset, in plain numbers. Slices
// are by service, sorted by name.
type Goal struct {
	Services []policy.Service
	Signals  []string  // the latency signal that the model predicts
	Bound    []float64 // of the first objective on that signal, seconds; +Inf where there is none
	Budget   []float64 // share of intervals in which it may be broken; 1 where there is none

	reward       string    // its name in the rules; empty where they ask for none
	steepness    float64   // of the logistic, 1/s
	theta        []float64 // its centres, seconds; nil where there is no logistic
	weight       []float64 // of a carried request in the reward
	blockingCost float64   // of a blocked request in the reward
	met          float64   // what an interval with every bound kept is worth
}

// NewGoal reads the goal from the rules. It is an error if the rules and the dataset
// have other services.
func NewGoal(m *rules.Mesh, services []string) (*Goal, error) {
	signals, err := Signals(m, services)
	if err != nil {
		return nil, err
	}
	g := &Goal{Services: m.PolicyServices(), Signals: signals}
	for i, s := range g.Services {
		bound, budget := math.Inf(1), 1.0
		for _, o := range s.Objectives {
			if o.Kind == policy.LatencyObjective && o.Signal == signals[i] {
				bound, budget = o.Bound, o.Budget
				break
			}
		}
		g.Bound, g.Budget = append(g.Bound, bound), append(g.Budget, budget)
	}
	g.weight = slices.Repeat([]float64{1}, len(g.Services))
	if m.Reward != nil {
		g.setReward(m.Reward)
	}
	return g, nil
}

func (g *Goal) setReward(r *rules.Reward) {
	g.reward, g.met = r.Name, r.Met
	if r.Name == rules.RewardScaling {
		return
	}
	g.steepness, g.blockingCost = r.Steepness, r.BlockingCost
	for i, s := range g.Services {
		theta, ok := r.Theta[s.Name]
		if !ok {
			theta = math.Inf(1) // without a bound every carried request has its full worth
		}
		g.theta = append(g.theta, theta)
		if r.Name != rules.RewardMO1 {
			g.weight[i] = s.Value
		}
	}
}

// HasReward reports whether the rules ask for a reward.
func (g *Goal) HasReward() bool { return g.reward != "" }

// Reward is what the rules' reward says of one interval: latency in seconds, offered
// load in requests/s and the share of it that is admitted, by service, and the cost of
// the action.
//
//   - mo1 (Samani and Stadler, CNSM 2022): the sum over services of the nominal carried
//     load (requests/s), a service above its bound having its share divided by
//     1 + exp(steepness (latency - theta)).
//   - mo2: the same, each service times its value.
//   - mo3: mo2 less blocking_cost for each request that is blocked.
//   - scaling (the same authors' follow-up): met less the cost where every bound is
//     kept, else minus the seconds by which they are exceeded.
//
// Where the rules ask for no reward, it is the sum of the nominal carried load.
func (g *Goal) Reward(latency, offered, admitted []float64, cost float64) float64 {
	if g.reward == rules.RewardScaling {
		return g.scaling(latency, cost)
	}
	sum := 0.0
	for s, share := range admitted {
		r := offered[s] * share
		if g.theta != nil && latency[s] > g.Bound[s] {
			r /= 1 + math.Exp(g.steepness*(latency[s]-g.theta[s]))
		}
		sum += g.weight[s]*r - g.blockingCost*offered[s]*(1-share)
	}
	return sum
}

func (g *Goal) scaling(latency []float64, cost float64) float64 {
	excess := 0.0
	for s, v := range latency {
		excess += math.Max(0, v-g.Bound[s])
	}
	if excess > 0 {
		return -excess
	}
	return g.met - cost
}

// Value is the worth of the nominal carried load of one interval, less cost.
func (g *Goal) Value(offered, admitted []float64, cost float64) float64 {
	v := -cost
	for s, share := range admitted {
		v += g.Services[s].Value * offered[s] * share
	}
	return v
}

// Choices are the actions of a table with what does not depend on the load.
type Choices struct {
	Table    *model.Table
	Grid     []policy.Action
	Admitted [][]float64 // [action][service]: share of the offered load that is not blocked
	Cost     []float64   // by action
}

// NewChoices lists the actions of a table. It is an error if the table is damaged.
func NewChoices(t *model.Table) (*Choices, error) {
	grid, err := t.Actions()
	if err != nil {
		return nil, err
	}
	c := &Choices{Table: t, Grid: grid}
	n := len(t.Services)
	flat := make([]float64, n*len(grid))
	for i, a := range grid {
		admitted := flat[i*n : (i+1)*n : (i+1)*n]
		c.Cost = append(c.Cost, Admitted(admitted, t.Knobs, t.Services, a))
		c.Admitted = append(c.Admitted, admitted)
	}
	return c, nil
}

// Admitted writes the share of each service's offered load that an action does not
// block into out, by service, and returns what the action costs.
func Admitted(out []float64, knobs []policy.Knob, services []string, a policy.Action) (cost float64) {
	for s := range out {
		out[s] = 1
	}
	for i, k := range knobs {
		cost += k.Cost * a[i].Value
		if k.Kind == policy.Blocking {
			if s := slices.Index(services, k.Service); s >= 0 {
				out[s] = 1 - a[i].Value
			}
		}
	}
	return cost
}

// Best returns the action with the greatest score, the first among equals, and that
// score, at one offered load (by service, requests/s). The latency that score is given
// is reused.
func (c *Choices) Best(corners []model.Corner, score func(action int, latency []float64) float64) (action int, best float64) {
	latency := make([]float64, len(c.Table.Services))
	best = math.Inf(-1)
	for i := range c.Grid {
		c.Table.Predict(latency, corners, i)
		if v := score(i, latency); v > best {
			action, best = i, v
		}
	}
	return action, best
}

// Tail is the distribution of a service's relative residuals, as the chance that a
// prediction is exceeded by so much.
type Tail []float64 // ascending

// NewTail sorts the residuals.
func NewTail(residuals []float64) Tail { return slices.Sorted(slices.Values(residuals)) }

// Above is the chance that latency * (1 + residual) is above bound; without
// residuals the latency is taken as exact.
func (t Tail) Above(latency, bound float64) float64 {
	if len(t) == 0 {
		if latency > bound {
			return 1
		}
		return 0
	}
	most := bound/latency - 1
	at, _ := slices.BinarySearchFunc(t, most, func(r, most float64) int {
		if r > most {
			return 1
		}
		return -1
	})
	return float64(len(t)-at) / float64(len(t))
}
