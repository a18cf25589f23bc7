package eval

import (
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

// corrected is a model with what it has learned live. It is for one goroutine.
type corrected struct {
	model      latencyModel
	correction string

	// flows
	params margin.Params
	terms  policy.Terms
	unit   float64 // of the flows, requests/s
	flows  []margin.Correction
	x      []float64
	action policy.Action

	// capacity
	queue           *model.Queue
	filter          *model.CapacityFilter
	capacity, units []float64
	was, is, ratio  []float64
}

func newCorrected(m *rules.Mesh, learned *dataset.Dataset, f fittedModels, name, correction string) *corrected {
	n := len(learned.Services)
	c := &corrected{
		model: f.by[name], correction: correction,
		params: margin.Defaults(), terms: policy.NewTerms(m.Knobs(), m.PolicyServices()), flows: make([]margin.Correction, n),
		queue: f.queue, filter: model.NewCapacityFilter(f.queue), capacity: slices.Clone(f.units), units: f.units,
		was: make([]float64, n), is: make([]float64, n), ratio: make([]float64, n),
	}
	for _, offered := range learned.Offered {
		for _, v := range offered {
			if v > c.unit {
				c.unit = v
			}
		}
	}
	c.x, c.action = make([]float64, c.terms.Len()), make(policy.Action, len(learned.Knobs))
	return c
}

func (c *corrected) fill(settings, offered []float64) {
	for k, v := range settings {
		c.action[k].Value = v
	}
	c.terms.Fill(c.x, offered, c.action)
	for i := range (len(c.x) - 1) / 2 {
		c.x[1+i] /= c.unit
	}
}

// predict is the model under its correction.
func (c *corrected) predict(out, settings, offered []float64) {
	c.model(out, settings, offered)
	switch c.correction {
	case CorrectionFlows:
		c.fill(settings, offered)
		for s := range out {
			out[s] *= math.Exp(c.flows[s].Log(c.x))
		}
	case CorrectionCapacity:
		c.queue.Latency(c.was, c.units, settings, offered)
		c.queue.Latency(c.is, c.capacity, settings, offered)
		for s := range out {
			out[s] *= c.is[s] / c.was[s]
		}
	}
}

// learn takes one interval.
func (c *corrected) learn(live *dataset.Dataset, row int) {
	settings, offered := make([]float64, len(live.Knobs)), make([]float64, len(live.Services))
	for k, v := range live.Settings {
		settings[k] = v[row]
	}
	for s, v := range live.Offered {
		offered[s] = v[row]
	}
	c.model(c.ratio, settings, offered)
	for s, v := range c.ratio {
		c.ratio[s] = live.Latency[s][row] / v
	}
	if c.correction == CorrectionCapacity {
		c.filter.Learn(settings, offered, c.ratio)
		c.filter.Capacity(c.capacity)
		return
	}
	c.fill(settings, offered)
	for s, r := range c.ratio {
		if r > 0 {
			c.flows[s] = c.flows[s].Learn(c.params, r, c.x)
		}
	}
}
