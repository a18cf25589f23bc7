package eval

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/rollout"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/plugins/threshold"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// arena is a truth, and what the policies know of it.
type arena struct {
	*evaluation
	on        string
	truth     *truth
	known     *dataset.Dataset           // what the policies may have seen; nil: all data
	trained   *train.Tabular             // on that
	artefacts map[string]*train.Artefact // trained elsewhere
	networks  networks
	unseen    series // that it was judged on
	watch     watch  // of a policy behind the contract; may be nil
}

// judge runs every policy under every objective and load of one seed.
func (r *arena) judge(ctx context.Context, seed uint64, out tallies) error {
	for load, s := range r.runs(seed) {
		if load == LoadUnseen {
			r.unseen = s
		}
		for _, objective := range r.objectives() {
			for _, name := range r.named() {
				t, err := r.one(ctx, name, objective, s, rand.New(rand.NewPCG(seed, streamRandom)))
				if err != nil {
					return fmt.Errorf("policy %s, objective %s, load %s, on %s: %w", name, objective, load, r.on, err)
				}
				out[subject{objective, load, r.on, name, ""}] = t.closed()
			}
			for name, artefact := range r.artefacts {
				if artefact.Card.Policy == Learned && objective == train.ObjectiveReward {
					continue // it was trained to keep margins
				}
				judge := r.tabular
				if artefact.Card.Policy == Learned {
					judge = r.network
				}
				t, err := judge(ctx, artefact.Policy, artefact.Card, objective, s)
				if err != nil {
					return fmt.Errorf("artefact %s, objective %s, load %s, on %s: %w", name, objective, load, r.on, err)
				}
				out[subject{objective, load, r.on, artefact.Card.Policy, name}] = t.closed()
			}
		}
	}
	return nil
}

// runs are the series of one seed, by the name of their load.
func (r *arena) runs(seed uint64) iter.Seq2[string, series] {
	random := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }
	noise := random(streamNoise)
	return func(yield func(string, series) bool) {
		for _, l := range []struct {
			name    string
			offered [][]float64
		}{
			{LoadSeen, seen(r.loads, random(streamSeen))},
			{LoadUnseen, unseen(r.loads, random(streamUnseen))},
		} {
			if r.intervals > 0 {
				l.offered = l.offered[:min(r.intervals, len(l.offered))]
			}
			if !yield(l.name, series{offered: l.offered, noise: draw(r.noise, len(l.offered), noise)}) {
				return
			}
		}
	}
}

// objectives are those that the rules have.
func (e *evaluation) objectives() []string {
	if e.goal.HasReward() {
		return []string{train.ObjectiveReward, train.ObjectiveBudget}
	}
	return []string{train.ObjectiveBudget}
}

// named lists the policies that an arena judges by name, sorted.
func (r *arena) named() []string {
	out := append([]string{Optimum, Static}, r.Policies...)
	if r.on == OnHeldOut {
		// An artefact may have seen all data: what made it is judged instead.
		for _, a := range r.Artefacts {
			out = append(out, a.Card.Policy)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// one runs one policy.
func (r *arena) one(ctx context.Context, name, objective string, s series, rng *rand.Rand) (tally, error) {
	switch name {
	case Tabular, Rollout:
		artefact, err := r.trained.Table.Encode()
		if err != nil {
			return tally{}, err
		}
		card := r.trained.Card
		card.Policy = name
		return r.tabular(ctx, artefact, card, objective, s)
	case Learned:
		return r.learned(ctx, objective, s)
	case Threshold:
		return r.steer(ctx, threshold.New(), r.trained.Card, s)
	case Optimum:
		if objective == train.ObjectiveReward {
			return r.follow(s, rewardPlan(r.goal, r.truth.choices, s.offered)), nil
		}
		return r.follow(s, budgetPlan(r.goal, r.truth.choices, s)), nil
	case Static:
		for _, best := range r.trained.Card.BestStatic {
			if best.Objective == objective {
				return r.follow(s, slices.Repeat([]int{r.truth.index[key(best.Action)]}, len(s.offered))), nil
			}
		}
	case None:
		start := r.truth.index[key(begin(r.truth.latency.Knobs, r.truth.choices.Grid))]
		return r.follow(s, slices.Repeat([]int{start}, len(s.offered))), nil
	case Random:
		plan := make([]int, len(s.offered))
		for t := range plan {
			plan[t] = rng.IntN(len(r.truth.choices.Grid))
		}
		return r.follow(s, plan), nil
	}
	return tally{}, fmt.Errorf("no such policy; known: %v", Names())
}

// tabular runs a table: under "reward" the action with the greatest reward on its
// mean, under "budget" the policy of the card as it is served, in the closed loop.
func (r *arena) tabular(ctx context.Context, artefact []byte, card train.Card, objective string, s series) (tally, error) {
	if objective == train.ObjectiveBudget {
		var p policy.Policy = tabular.New()
		if card.Policy == Rollout {
			p = rollout.New()
		}
		if err := p.Configure(ctx, policy.Config{Artefact: artefact}); err != nil {
			return tally{}, err
		}
		return r.steer(ctx, p, card, s)
	}
	table, err := model.DecodeTable(artefact)
	if err != nil {
		return tally{}, err
	}
	c, err := train.NewChoices(table)
	if err != nil {
		return tally{}, err
	}
	a, sum := r.truth.asker(), tally{}
	measured := make([]float64, len(a.seconds))
	for t, action := range rewardPlan(r.goal, c, s.offered) {
		a.of(s.offered[t], c.Grid[action])
		sum.add(a, s.offered[t], s.noise[t], measured)
	}
	return sum, nil
}

func (r *arena) steer(ctx context.Context, p policy.Policy, card train.Card, s series) (tally, error) {
	return steered{mesh: r.Rules, policy: p, initial: card.Initial, watch: r.watch}.run(ctx, r.truth.asker(), s)
}

// follow takes an action of the truth's grid in each interval.
func (r *arena) follow(s series, plan []int) tally {
	a, sum := r.truth.asker(), tally{}
	measured := make([]float64, len(a.seconds))
	for t, action := range plan {
		a.at(s.offered[t], action)
		sum.add(a, s.offered[t], s.noise[t], measured)
	}
	return sum
}
