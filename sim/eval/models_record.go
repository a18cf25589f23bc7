package eval

import (
	"math"
	"math/rand/v2"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/emulator"
)

// record measures so many intervals of the emulated mesh, each at random loads within
// their ranges and at random settings; or with one action all along: equal weights, and
// nothing blocked.
func (o FaultOptions) record(seed, stream uint64, n int, c faultCase) (*dataset.Dataset, error) {
	e := emulation{
		EmulatorOptions: EmulatorOptions{Graph: o.Graph, Rules: o.Rules},
		mesh:            o.Graph.measurable(o.Rules), knobs: o.Rules.Knobs(), services: o.Rules.PolicyServices(),
	}
	var err error
	if e.wiring, err = wire(e.mesh, e.knobs, e.services); err != nil {
		return nil, err
	}
	if e.axes, err = policy.Axes(e.knobs); err != nil {
		return nil, err
	}
	if c.held {
		for i, axis := range e.axes {
			e.axes[i].Values = [][]float64{even(e.knobs[axis.First], len(axis.Values[0]))}
		}
	}
	if c.fault {
		f := o.Graph.Fault
		f.From, f.To = 0, math.Inf(1)
		e.mesh.Faults = []emulator.Fault{f}
	}
	out := dataset.Of(o.Rules.Name, o.Rules.Interval, e.knobs, e.services)
	return out, e.explore(out, rand.New(rand.NewPCG(seed, stream)), n)
}

// even are the settings of an axis of so many knobs: equal weights, else the least.
func even(first policy.Knob, knobs int) []float64 {
	out := []float64{first.Min}
	if first.Kind == policy.Weight {
		out = make([]float64, knobs)
		for i := range out {
			out[i] = 1 / float64(knobs)
		}
	}
	return out
}
