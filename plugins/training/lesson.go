package training

import (
	"errors"

	"github.com/windvane/windvane/plugins/simserver"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// Lesson is what a plugin is trained on: a fitted mesh, for any number of trainings.
type Lesson struct {
	Model *model.System
	Seed  uint64

	// Untried says why what is trained will not be judged; nil: it will be.
	Untried error

	encoded  []byte     // the model
	card     train.Card // of what is known before a training
	scenario *simserver.Scenario
	trial    *eval.Trial // nil: see Untried
}

// Fit learns a lesson from a dataset. ofModel has the simulator ask the model in each step,
// in place of its table. It is an error if rules and dataset do not fit each other.
func Fit(m *rules.Mesh, d *dataset.Dataset, digest string, seed uint64, ofModel bool) (*Lesson, error) {
	l := &Lesson{Seed: seed}
	if ofModel {
		s, err := train.FitSearched(m, d, digest, seed)
		if err != nil {
			return nil, err
		}
		l.Model, l.card = s.Model, s.Card
		l.Untried = errors.New("there is no table of the model to judge by")
		if l.scenario, err = simserver.FromModel(m, s.Model, seed); err != nil {
			return nil, err
		}
	} else {
		t, err := train.EnumerateTabular(m, d, digest, seed)
		if err != nil {
			return nil, err
		}
		l.Model, l.card = t.Model, t.Card
		l.trial, l.Untried = eval.NewTrial(m, d, t, seed)
		if l.scenario, err = simserver.FromTable(m, t.Table); err != nil {
			return nil, err
		}
	}
	var err error
	l.encoded, err = l.Model.Encode()
	return l, err
}
