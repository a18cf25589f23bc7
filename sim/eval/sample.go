package eval

import (
	"math/rand/v2"

	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// sampled is the truth of a held-out half, for policies that have learned from
// SampleRows rows of the other half, drawn at random: what a short exploration at random
// settings and loads is worth beside all of that half's rows.
func (r *arena) sampled(seed uint64) (*arena, error) {
	drawn := make([]bool, r.known.Rows())
	for i, row := range rand.New(rand.NewPCG(seed, streamSample)).Perm(len(drawn)) {
		drawn[row] = i < r.SampleRows
	}
	learn := r.known.Select(func(row int) bool { return drawn[row] })
	trained, err := train.EnumerateTabularAt(r.Rules, learn, train.LoadGrid(learn), model.TreeParamsFor(learn.Rows()), "", seed)
	return &arena{evaluation: r.evaluation, on: OnSample, truth: r.truth, trained: trained}, err
}
