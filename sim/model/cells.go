package model

import (
	"errors"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// Cells is the trivial model: the mean latency of each configuration in each region of
// the offered loads (see LoadRegions). It knows nothing between cells: where it has no
// support, it answers with the mean of the nearest ones, in the same region of loads.
type Cells struct {
	loads LoadRegions
	cells [][]cell  // by region of the loads
	knobs []float64 // ranges of the knobs
}

// cell is one configuration in one region; sums and counts are by service.
type cell struct {
	settings, sum, count []float64
}

// FitCells averages the rows whose offered loads are all known.
func FitCells(d *dataset.Dataset, knobs []policy.Knob) (*Cells, error) {
	if err := identifiable(d, knobs); err != nil {
		return nil, err
	}
	config, _ := d.Configurations()
	c := &Cells{loads: NewLoadRegions(d)}
	if len(c.loads.Centres) == 0 {
		return nil, errors.New("model: no row has all offered loads; collect them too")
	}
	for _, k := range knobs {
		c.knobs = append(c.knobs, Span{k.Min, k.Max}.width())
	}
	c.cells = make([][]cell, len(c.loads.Centres))
	known := map[[2]int]int{} // configuration and region to the cell's place
	for _, row := range knownLoads(d) {
		r := c.loads.At(at(d.Offered, row))
		i, ok := known[[2]int{config[row], r}]
		if !ok {
			i = len(c.cells[r])
			known[[2]int{config[row], r}] = i
			c.cells[r] = append(c.cells[r], cell{at(d.Settings, row), make([]float64, len(d.Services)), make([]float64, len(d.Services))})
		}
		for s, latency := range d.Latency {
			if v := latency[row]; v > 0 {
				c.cells[r][i].sum[s] += v
				c.cells[r][i].count[s]++
			}
		}
	}
	return c, nil
}

// Latency writes each service's latency (seconds) into out; NaN where none was measured
// in the region of the loads. Supported says whether the configuration itself was.
func (c *Cells) Latency(out, settings, offered []float64) (supported bool) {
	cells := c.cells[c.loads.At(offered)]
	const near = 1e-9
	for s := range out {
		least, sum, count := math.Inf(1), 0.0, 0.0
		for i := range cells {
			of := &cells[i]
			if of.count[s] == 0 {
				continue
			}
			away := 0.0
			for k, v := range settings {
				away += math.Abs(v-of.settings[k]) / c.knobs[k]
			}
			if away < least-near {
				least, sum, count = away, 0, 0
			}
			if away <= least+near {
				sum += of.sum[s] / of.count[s]
				count++
			}
		}
		out[s] = sum / count
		supported = (s == 0 || supported) && least <= near
	}
	return supported
}
