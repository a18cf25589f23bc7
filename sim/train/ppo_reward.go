package train

import (
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/model"
)

// RewardLearning is a training on the rules' reward, over a table and its loads and
// those between them: what the published policies are trained on. Where no step limit or
// delay makes the problem sequential, each interval is a problem of its own.
type RewardLearning struct {
	*PPO
	env   *env.Env
	joint *joint
}

// maxRewardPoints bounds the loads that a reward is looked up at.
const maxRewardPoints = 400

// NewRewardLearning starts a training.
func NewRewardLearning(goal *Goal, table *model.Table, params PPOParams, seed uint64) (*RewardLearning, error) {
	grid, err := env.NewGrid(table, goal)
	if err != nil {
		return nil, err
	}
	loads, err := env.Uniform(Curriculum(table.Loads), 1)
	if err != nil {
		return nil, err
	}
	e, err := env.New(env.Config{Backend: grid, Loads: loads, Lanes: Lanes})
	if err != nil {
		return nil, err
	}
	j := newJoint(e)
	ppo, err := NewPPO(j, params, seed)
	return &RewardLearning{ppo, e, j}, err
}

// Curriculum returns the loads ([point][service], requests/s) to train a reward at: those
// of the table, and, with the same chance in all, those evenly between them. A network
// that saw the table's alone has learned nothing of those between (on MO1 .95 of the
// optimum under a sinusoid, .98 with them); one that saw the table's no more often than
// others errs at their edges (.90 at the loads of the scenario scaling).
func Curriculum(loads [][]float64) [][]float64 {
	out, own := env.Cross(between(loads, maxRewardPoints)), env.Cross(loads)
	for range max(1, len(out)/len(own)) {
		out = append(out, own...)
	}
	return out
}

// Plan is what the policy does at each of the offered loads ([interval][service],
// requests/s), as positions in the grid of the table.
func (l *RewardLearning) Plan(offered [][]float64) []int {
	actor, ranges, space := l.Actor(), l.env.Offered(), l.env.Space()
	obs, choice, split := make([]float32, len(ranges)), make([]int32, len(l.axes)), make([]int32, len(l.joint.sizes))
	plan := make([]int, len(offered))
	for t, loads := range offered {
		for s, v := range loads {
			obs[s] = share(v, ranges[s])
		}
		actor.Choose(obs, choice)
		l.joint.split(choice, split)
		plan[t] = space.Flat(split)
	}
	return plan
}

// share is where a load lies in a range, as an environment shows it.
func share(v float64, r model.Span) float32 {
	if !(r.Max > r.Min) {
		return 0
	}
	return float32(max(env.MinObservation, min(env.MaxObservation, (v-r.Min)/(r.Max-r.Min))))
}
