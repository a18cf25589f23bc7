package envtest_test

import (
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/model"
)

// backend is one service with three levels of blocking.
type backend struct{}

func (backend) Space() *env.Space {
	s, err := env.NewSpace([]policy.Knob{{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Service: "a", Max: 1, Levels: 3}})
	if err != nil {
		panic(err)
	}
	return s
}

func (backend) Offered() []model.Span { return []model.Span{{Min: 1, Max: 2}} }

func (backend) Prepare([][]float64) (env.Rewarder, error) { return backend{}, nil }

func (backend) Rewards(out []float32, b *env.Batch) {
	for lane := range out {
		out[lane] = 1 - float32(b.Live[lane])/2
	}
}
