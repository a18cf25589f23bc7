package model

import (
	"fmt"
	"math"
)

// TreeParams are the constants of gradient boosting.
type TreeParams struct {
	Trees       int
	Leaves      int     // per tree
	Rate        float64 // learning rate
	MinLeafRows int
	Lambda      float64 // ridge on a leaf's value, in rows
}

// TreeParamsFor returns the parameters for a number of rows. With few of them, leaves
// of 20 rows are too coarse to tell settings apart: smaller trees of smaller leaves,
// each trusted less, predict better what they have not seen.
func TreeParamsFor(rows int) TreeParams {
	if rows < fewRows {
		return TreeParams{Trees: 150, Leaves: 6, Rate: .05, MinLeafRows: 8}
	}
	return DefaultTreeParams()
}

// fewRows is where the parameters for few rows end. They were compared at about 400.
const fewRows = 2000

// DefaultTreeParams are scikit-learn's HistGradientBoostingRegressor's, but for the number of trees.
func DefaultTreeParams() TreeParams {
	return TreeParams{Trees: 150, Leaves: 31, Rate: .1, MinLeafRows: 20}
}

// node is one split, or a leaf where feature is negative. Left and Right index Ensemble.Nodes.
type node struct {
	Feature     int16
	Threshold   float64 // left: value <= Threshold
	Left, Right int32
	Value       float64 // of a leaf
}

// Ensemble is a sum of regression trees, fitted by least-squares gradient boosting
// over binned features (Friedman 2001; histograms as in LightGBM, Ke et al. 2017).
type Ensemble struct {
	Features int
	Base     float64
	Nodes    []node
	Roots    []int32
}

// Predict returns the value at x, which has Features values.
func (e *Ensemble) Predict(x []float64) float64 {
	y := e.Base
	for _, at := range e.Roots {
		n := &e.Nodes[at]
		for n.Feature >= 0 {
			next := n.Right
			if x[n.Feature] <= n.Threshold {
				next = n.Left
			}
			n = &e.Nodes[next]
		}
		y += n.Value
	}
	return y
}

// FitTrees fits y on the columns ([feature][row]). It is deterministic. It is an
// error if there are too few rows to split once, or a value is not finite.
func FitTrees(columns [][]float64, y []float64, p TreeParams) (*Ensemble, error) {
	x := make([]float64, len(columns)*len(y))
	for f, c := range columns {
		for row, v := range c {
			x[row*len(columns)+f] = v
		}
	}
	d, err := newDesign(x, len(columns))
	if err != nil {
		return nil, err
	}
	rows := make([]int32, len(y))
	for i := range rows {
		rows[i] = int32(i)
	}
	return d.fit(y, rows, p)
}

// fit fits the targets y, by row of the design, on some of the rows.
func (d *design) fit(y []float64, rows []int32, p TreeParams) (*Ensemble, error) {
	if len(rows) < 2*p.MinLeafRows {
		return nil, fmt.Errorf("model: %d rows are too few; want at least %d", len(rows), 2*p.MinLeafRows)
	}
	e := &Ensemble{Features: d.features}
	for _, row := range rows {
		if math.IsNaN(y[row]) || math.IsInf(y[row], 0) {
			return nil, fmt.Errorf("model: row %d is not finite", row)
		}
		e.Base += y[row] / float64(len(rows))
	}
	g := newGrower(d, y, e.Base, rows, p)
	for range p.Trees {
		e.Roots = append(e.Roots, g.tree(e))
	}
	return e, nil
}
