package eval

import (
	"context"

	"github.com/windvane/windvane/plugins/learned"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// networks are what was learned in an arena, once for all of its loads.
type networks struct {
	reward *train.RewardLearning
	budget []byte
}

// tableOf is what an artefact knows of the mesh.
func tableOf(a *train.Artefact) (*model.Table, error) {
	if a.Card.Policy != Learned {
		return model.DecodeTable(a.Policy)
	}
	l, err := learned.Decode(a.Policy)
	if err != nil {
		return nil, err
	}
	return l.Table, nil
}

// learned runs a network: under "reward" one that was trained on it, under "budget" the
// policy that is served, in the closed loop.
func (r *arena) learned(ctx context.Context, objective string, s series) (tally, error) {
	params := train.DefaultPPO()
	if r.Steps > 0 {
		params.Steps = r.Steps
	}
	seed := r.trained.Card.Seed
	if objective == train.ObjectiveBudget {
		if r.networks.budget == nil {
			l, err := train.NewLearning(r.goal, r.trained, params, seed)
			if err != nil {
				return tally{}, err
			}
			if err := l.Run(ctx, nil); err != nil {
				return tally{}, err
			}
			if r.networks.budget, err = l.Learned().Artefact.Encode(); err != nil {
				return tally{}, err
			}
		}
		return r.network(ctx, r.networks.budget, r.trained.Card, objective, s)
	}
	if r.networks.reward == nil {
		l, err := train.NewRewardLearning(r.goal, r.trained.Table, params, seed)
		if err != nil {
			return tally{}, err
		}
		for !l.Done() {
			if err := ctx.Err(); err != nil {
				return tally{}, err
			}
			if err := l.Step(); err != nil {
				return tally{}, err
			}
		}
		r.networks.reward = l
	}
	// The truth has the same knobs, so the positions in its grid are the same.
	return r.follow(s, r.networks.reward.Plan(s.offered)), nil
}

// network runs an artefact of the learned policy as it is served.
func (r *arena) network(ctx context.Context, artefact []byte, card train.Card, _ string, s series) (tally, error) {
	p := learned.New()
	if err := p.Configure(ctx, policy.Config{Artefact: artefact}); err != nil {
		return tally{}, err
	}
	return r.steer(ctx, p, card, s)
}
