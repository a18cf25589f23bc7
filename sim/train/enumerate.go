package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/tabular"
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
	f, err := fit(m, d, trees, dataSHA256, seed)
	if err != nil {
		return nil, err
	}
	table, err := f.model.Tabulate(loads, f.goal.Signals)
	if err != nil {
		return nil, err
	}
	t := &Tabular{Model: f.model, Table: table, Card: f.card}
	t.Card.Policy = tabular.Name
	for i, fitted := range f.model.Fit {
		t.Card.Services[i].Loads = loads[i]
		table.Scales = append(table.Scales, fitted.Scale)
		table.Residuals = append(table.Residuals, margin.Quantiles(fitted.Units(), tailQuantiles))
	}
	first, err := Prices(f.goal, table, seed)
	if err != nil {
		return nil, err
	}
	for i, price := range first {
		t.Card.Services[i].Price = price
	}
	t.Card.BestStatic, err = Statics(f.goal, table, t.Tails())
	return t, err
}

// fitted is a system model with its goal, and a card of what is known without a table.
type fitted struct {
	goal  *Goal
	model *model.System
	card  Card
}

func fit(m *rules.Mesh, d *dataset.Dataset, trees model.TreeParams, dataSHA256 string, seed uint64) (*fitted, error) {
	goal, err := NewGoal(m, d.Services)
	if err != nil {
		return nil, err
	}
	system, err := model.FitSystem(d, m.Knobs(), trees, seed)
	if err != nil {
		return nil, err
	}
	_, configurations := d.Configurations()
	f := &fitted{goal, system, Card{
		Mesh: m.Name, Seed: seed, Knobs: system.Knobs, Settings: system.Settings,
		Data: Data{SHA256: dataSHA256, Rows: d.Rows(), Configurations: configurations},
	}}
	for i, s := range goal.Services {
		one := system.Fit[i]
		budget := goal.Budget[i]
		if math.IsInf(goal.Bound[i], 1) {
			budget = .05 // nothing is promised of it: a number for the reader only
		}
		f.card.Services = append(f.card.Services, ServiceCard{
			Service: s.Name, Signal: goal.Signals[i], Offered: system.Offered[i], R2: one.R2, R2Loads: one.R2Loads,
			Margin: one.FirstMargin(goal.Bound[i], budget), Spread: max(one.Spread(), margin.Defaults().MinSpread),
		})
	}
	return f, nil
}

// tailQuantiles are the residuals of a service that an artefact carries.
const tailQuantiles = 400

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
