package search

import (
	"fmt"
	"math"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/model"
)

// learned evaluates the system model. A service's trees are asked when its ratio is,
// so that a choice that breaks a bound costs the trees of one service, not of all.
// Which services a choice touches the trees do not tell: all of them.
type learned struct {
	predict []*model.Predictor // by service: of its latency only
	judge   []margin.Judge     // by service: of its objectives only
	signals []string           // by service: what is predicted; empty without an objective
	all     []int32            // services with an objective
	offered []float64          // by service, requests/s, within the data

	action   policy.Action // the choices, and the same as numbers
	settings []float64
	parts    []knobs

	now, old ratios
	same     bool // the last Set changed nothing
	undo     struct {
		part   int
		values []float64
	}
	latency []float64
}

var _ Evaluator = (*learned)(nil)

// ratios are what is known of the services at one set of choices.
type ratios struct {
	value []float64
	known []bool
}

// knobs is what a part's choices set.
type knobs struct {
	at     []int       // positions in the action
	values [][]float64 // [choice][knob of the part]
}

// newLearned returns an evaluator of a model; it has to be started.
func newLearned(m *model.System) (*learned, error) {
	n := len(m.Services)
	l := &learned{
		judge: make([]margin.Judge, n), signals: make([]string, n), all: make([]int32, 0, n),
		offered: make([]float64, n), settings: make([]float64, len(m.Knobs)), latency: make([]float64, n),
		now: ratios{make([]float64, n), make([]bool, n)}, old: ratios{make([]float64, n), make([]bool, n)},
	}
	l.undo.values = make([]float64, len(m.Knobs))
	services := make([]policy.Service, n)
	for s, name := range m.Services {
		services[s].Name = name
	}
	terms, scales := policy.NewTerms(m.Knobs, services), m.Scales()
	for s := range m.Services {
		one, err := only(m, s)
		if err != nil {
			return nil, err
		}
		l.predict = append(l.predict, one.Predictor())
		l.judge[s].Terms, l.judge[s].Scales = terms, scales
	}
	return l, nil
}

// only returns a model that knows the latency of one service, so that a prediction of
// it costs nothing for the others.
func only(m *model.System, service int) (*model.System, error) {
	none := &model.Ensemble{Features: m.Trees[service].Features}
	one := &model.System{Knobs: m.Knobs, Services: m.Services, Offered: m.Offered, Settings: m.Settings}
	for s := range m.Services {
		one.Trees, one.Carriers = append(one.Trees, none), append(one.Carriers, none)
		if s == service {
			one.Trees[s] = m.Trees[s]
		}
	}
	b, err := one.Encode()
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return model.DecodeSystem(b)
}

// observe reads what the host knows of the model's errors. live is the prediction for
// the live action, nil where it has no support.
func (l *learned) observe(o *policy.Observation, offered, live []float64) {
	signals := make([]string, len(l.signals))
	l.all = l.all[:0]
	for s, service := range o.Services {
		l.signals[s] = ""
		for _, objective := range service.Objectives {
			if objective.Kind == policy.LatencyObjective {
				l.signals[s] = objective.Signal // the model is of the first, as sim/train makes it
				break
			}
		}
		if l.signals[s] != "" {
			l.all = append(l.all, int32(s))
		}
		signals[s] = l.signals[s]
		l.judge[s].Begin(o, signals, offered, live)
		signals[s] = ""
	}
}

// start begins a decision at the choices that are in force.
func (l *learned) start(live policy.Action, parts []Part, sets []knobs) {
	l.action, l.parts = live.Clone(), sets
	for i, set := range sets {
		for k, at := range set.at {
			l.action[at].Value = set.values[parts[i].Start][k]
		}
	}
	for k := range l.action {
		l.settings[k] = l.action[k].Value
	}
	clear(l.now.known)
}

// Set implements Evaluator.
func (l *learned) Set(part, choice int) []int32 {
	p, u := &l.parts[part], &l.undo
	values := p.values[choice]
	u.part, l.same = part, true
	for i, at := range p.at {
		u.values[i] = l.settings[at]
		l.same = l.same && l.settings[at] == values[i]
		l.settings[at], l.action[at].Value = values[i], values[i]
	}
	if !l.same {
		l.now, l.old = l.old, l.now
		clear(l.now.known)
	}
	return l.all
}

// Undo implements Evaluator.
func (l *learned) Undo() {
	if l.same {
		return
	}
	for i, at := range l.parts[l.undo.part].at {
		l.settings[at], l.action[at].Value = l.undo.values[i], l.undo.values[i]
	}
	l.now, l.old = l.old, l.now
	l.same = true
}

// Ratio implements Evaluator.
func (l *learned) Ratio(service int) float64 {
	if !l.now.known[service] {
		l.predict[service].Latency(l.latency, l.settings, l.offered)
		l.now.value[service], l.now.known[service] = l.excess(service, l.latency, l.action), true
	}
	return l.now.value[service]
}

// excess is the ratio of one service for predictions of an action; infinite where
// they are of no use.
func (l *learned) excess(service int, latency []float64, a policy.Action) float64 {
	if l.signals[service] == "" {
		return 0
	}
	_, excess := l.judge[service].Weigh(latency, a)
	if math.IsNaN(excess) {
		return math.Inf(1)
	}
	return excess
}

// trees is how many an evaluation of all services asks.
func trees(m *model.System) int {
	n := 0
	for _, e := range m.Trees {
		n += len(e.Roots)
	}
	return n
}

// within reports whether each value lies in the data behind its knob.
func within(m *model.System, at []int, values []float64) bool {
	for i, k := range at {
		if !(values[i] >= m.Settings[k].Min-tiny && values[i] <= m.Settings[k].Max+tiny) {
			return false
		}
	}
	return true
}
