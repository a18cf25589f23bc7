package train

import (
	"fmt"
	"math"
	"slices"

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
// the loads of the data: those that were visited, or at most maxLoads evenly spaced
// ones where the load was continuous.
func EnumerateTabular(m *rules.Mesh, d *dataset.Dataset, dataSHA256 string, seed uint64) (*Tabular, error) {
	system, err := model.FitSystem(d, m.Knobs(), model.DefaultTreeParams(), seed)
	if err != nil {
		return nil, err
	}
	signals, err := Signals(m, d.Services)
	if err != nil {
		return nil, err
	}
	table, err := system.Tabulate(LoadGrid(d), signals)
	if err != nil {
		return nil, err
	}
	_, configurations := d.Configurations()
	card := Card{
		Policy: "tabular", Mesh: m.Name, Seed: seed, Knobs: system.Knobs, Settings: system.Settings,
		Data: Data{SHA256: dataSHA256, Rows: d.Rows(), Configurations: configurations},
	}
	for i, s := range m.PolicyServices() {
		f := system.Fit[i]
		budget := .05
		if len(s.Objectives) > 0 {
			budget = s.Objectives[0].Budget
		}
		card.Services = append(card.Services, ServiceCard{
			Service: s.Name, Signal: signals[i], Offered: system.Offered[i], R2: f.R2,
			Margin: f.Quantile(1 - budget), Spread: spread(f),
		})
	}
	return &Tabular{Model: system, Table: table, Card: card}, nil
}

// Signals returns, by service, the latency signal that its objective is about.
func Signals(m *rules.Mesh, services []string) ([]string, error) {
	all := m.PolicyServices()
	if len(all) != len(services) {
		return nil, fmt.Errorf("train: the rules have %d services, the dataset %v; they must be the same", len(all), services)
	}
	out := make([]string, len(all))
	for i, s := range all {
		if s.Name != services[i] {
			return nil, fmt.Errorf("train: the rules have service %s, the dataset %s; names must agree", s.Name, services[i])
		}
		out[i] = "latency"
		if len(s.Objectives) > 0 {
			out[i] = s.Objectives[0].Signal
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

// maxLoads bounds the loads of one service in a table.
const maxLoads = 16

// LoadGrid returns, by service, the loads at which a table is made. Loads that
// cluster (a ladder that was visited again and again, with measurement noise) give
// the means of the clusters; other data give maxLoads evenly spaced loads.
func LoadGrid(d *dataset.Dataset) [][]float64 {
	out := make([][]float64, len(d.Services))
	for s, column := range d.Offered {
		sorted := make([]float64, 0, len(column))
		for _, v := range column {
			if !math.IsNaN(v) {
				sorted = append(sorted, v)
			}
		}
		slices.Sort(sorted)
		out[s] = ladder(sorted)
	}
	return out
}

// ladder parts sorted loads where two neighbours are further apart than a twentieth
// of the range; with at most maxLoads parts, each narrow, they are a ladder.
func ladder(sorted []float64) []float64 {
	if len(sorted) == 0 {
		return nil
	}
	low, high := sorted[0], sorted[len(sorted)-1]
	gap := (high - low) / 20
	var means []float64
	narrow := true
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && sorted[to]-sorted[to-1] <= gap {
			to++
		}
		sum := 0.0
		for _, v := range sorted[from:to] {
			sum += v
		}
		means = append(means, sum/float64(to-from))
		narrow = narrow && sorted[to-1]-sorted[from] <= 5*gap
		from = to
	}
	if len(means) >= 3 && len(means) <= maxLoads && narrow {
		// The ends reach over all of the data, so that no measured load is outside.
		means[0], means[len(means)-1] = low, high
		return means
	}
	even := make([]float64, maxLoads)
	for i := range even {
		even[i] = low + (high-low)*float64(i)/float64(maxLoads-1)
	}
	return slices.Compact(even)
}
