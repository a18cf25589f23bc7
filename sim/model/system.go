package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
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

// FitSystem fits a model on a dataset. The knobs say what the dataset's settings
// belong to. Cross-validation holds out whole configurations, and apart from that
// whole regions of the offered load, drawn by seed: neighbouring rows would tell each
// other's answer. The result does not depend on the number of cores. It is an error
// if the dataset lacks a knob or a service, if a knob never moved, or if a service
// was measured too seldom.
func FitSystem(d *dataset.Dataset, knobs []policy.Knob, p TreeParams, seed uint64) (*System, error) {
	configurations, loads := DrawHoldOuts(d, seed)
	return fitSystem(d, knobs, p, []HoldOut{configurations, loads})
}

// Scales are those of the errors of the latencies, by service; nil after FitMean.
func (m *System) Scales() []margin.Scale {
	var out []margin.Scale
	for _, f := range m.Fit {
		out = append(out, f.Scale)
	}
	return out
}

// FitMean is FitSystem without the cross-validation, and without its Fit. It is for
// a truth that judges others and promises nothing of itself.
func FitMean(d *dataset.Dataset, knobs []policy.Knob, p TreeParams) (*System, error) {
	return fitSystem(d, knobs, p, nil)
}

func fitSystem(d *dataset.Dataset, knobs []policy.Knob, p TreeParams, outs []HoldOut) (*System, error) {
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
	return m, m.fit(d, p, outs)
}

// fit fits every service, and again without what is held out.
func (m *System) fit(d *dataset.Dataset, p TreeParams, outs []HoldOut) error {
	rows := knownLoads(d)
	design, err := m.features.design(d, rows)
	if err != nil {
		return err
	}
	n := len(d.Services)
	m.Trees, m.Carriers = make([]*Ensemble, n), make([]*Ensemble, n)
	var jobs []job
	var targets []*target
	for s, name := range d.Services {
		t := latencyTarget(name, d.Latency[s], rows)
		targets = append(targets, t)
		jobs = append(jobs, job{to: &m.Trees[s], service: name, target: t.values, rows: t.rows})
		for _, o := range outs {
			jobs = append(jobs, t.folds(rows, o, p)...)
		}
		c := carriedTarget(name, d.Carried[s], rows)
		if m.Carriers[s] = (&Ensemble{}); len(c.rows) >= 2*p.MinLeafRows {
			jobs = append(jobs, job{to: &m.Carriers[s], service: name + ": carried load", target: c.values, rows: c.rows, trees: carriedTrees})
		}
	}
	if err := design.fitAll(jobs, p); err != nil {
		return err
	}
	if outs == nil {
		return nil
	}
	m.Fit = make([]Fit, n)
	for s, t := range targets {
		if m.Fit[s], err = t.judge(rows); err != nil {
			return err
		}
	}
	return nil
}

// knownLoads lists the rows that have every offered load.
func knownLoads(d *dataset.Dataset) []int {
	rows := make([]int, 0, d.Rows())
	for row := range d.Rows() {
		if !slices.ContainsFunc(d.Offered, func(c []float64) bool { return math.IsNaN(c[row]) }) {
			rows = append(rows, row)
		}
	}
	return rows
}

// identifiable checks that the data can tell the effect of each knob.
func identifiable(d *dataset.Dataset, knobs []policy.Knob) error {
	if d.Rows() == 0 {
		return errors.New("model: the dataset has no rows; import or collect some")
	}
	if len(knobs) != len(d.Knobs) {
		return fmt.Errorf("model: the dataset has the knobs %v, the rules have %d knobs; they must be the same", d.Knobs, len(knobs))
	}
	var unmoved []string
	for i, k := range knobs {
		if d.Knobs[i] != k.KnobID {
			return fmt.Errorf("model: the dataset's knob %s is %s in the rules; names must agree", d.Knobs[i], k.KnobID)
		}
		if slices.Min(d.Settings[i]) == slices.Max(d.Settings[i]) && k.Min < k.Max {
			unmoved = append(unmoved, fmt.Sprintf("%s never moved in the data (always %g)", k.KnobID, d.Settings[i][0]))
		}
	}
	if len(unmoved) > 0 {
		return fmt.Errorf("model: %s: what that does cannot be known; collect data that move it, or fix it in the rules", strings.Join(unmoved, ", "))
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
