package backtest

import (
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// answered is which share of the offered load is carried, by service and level of its blocking.
// It is measured: what is blocked is not always what a level says, and not all that is admitted
// is answered.
type answered struct {
	knob   []int           // by service: its blocking's place, or -1
	levels [][]answerLevel // by service, ascending
}

// answerLevel is a level of blocking at which something was measured: the median of the
// intervals' shares, which those do not move in which the mesh was overloaded.
type answerLevel struct {
	blocking float64
	shares   []float64
	share    float64
}

func newAnswered(d *dataset.Dataset, knobs []policy.Knob) answered {
	var out answered
	for s, name := range d.Services {
		k := slices.IndexFunc(knobs, func(k policy.Knob) bool { return k.Kind == policy.Blocking && k.Service == name })
		var levels []answerLevel
		for row := range d.Rows() {
			carried, offered, at := d.Carried[s][row], d.Offered[s][row], 0.
			if k >= 0 {
				at = math.Round(100*d.Settings[k][row]) / 100
			}
			if !(offered > 0) || math.IsNaN(carried) {
				continue
			}
			i, found := slices.BinarySearchFunc(levels, at, func(l answerLevel, at float64) int {
				switch {
				case l.blocking < at:
					return -1
				case l.blocking > at:
					return 1
				}
				return 0
			})
			if !found {
				levels = slices.Insert(levels, i, answerLevel{blocking: at})
			}
			levels[i].shares = append(levels[i].shares, math.Min(1, carried/offered))
		}
		for i, l := range levels {
			slices.Sort(l.shares)
			levels[i].share, levels[i].shares = l.shares[len(l.shares)/2], nil
		}
		out.knob, out.levels = append(out.knob, k), append(out.levels, levels)
	}
	return out
}

// share is that of a service under settings: between two levels as much as lies between them;
// NaN where it was never measured.
func (a answered) share(service int, settings []float64) float64 {
	levels, at := a.levels[service], 0.
	if k := a.knob[service]; k >= 0 {
		at = settings[k]
	}
	if len(levels) == 0 {
		return math.NaN()
	}
	above := slices.IndexFunc(levels, func(l answerLevel) bool { return l.blocking >= at })
	switch {
	case above == 0:
		return levels[0].share
	case above < 0:
		return levels[len(levels)-1].share
	}
	low, high := levels[above-1], levels[above]
	part := (at - low.blocking) / (high.blocking - low.blocking)
	return low.share + part*(high.share-low.share)
}
