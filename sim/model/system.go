package model

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// System predicts, for each service, the latency signal of its objective and the
// carried load from settings and offered loads, with the spread of its error on
// configurations that it has not seen, and says where it has data.
type System struct {
	Knobs    []policy.Knob
	Services []string
	Trees    []*Ensemble // by service: seconds
	Carriers []*Ensemble // by service: carried load as it was measured, requests/s; without trees where it was not
	Offered  []Span      // by service: loads in the data, requests/s
	Settings []Span      // by knob: settings in the data
	Fit      []Fit       // by service; empty after FitMean

	features features
	once     sync.Once
	masks    []*masks // by service; made once, when somebody predicts
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
	At        []int32   `json:"at"`        // the row of each residual
}

// folds of the cross-validation by configuration.
const folds = 5

// FitSystem fits a model on a dataset. The knobs say what the dataset's settings
// belong to. Cross-validation holds out whole configurations, drawn by seed:
// neighbouring rows of one configuration would tell each other's answer. It is an
// error if the dataset lacks a knob or a service, if a knob never moved, or if a
// service was measured too seldom.
func FitSystem(d *dataset.Dataset, knobs []policy.Knob, p TreeParams, seed uint64) (*System, error) {
	m, err := newSystem(d, knobs)
	if err != nil {
		return nil, err
	}
	m.Fit = make([]Fit, len(d.Services))
	return m, m.fit(d, p, drawFolds(d, seed))
}

// FitMean is FitSystem without the cross-validation: a sixth of its work, and no
// Fit. It is for a truth that judges others and promises nothing of itself.
func FitMean(d *dataset.Dataset, knobs []policy.Knob, p TreeParams) (*System, error) {
	m, err := newSystem(d, knobs)
	if err != nil {
		return nil, err
	}
	return m, m.fit(d, p, nil)
}

// newSystem is a model without trees.
func newSystem(d *dataset.Dataset, knobs []policy.Knob) (*System, error) {
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
	m.Carriers = make([]*Ensemble, len(d.Services))
	return m, nil
}

// fit fits every service; foldOf is nil where nothing is held out.
func (m *System) fit(d *dataset.Dataset, p TreeParams, foldOf []int) error {
	var group sync.WaitGroup
	errs := make([]error, len(d.Services))
	for s := range d.Services {
		group.Go(func() {
			if errs[s] = m.fitService(d, s, p, foldOf); errs[s] == nil {
				errs[s] = m.fitCarried(d, s, p)
			}
		})
	}
	group.Wait()
	for s, err := range errs {
		if err != nil {
			return fmt.Errorf("service %s: %w", d.Services[s], err)
		}
	}
	return nil
}

// identifiable checks that the data can tell the effect of each knob.
func identifiable(d *dataset.Dataset, knobs []policy.Knob) error {
	if d.Rows() == 0 {
		return errors.New("model: the dataset has no rows; import or collect some")
	}
	if len(knobs) != len(d.Knobs) {
		return fmt.Errorf("model: the dataset has the knobs %v, the rules have %d knobs; they must be the same", d.Knobs, len(knobs))
	}
	for i, k := range knobs {
		if d.Knobs[i] != k.KnobID {
			return fmt.Errorf("model: the dataset's knob %s is %s in the rules; names must agree", d.Knobs[i], k.KnobID)
		}
		if slices.Min(d.Settings[i]) == slices.Max(d.Settings[i]) && k.Min < k.Max {
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

// fitService fits one service's trees, and its residuals with each fold held out. The
// trees are fitted on the logarithm: latency grows by factors, and what a margin is
// made of is the relative error.
func (m *System) fitService(d *dataset.Dataset, s int, p TreeParams, foldOf []int) error {
	rows := m.known(d, d.Latency[s])
	rows = slices.DeleteFunc(rows, func(row int) bool { return d.Latency[s][row] <= 0 }) // answered at once: no latency to learn
	columns, y := m.matrix(d, d.Latency[s], rows)
	for i, v := range y {
		y[i] = math.Log(v)
	}
	trees, err := FitTrees(columns, y, p)
	if err != nil {
		return err
	}
	m.Trees[s] = trees
	if foldOf == nil {
		return nil
	}
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
			predicted[i] = math.Exp(e.Predict(x))
		}
	}
	for i, v := range y {
		y[i] = math.Exp(v)
	}
	m.Fit[s] = fitOf(d.Services[s], rows, y, predicted)
	return nil
}

// carriedTrees are few: carried load is nearly a function of two features.
const carriedTrees = 60

// fitCarried fits one service's carried load, where enough of it was measured.
func (m *System) fitCarried(d *dataset.Dataset, s int, p TreeParams) error {
	rows := m.known(d, d.Carried[s])
	if len(rows) < 2*p.MinLeafRows {
		m.Carriers[s] = &Ensemble{}
		return nil
	}
	p.Trees = min(p.Trees, carriedTrees)
	columns, y := m.matrix(d, d.Carried[s], rows)
	trees, err := FitTrees(columns, y, p)
	if err != nil {
		return fmt.Errorf("carried load: %w", err)
	}
	m.Carriers[s] = trees
	return nil
}

// known lists the rows that have a target and every offered load.
func (m *System) known(d *dataset.Dataset, target []float64) []int {
	rows := make([]int, 0, d.Rows())
	for row := range d.Rows() {
		known := !math.IsNaN(target[row])
		for i := range d.Services {
			known = known && !math.IsNaN(d.Offered[i][row])
		}
		if known {
			rows = append(rows, row)
		}
	}
	return rows
}

// matrix returns the features [feature][row] and the targets of the given rows.
func (m *System) matrix(d *dataset.Dataset, target []float64, rows []int) (columns [][]float64, y []float64) {
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
		y = append(y, target[row])
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

func fitOf(service string, rows []int, y, predicted []float64) Fit {
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
			f.At = append(f.At, int32(rows[i]))
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
