package backtest

import (
	"math"
	"slices"
	"time"

	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

// telling says how it is known what the mesh would have answered in an interval.
type telling int

const (
	blind    telling = iota // nothing fresh was measured, or not all loads
	beyond                  // the model has no data there, or cannot tell the effect of a setting
	modelled                // by the model
	factual                 // the settings were the same: as it was measured
)

// mesh is an imagined one: it answers to any settings.
type mesh struct {
	services []policy.Service
	knobs    []policy.Knob
	model    *model.System
	predict  *model.Predictor
	size     *model.Predictor // of the errors, spread's
	answered answered
	untold   []bool // by knob: history does not tell its effect
	spread   *spread
	interval time.Duration
	drawn    drawn
	lasting  []float64 // by service: what the model is taken to be wrong by all the time, a logarithm; nil: by nothing
	recorded bool      // errors are those of the time itself, where they are known

	known            []float64 // the settings of history that were known last
	offered          []float64
	latency, carried []float64
	was              []float64 // latency that the model says for the settings of history
	unit             []float64 // size of the errors
}

// answer is what is measured at the end of an interval in which the settings were live.
func (m *mesh) answer(iv *lifecycle.Interval, live policy.Action) (policy.State, telling) {
	ranks := m.drawn.advance()
	settled := iv.Reason == ""
	if iv.Settings != nil {
		m.known = iv.Settings.Values()
	}
	if settled && live.Equal(iv.Settings, policy.Rounding) {
		return iv.State, fresh(iv, factual)
	}
	copy(m.offered, iv.Row.Offered)
	if slices.ContainsFunc(m.offered, math.IsNaN) {
		return m.without(iv), blind
	}
	if m.recorded && settled {
		m.predict.Latency(m.was, iv.Row.Settings, m.offered)
		m.size.Latency(m.unit, iv.Row.Settings, m.offered)
		for s := range ranks {
			e := math.Log(iv.Row.Latency[s]/m.was[s]) / m.unit[s]
			if r := m.spread.services[s].rank(e, m.was[s]); !math.IsNaN(r) {
				ranks[s] = r
			}
		}
	}
	settings := live.Values()
	m.predict.Latency(m.latency, settings, m.offered)
	m.size.Latency(m.unit, settings, m.offered)
	for s := range m.latency {
		m.latency[s] *= math.Exp(m.unit[s] * m.spread.services[s].error(m.latency[s], ranks[s]))
		if m.lasting != nil {
			m.latency[s] *= math.Exp(m.lasting[s])
		}
		m.carried[s] = m.offered[s] * m.answered.share(s, settings)
	}
	return m.imagine(iv.State), fresh(iv, m.tells(settings))
}

// fresh is how much an interval tells, if something was measured anew in it.
func fresh(iv *lifecycle.Interval, as telling) telling {
	if slices.ContainsFunc(iv.Row.Latency, math.IsNaN) {
		return blind
	}
	return as
}

// tells reports whether the model can say anything of settings at the present load.
func (m *mesh) tells(settings []float64) telling {
	if !m.model.Supported(settings, m.offered) {
		return beyond
	}
	for k, untold := range m.untold {
		if untold && (m.known == nil || math.Abs(settings[k]-m.known[k]) > policy.Rounding) {
			return beyond
		}
	}
	return modelled
}

// imagine is a state with what the model says in place of what was measured. What it does
// not say is absent: it was measured under other settings.
func (m *mesh) imagine(state policy.State) policy.State {
	out := make(policy.State, len(state))
	copy(out, state)
	for i := range out {
		signal := &out[i]
		if signal.Status != policy.Valid || signal.Role == policy.RoleOffered {
			continue
		}
		s := m.service(signal.Service)
		switch {
		case s >= 0 && signal.Role == policy.RoleCarried:
			signal.Value = m.carried[s]
		case s >= 0 && signal.Name == latencyOf(m.services[s]) && !math.IsNaN(m.latency[s]):
			signal.Value = m.latency[s]
		default:
			signal.Value, signal.Status = 0, policy.Absent
		}
	}
	return out
}

// without is what was measured less all that follows from settings.
func (m *mesh) without(iv *lifecycle.Interval) policy.State {
	out := make(policy.State, len(iv.State))
	copy(out, iv.State)
	for i := range out {
		if out[i].Role != policy.RoleOffered && out[i].Status == policy.Valid {
			out[i].Value, out[i].Status = 0, policy.Absent
		}
	}
	return out
}

func (m *mesh) service(name string) int {
	for s := range m.services {
		if m.services[s].Name == name {
			return s
		}
	}
	return -1
}

// latencyOf is the signal of a service that a model predicts.
func latencyOf(s policy.Service) string {
	if len(s.Objectives) > 0 {
		return s.Objectives[0].Signal
	}
	return string(policy.RoleLatency)
}
