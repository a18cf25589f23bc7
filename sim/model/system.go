package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// System predicts, for each service, the latency signal of its objective from
// settings and offered loads, with the spread of its error on configurations that
// it has not seen, and says where it has data.
type System struct {
	Knobs    []policy.Knob
	Services []string
	Trees    []*Ensemble // by service: seconds
	Offered  []Span      // by service: loads in the data, requests/s
	Settings []Span      // by knob: settings in the data
	Fit      []Fit       // by service

	features features
}

// Span is a closed range.
type Span struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

// Fit says how good the model of one service is where its configuration was held out.
type Fit struct {
	Service   string    `json:"service"`
	Rows      int       `json:"rows"`
	R2        float64   `json:"r2"`        // configurations held out
	Residuals []float64 `json:"residuals"` // measured/predicted - 1, configurations held out, in the order of the data
}

// folds of the cross-validation by configuration.
const folds = 5

// FitSystem fits a model on a dataset. The knobs say what the dataset's settings
// belong to. Cross-validation holds out whole configurations, drawn by seed:
// neighbouring rows of one configuration would tell each other's answer. It is an
// error if the dataset lacks a knob or a service, if a knob never moved, or if a
// service was measured too seldom.
func FitSystem(d *dataset.Dataset, knobs []policy.Knob, p TreeParams, seed uint64) (*System, error) {
	if err := identifiable(d, knobs); err != nil {
		return nil, err
	}
	f, err := newFeatures(knobs, d.Services)
	if err != nil {
		return nil, err
	}
	m := &System{Knobs: knobs, Services: d.Services, features: f}
	for _, c := range d.Settings {
		m.Settings = append(m.Settings, Span{slices.Min(c), slices.Max(c)})
	}
	for _, c := range d.Offered {
		m.Offered = append(m.Offered, spanOf(c))
	}
	m.Trees = make([]*Ensemble, len(d.Services))
	m.Fit = make([]Fit, len(d.Services))
	foldOf := drawFolds(d, seed)
	var group sync.WaitGroup
	errs := make([]error, len(d.Services))
	for s := range d.Services {
		group.Go(func() { errs[s] = m.fitService(d, s, p, foldOf) })
	}
	group.Wait()
	for s, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", d.Services[s], err)
		}
	}
	return m, nil
}

// identifiable checks that the data can tell the effect of each knob.
func identifiable(d *dataset.Dataset, knobs []policy.Knob) error {
	if len(knobs) != len(d.Knobs) {
		return fmt.Errorf("model: the dataset has the knobs %v, the rules have %d knobs; they must be the same", d.Knobs, len(knobs))
	}
	for i, k := range knobs {
		if d.Knobs[i] != k.KnobID {
			return fmt.Errorf("model: the dataset's knob %s is %s in the rules; names must agree", d.Knobs[i], k.KnobID)
		}
		if d.Rows() > 0 && slices.Min(d.Settings[i]) == slices.Max(d.Settings[i]) && k.Min < k.Max {
			return fmt.Errorf("model: %s never moved in the data (always %g), so its effect cannot be known; collect data that move it, or fix it in the rules",
				k.KnobID, d.Settings[i][0])
		}
	}
	return nil
}

func spanOf(column []float64) Span {
	s := Span{math.Inf(1), math.Inf(-1)}
	for _, v := range column {
		if !math.IsNaN(v) {
			s.Min, s.Max = math.Min(s.Min, v), math.Max(s.Max, v)
		}
	}
	return s
}

func drawFolds(d *dataset.Dataset, seed uint64) []int {
	config, n := d.Configurations()
	order := rand.New(rand.NewPCG(seed, 0)).Perm(n)
	out := make([]int, len(config))
	for row, c := range config {
		out[row] = order[c] % folds
	}
	return out
}

// fitService fits one service's trees, and its residuals with each fold held out.
func (m *System) fitService(d *dataset.Dataset, s int, p TreeParams, foldOf []int) error {
	rows := make([]int, 0, d.Rows())
	for row := range d.Rows() {
		known := !math.IsNaN(d.Latency[s][row])
		for i := range d.Services {
			known = known && !math.IsNaN(d.Offered[i][row])
		}
		if known {
			rows = append(rows, row)
		}
	}
	columns, y := m.matrix(d, s, rows)
	trees, err := FitTrees(columns, y, p)
	if err != nil {
		return err
	}
	m.Trees[s] = trees
	predicted := make([]float64, len(rows))
	for fold := range folds {
		var train, test []int
		for i, row := range rows {
			if foldOf[row] == fold {
				test = append(test, i)
			} else {
				train = append(train, i)
			}
		}
		if len(test) == 0 {
			continue
		}
		c, v := pick(columns, y, train)
		e, err := FitTrees(c, v, p)
		if err != nil {
			return fmt.Errorf("cross-validation: %w", err)
		}
		x := make([]float64, len(columns))
		for _, i := range test {
			for f := range columns {
				x[f] = columns[f][i]
			}
			predicted[i] = e.Predict(x)
		}
	}
	m.Fit[s] = fitOf(d.Services[s], y, predicted)
	return nil
}

// matrix returns the features [feature][row] and the latencies of the given rows.
func (m *System) matrix(d *dataset.Dataset, s int, rows []int) (columns [][]float64, y []float64) {
	n := m.features.size()
	columns = make([][]float64, n)
	for f := range columns {
		columns[f] = make([]float64, len(rows))
	}
	settings, offered, x := make([]float64, len(m.Knobs)), make([]float64, len(m.Services)), make([]float64, n)
	for i, row := range rows {
		for k := range settings {
			settings[k] = d.Settings[k][row]
		}
		for j := range offered {
			offered[j] = d.Offered[j][row]
		}
		m.features.fill(x, settings, offered)
		for f, v := range x {
			columns[f][i] = v
		}
		y = append(y, d.Latency[s][row])
	}
	return columns, y
}

func pick(columns [][]float64, y []float64, rows []int) ([][]float64, []float64) {
	c := make([][]float64, len(columns))
	for f := range columns {
		c[f] = make([]float64, len(rows))
		for i, row := range rows {
			c[f][i] = columns[f][row]
		}
	}
	v := make([]float64, len(rows))
	for i, row := range rows {
		v[i] = y[row]
	}
	return c, v
}

func fitOf(service string, y, predicted []float64) Fit {
	f := Fit{Service: service, Rows: len(y)}
	mean, within, all := 0.0, 0.0, 0.0
	for _, v := range y {
		mean += v / float64(len(y))
	}
	for i, v := range y {
		within += (v - predicted[i]) * (v - predicted[i])
		all += (v - mean) * (v - mean)
		if predicted[i] > 0 {
			f.Residuals = append(f.Residuals, v/predicted[i]-1)
		}
	}
	if all > 0 {
		f.R2 = 1 - within/all
	}
	return f
}

// Quantile returns the q quantile of a service's held-out relative residuals, 0 < q < 1.
func (f Fit) Quantile(q float64) float64 {
	sorted := slices.Sorted(slices.Values(f.Residuals))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))]
}

// Predictor evaluates a System without allocating. It is for one goroutine.
type Predictor struct {
	model *System
	x     []float64
}

// Predictor returns a new predictor.
func (m *System) Predictor() *Predictor {
	return &Predictor{model: m, x: make([]float64, m.features.size())}
}

// Latency writes each service's expected latency (seconds) into out. Settings are
// in the order of the knobs, loads in the order of the services.
func (p *Predictor) Latency(out, settings, offered []float64) {
	p.model.features.fill(p.x, settings, offered)
	for s, trees := range p.model.Trees {
		out[s] = trees.Predict(p.x)
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
