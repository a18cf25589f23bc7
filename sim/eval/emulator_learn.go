package eval

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/search"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// Streams of random numbers of a run on the emulated mesh.
const (
	streamScenario = iota + 101
	streamSamples
	streamOracle
)

// exploration are so many meshes that are sampled side by side.
const exploration = 8

// sample tries random settings at random loads within the range, one interval each, on
// the mesh without its fault.
func (e *emulation) sample(seed uint64) (*dataset.Dataset, error) {
	out := dataset.Of(e.Rules.Name, e.Rules.Interval, e.knobs, e.services)
	for i := range exploration {
		if err := e.explore(out, rand.New(rand.NewPCG(seed, streamSamples+uint64(i)<<32)), e.samples/exploration); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// explore samples one mesh.
func (e *emulation) explore(to *dataset.Dataset, rng *rand.Rand, n int) error {
	seconds := e.Rules.Interval.Seconds()
	g := e.mesh
	g.Services = append([]emulator.Service(nil), g.Services...)
	for i, r := range e.Graph.Loads {
		at, rates := make([]float64, n), make([]float64, n)
		for t := range at {
			at[t], rates[t] = float64(t)*seconds, r.Least+(r.Most-r.Least)*rng.Float64()
		}
		process, err := load.NewSteps(at, rates)
		if err != nil {
			return err
		}
		g.Services[i].Load = process
	}
	em, err := emulator.New(emulator.Options{Graph: g, Seed: rng.Uint64(), SettleSeconds: e.Graph.SettleSeconds})
	if err != nil {
		return err
	}
	meter, err := NewMeter(em, e.Rules.Interval, e.Graph.Scrape, emulatorQuantile)
	if err != nil {
		return err
	}
	readings := make([]Reading, len(g.Services))
	for range n {
		values := make([]float64, len(e.knobs))
		for _, axis := range e.axes {
			copy(values[axis.First:], axis.Values[rng.IntN(len(axis.Values))])
		}
		action := policy.Quantise(e.action(values))
		row := dataset.Row{Settings: action.Values()}
		if err := em.Apply(meter.Now(), e.wiring.settings(em.Settings(), action)); err != nil {
			return err
		}
		meter.Advance(readings)
		for i := range e.services {
			r := readings[e.wiring.services[i]]
			row.Offered, row.Carried, row.Latency = append(row.Offered, r.Offered), append(row.Carried, r.Carried), append(row.Latency, r.Latency)
		}
		if err := to.Append(row); err != nil {
			return err
		}
	}
	return nil
}

// action is the settings of knobs.
func (e *emulation) action(values []float64) policy.Action {
	out := make(policy.Action, len(values))
	for k, v := range values {
		out[k] = policy.Setting{KnobID: e.knobs[k].KnobID, Value: v}
	}
	return out
}

// learnt is what a policy knows of the mesh before a run.
type learnt struct {
	artefact []byte
	model    []byte
	faulty   []byte // while the fault lasts; ControllerTrue only
	card     train.Card
	fits     []model.Fit // by service
	prices   [][]float64 // of violations, by budget and service; nil: no controller has to know
}

// learn fits the model to a sample, and makes the policy of it.
func (e *emulation) learn(seed uint64) (learnt, error) {
	d, err := e.sample(seed)
	if err != nil {
		return learnt{}, err
	}
	return e.learnFrom(d, seed)
}

// learnFrom is learn from data.
func (e *emulation) learnFrom(d *dataset.Dataset, seed uint64) (learnt, error) {
	if e.policy == search.Name {
		s, err := train.FitSearched(e.Rules, d, "", seed)
		if err != nil {
			return learnt{}, err
		}
		artefact, err := s.Model.Encode()
		return learnt{artefact: artefact, model: artefact, card: s.Card, fits: s.Model.Fit}, err
	}
	t, err := train.EnumerateTabularAt(e.Rules, d, train.LoadGrid(d), model.TreeParamsFor(d.Rows()), "", seed)
	if err != nil {
		return learnt{}, err
	}
	l := learnt{card: t.Card, fits: t.Model.Fit}
	if slices.ContainsFunc(e.controllers, func(c Controller) bool { return c.priced }) {
		for _, b := range e.Budgets {
			goal := *e.goal
			goal.Budget = e.budgets(b)
			prices, err := train.Prices(&goal, t.Table, seed)
			if err != nil {
				return learnt{}, err
			}
			l.prices = append(l.prices, prices)
		}
	}
	if l.model, err = t.Model.Encode(); err != nil {
		return learnt{}, err
	}
	l.artefact, err = t.Table.Encode()
	return l, err
}

// mostActions are enumerated; where there are more, they are searched.
const mostActions = 20000

// searchEvaluations are as many as a run of thousands of decisions can afford.
const searchEvaluations = 1500

// configured returns the policy that has learnt.
func (e *emulation) configured(ctx context.Context, l learnt, settings string) (policy.Policy, error) {
	var p policy.Policy = tabular.New()
	if e.policy == search.Name {
		p = search.New()
	}
	return p, p.Configure(ctx, policy.Config{Artefact: l.artefact, Settings: []byte(e.settings(settings))})
}

// settings are those of the policy, JSON, for a controller's own.
func (e *emulation) settings(of string) string {
	if e.policy == search.Name {
		return fmt.Sprintf(`{"evaluations": %d}`, searchEvaluations)
	}
	return of
}

// initial is what the model says of an objective with this one of the budgets before
// anything is measured of it.
func (e *emulation) initial(l learnt, budget int) func(service, signal string) margin.Calibration {
	return func(service, signal string) margin.Calibration {
		first := l.card.Initial(service, signal)
		for i, s := range e.services {
			if s.Name == service {
				first.Margin, first.Price = l.fits[i].FirstMargin(e.goal.Bound[i], e.Budgets[budget]), 0
				if l.prices != nil {
					first.Price = l.prices[budget][i]
				}
			}
		}
		return first
	}
}
