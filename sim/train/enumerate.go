package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

// Tabular is a trained tabular policy.
type Tabular struct {
	Model *model.System
	Table *model.Table
	Card  Card
}

// EnumerateTabular fits the system model and predicts every action of the grid at
// the loads of LoadGrid. It is an error if the dataset has other knobs or services
// than the rules, or cannot tell the effect of a knob.
func EnumerateTabular(m *rules.Mesh, d *dataset.Dataset, dataSHA256 string, seed uint64) (*Tabular, error) {
	return EnumerateTabularAt(m, d, LoadGrid(d), model.TreeParamsFor(d.Rows()), dataSHA256, seed)
}

// EnumerateTabularAt is EnumerateTabular at loads of the caller's (by service,
// ascending, requests/s), with trees of the caller's.
func EnumerateTabularAt(m *rules.Mesh, d *dataset.Dataset, loads [][]float64, trees model.TreeParams, dataSHA256 string, seed uint64) (*Tabular, error) {
	goal, err := NewGoal(m, d.Services)
	if err != nil {
		return nil, err
	}
	system, err := model.FitSystem(d, m.Knobs(), trees, seed)
	if err != nil {
		return nil, err
	}
	table, err := system.Tabulate(loads, goal.Signals)
	if err != nil {
		return nil, err
	}
	_, configurations := d.Configurations()
	card := Card{
		Policy: "tabular", Mesh: m.Name, Seed: seed, Knobs: system.Knobs, Settings: system.Settings,
		Data: Data{SHA256: dataSHA256, Rows: d.Rows(), Configurations: configurations},
	}
	for i, s := range goal.Services {
		f := system.Fit[i]
		budget := goal.Budget[i]
		if math.IsInf(goal.Bound[i], 1) {
			budget = .05 // nothing is promised of it: a number for the reader only
		}
		card.Services = append(card.Services, ServiceCard{
			Service: s.Name, Signal: goal.Signals[i], Offered: system.Offered[i], Loads: loads[i], R2: f.R2,
			Margin: f.Quantile(1 - budget), Spread: spread(f),
		})
		table.Residuals = append(table.Residuals, margin.Quantiles(f.Residuals, tailQuantiles))
	}
	first, err := Prices(goal, table, Survival(table), seed)
	if err != nil {
		return nil, err
	}
	for i, price := range first {
		card.Services[i].Price = price
	}
	t := &Tabular{Model: system, Table: table, Card: card}
	t.Card.BestStatic, err = Statics(goal, table, t.Tails())
	return t, err
}

// tailQuantiles are the residuals of a service that an artefact carries.
const tailQuantiles = 400

// Survival returns, by service, the smoothed distribution of the residuals that a
// table carries; unknown where it carries none.
func Survival(t *model.Table) []margin.Tail {
	out := make([]margin.Tail, len(t.Services))
	for s, r := range t.Residuals {
		out[s] = margin.NewTail(r)
	}
	return out
}

// Tails returns, by service, the distribution of the residuals on configurations
// held out.
func (t *Tabular) Tails() []Tail {
	var out []Tail
	for _, f := range t.Model.Fit {
		out = append(out, NewTail(f.Residuals))
	}
	return out
}

// Signals returns, by service, the latency signal that its objective is about.
func Signals(m *rules.Mesh, services []string) ([]string, error) {
	all := m.PolicyServices()
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, services) {
		return nil, fmt.Errorf("train: the rules have the services %v, the dataset %v; they must be the same", names, services)
	}
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = "latency"
		for _, o := range s.Objectives {
			if o.Kind == policy.LatencyObjective {
				out[i] = o.Signal
				break
			}
		}
	}
	return out, nil
}

func spread(f model.Fit) float64 {
	abs := make([]float64, 0, len(f.Residuals))
	for _, r := range f.Residuals {
		abs = append(abs, math.Abs(r))
	}
	slices.Sort(abs)
	if len(abs) == 0 {
		return margin.Defaults().MinSpread
	}
	return abs[int(.9*float64(len(abs)-1))]
}
