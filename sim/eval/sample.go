package eval

import (
	"math/rand/v2"

	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// sampled is the truth of all data, for policies that have learned from SampleRows rows of
// them, drawn at random: what a short exploration at random settings and loads is worth.
func (e *evaluation) sampled(seed uint64) (*arena, error) {
	drawn := make([]bool, e.Dataset.Rows())
	for i, row := range rand.New(rand.NewPCG(seed, streamSample)).Perm(len(drawn)) {
		drawn[row] = i < e.SampleRows
	}
	learn := e.Dataset.Select(func(row int) bool { return drawn[row] })
	trained, err := train.EnumerateTabularAt(e.Rules, learn, train.LoadGrid(learn), model.TreeParamsFor(learn.Rows()), "", seed)
	return &arena{evaluation: e, on: OnSample, truth: e.truth, trained: trained}, err
}
