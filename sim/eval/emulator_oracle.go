package eval

import (
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/sim/train"
)

// optimum is the oracle of a phase: the linear programme of wholeRun over the loads of
// the phase, with the chances in place of a model's.
func (e *emulation) optimum(c *chances, s scenario, phase string) *wholeRun {
	capacity := wholeMesh
	if phase == PhaseFault {
		capacity = faultyMesh
	}
	w := &wholeRun{n: len(e.services)}
	for _, at := range s.stretches(phase, e.wiring.services) {
		w.at = append(w.at, sampledOf(e.prospects(c, capacity, at.offered), at.weight))
	}
	return w
}

// budgets are one for each service, 1 where nothing is promised.
func (e *emulation) budgets(budget float64) []float64 {
	out := make([]float64, len(e.services))
	for i := range out {
		if out[i] = budget; math.IsInf(e.goal.Bound[i], 1) {
			out[i] = 1
		}
	}
	return out
}

// prospects are the actions of the grid at an offered load.
func (e *emulation) prospects(c *chances, capacity int, offered []float64) []prospect {
	n := len(offered)
	share, loads := make([]float64, n), make([]float64, n)
	out := make([]prospect, 0, len(c.routes)*len(e.blockings))
	for r, route := range c.routes {
		for _, blocking := range e.blockings {
			action := route.Clone()
			for k, v := range blocking {
				action[k].Value += v
			}
			cost := train.Admitted(share, e.knobs, e.names, action)
			for s := range loads {
				loads[s] = offered[s] * share[s]
			}
			p := prospect{value: e.goal.Value(offered, share, cost), broken: make([]float64, n)}
			c.at(p.broken, capacity, r, loads)
			out = append(out, p)
		}
	}
	return out
}

// stretch is a load that stays for a while.
type stretch struct {
	offered []float64 // by service of the rules
	weight  float64   // intervals
}

// stretches are the loads of a phase: where they change with every interval, every
// fourth stands for those about it.
func (s scenario) stretches(phase string, at []int) []stretch {
	const stride = 4
	from, to := s.span(phase)
	seconds := s.interval.Seconds()
	rates := make([]float64, len(s.graph.Services))
	var out []stretch
	for t := from + seconds; t <= to+1e-6; t += seconds {
		s.rates(t, rates)
		offered := make([]float64, len(at))
		for i, j := range at {
			offered[i] = rates[j]
		}
		if k := len(out); k > 0 && (slices.Equal(out[k-1].offered, offered) || s.smooth() && out[k-1].weight < stride) {
			out[k-1].weight++
			continue
		}
		out = append(out, stretch{offered, 1})
	}
	return out
}

// smooth reports whether the loads are sinusoids.
func (s scenario) smooth() bool { return s.seed%2 == 0 }

// describe says what the oracle of a report is.
func (c *chances) describe(e *emulation) string {
	if c == nil {
		if e.Graph.Retried() {
			return "none: callers send failed requests again, so a chance is not one of the admitted load alone"
		}
		return "none: too many settings and loads to sample"
	}
	return fmt.Sprintf("by phase, the linear programme over the run's loads and all settings; chances from %d intervals emulated at %d routes x %d admitted loads x %d capacities, %d or %d in a cell",
		c.intervals, len(c.routes), c.cells(), capacities, chanceFirst, chanceFirst+chanceMore)
}
