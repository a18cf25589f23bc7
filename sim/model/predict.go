package model

import "math"

// Predictor evaluates a System without allocating. It is for one goroutine.
type Predictor struct {
	model   *System
	x       []float64
	latency []evaluator // by service
}

// Predictor returns a new predictor.
func (m *System) Predictor() *Predictor {
	m.once.Do(func() {
		for _, trees := range m.Trees {
			m.masks = append(m.masks, newMasks(trees))
		}
	})
	p := &Predictor{model: m, x: make([]float64, m.features.size())}
	for s, trees := range m.Trees {
		p.latency = append(p.latency, newEvaluator(trees, m.masks[s]))
	}
	return p
}

// Latency writes each service's expected latency (seconds) into out. Settings are
// in the order of the knobs, loads in the order of the services.
func (p *Predictor) Latency(out, settings, offered []float64) {
	p.model.features.fill(p.x, settings, offered)
	for s := range p.latency {
		out[s] = math.Exp(p.latency[s].at(p.x))
	}
}

// Carried writes each service's expected carried load (requests/s, as it was
// measured) into out; NaN where it was never measured.
func (p *Predictor) Carried(out, settings, offered []float64) {
	p.model.features.fill(p.x, settings, offered)
	for s, trees := range p.model.Carriers {
		if out[s] = math.NaN(); len(trees.Roots) > 0 {
			out[s] = math.Max(0, trees.Predict(p.x))
		}
	}
}

// Supported reports whether the settings and loads lie within the data that the
// model was fitted on. Outside, it promises nothing.
func (m *System) Supported(settings, offered []float64) bool {
	for k, v := range settings {
		if !(v >= m.Settings[k].Min-1e-9 && v <= m.Settings[k].Max+1e-9) {
			return false
		}
	}
	for s, v := range offered {
		if !(v >= m.Offered[s].Min && v <= m.Offered[s].Max) {
			return false
		}
	}
	return true
}
