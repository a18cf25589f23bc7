package train

import (
	"context"
	"fmt"

	"github.com/windvane/windvane/plugins/learned"
)

// Learned is a trained network with the table that it is held against.
type Learned struct {
	Artefact *learned.Artefact
	Card     Card
}

// Training says how a network was trained.
type Training struct {
	Algorithm string `json:"algorithm"`
	Steps     int    `json:"steps"`
	Seed      uint64 `json:"seed"`
}

// Learning is the training of a network on a table. `for !l.Done() { err = l.Step() }`
// and then Learned; or Run, which stops where it is told to.
type Learning struct {
	*PPO
	tabular *Tabular
	goal    *Goal
	problem string
}

// NewLearning starts a training on what EnumerateTabular made of the same rules. The
// checkpoints of a Learning are for the same table and constants.
func NewLearning(goal *Goal, t *Tabular, params PPOParams, seed uint64) (*Learning, error) {
	e, err := newBudgetEnv(goal, t.Table, Lanes)
	if err != nil {
		return nil, err
	}
	ppo, err := NewPPO(e, params, seed)
	if err != nil {
		return nil, err
	}
	table, err := t.Table.Encode()
	if err != nil {
		return nil, err
	}
	return &Learning{PPO: ppo, tabular: t, goal: goal, problem: fmt.Sprintf("%s %v %v", digest(table), goal.Bound, goal.values())}, nil
}

// values are those of a carried request, by service.
func (g *Goal) values() []float64 {
	var out []float64
	for _, s := range g.Services {
		out = append(out, s.Value)
	}
	return out
}

// Checkpoint writes the training as it is.
func (l *Learning) Checkpoint() ([]byte, error) { return l.PPO.Checkpoint(l.problem) }

// Restore goes on from a checkpoint, to the same bits as if there had been no
// interruption.
func (l *Learning) Restore(src []byte) error { return l.PPO.Restore(src, l.problem) }

// Run trains until it is done or the context is, whose error it then returns. Progress
// is told the transitions taken and to be taken, after each step; nil: nobody is.
func (l *Learning) Run(ctx context.Context, progress func(taken, of int)) error {
	for !l.Done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.Step(); err != nil {
			return err
		}
		if progress != nil {
			progress(min(l.Taken(), l.params.Steps), l.params.Steps)
		}
	}
	return nil
}

// Learned returns the policy as it is now.
func (l *Learning) Learned() *Learned {
	card := l.tabular.Card
	card.Policy = learned.Name
	card.Training = &Training{Algorithm: "ppo", Steps: l.Taken(), Seed: l.seed}
	return &Learned{Artefact: &learned.Artefact{Net: l.Actor().Net, Table: l.tabular.Table, Bound: l.goal.Bound}, Card: card}
}
