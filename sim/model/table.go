package model

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
)

// Table is what a model predicts for every action of the knobs' grid at every
// combination of a few offered loads, with linear interpolation between them. It is
// the artefact of the tabular policy, and a truth that a policy can be judged on.
type Table struct {
	Knobs    []policy.Knob
	Services []string    // sorted
	Signals  []string    // by service: the signal that is predicted
	Loads    [][]float64 // by service: ascending offered loads, requests/s, at least one
	Support  []Span      // by service: offered loads in the data behind it; nil: Loads from the first to the last
	// Residuals are, by service, quantiles of measured/predicted - 1 on configurations
	// held out, in units of Scales, ascending, each standing for as many rows; nil: not known.
	Residuals [][]float64
	Scales    []margin.Scale // by service; nil: 1
	Values    []float32      // [load of service 0]..[load of service n-1][action][service], in the signal's unit
}

// Actions returns the actions of the table, in its order. It is an error if the
// table is damaged.
func (t *Table) Actions() ([]policy.Action, error) {
	grid, err := policy.Grid(t.Knobs)
	if err != nil {
		return nil, err
	}
	cells := len(grid) * len(t.Services)
	for _, l := range t.Loads {
		if len(l) == 0 || !slices.IsSorted(l) {
			return nil, errors.New("table: its loads are empty or not ascending")
		}
		cells *= len(l)
	}
	if len(t.Loads) != len(t.Services) || len(t.Signals) != len(t.Services) || len(t.Values) != cells ||
		t.Support != nil && len(t.Support) != len(t.Services) || t.Residuals != nil && len(t.Residuals) != len(t.Services) ||
		t.Scales != nil && len(t.Scales) != len(t.Services) {
		return nil, fmt.Errorf("table: it has %d values for %d services, want %d", len(t.Values), len(t.Services), cells)
	}
	for i := range t.Scales {
		if err := t.Scales[i].Check(); err != nil {
			return nil, fmt.Errorf("table: service %s: %w", t.Services[i], err)
		}
	}
	return grid, nil
}

// Tails returns, by service, the smoothed distribution of the residuals; unknown where there
// are none.
func (t *Table) Tails() []margin.Tail {
	out := make([]margin.Tail, len(t.Services))
	for s, r := range t.Residuals {
		var scale margin.Scale
		if t.Scales != nil {
			scale = t.Scales[s]
		}
		out[s] = margin.NewTail(r, scale)
	}
	return out
}

// Encode writes the table as it is handed to Configure.
func (t *Table) Encode() ([]byte, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(t); err != nil {
		return nil, fmt.Errorf("table: encode: %w", err)
	}
	return b.Bytes(), nil
}

// DecodeTable reads what Encode wrote.
func DecodeTable(artefact []byte) (*Table, error) {
	var t Table
	if err := gob.NewDecoder(bytes.NewReader(artefact)).Decode(&t); err != nil {
		return nil, fmt.Errorf("table: not a table of predictions: %w; train the policy again", err)
	}
	if _, err := t.Actions(); err != nil {
		return nil, err
	}
	return &t, nil
}

// Corner is one point of the load grid around the present loads, with its share.
type Corner struct {
	block int // first value of the point's actions
	share float64
}

// Corners appends to buffer[:0] the points of the load grid around the offered loads
// (by service, requests/s), with the shares of multilinear interpolation. Beyond the
// grid the nearest load counts; inside says whether the loads lie within the data.
func (t *Table) Corners(buffer []Corner, offered []float64, actions int) (out []Corner, inside bool) {
	out = buffer[:0]
	out = append(out, Corner{share: 1})
	inside = true
	for s, loads := range t.Loads {
		hi, _ := slices.BinarySearch(loads, offered[s])
		lo := max(hi-1, 0)
		hi = min(hi, len(loads)-1)
		up := 0.0
		if loads[hi] > loads[lo] {
			up = min(1, max(0, (offered[s]-loads[lo])/(loads[hi]-loads[lo])))
		}
		support := Span{loads[0], loads[len(loads)-1]}
		if t.Support != nil {
			support = t.Support[s]
		}
		inside = inside && offered[s] >= support.Min && offered[s] <= support.Max
		// Each point is replaced by its upper neighbour, and the lower ones follow.
		for i := range out {
			c := out[i]
			out[i] = Corner{c.block*len(loads) + hi, c.share * up}
			if up < 1 {
				low := Corner{c.block*len(loads) + lo, c.share * (1 - up)}
				if up > 0 {
					out = append(out, low)
				} else {
					out[i] = low
				}
			}
		}
	}
	for i := range out {
		out[i].block *= actions * len(t.Services)
	}
	return out, inside
}

// Predict interpolates the values of one action into out, by service.
func (t *Table) Predict(out []float64, corners []Corner, action int) {
	n := len(t.Services)
	clear(out)
	for _, c := range corners {
		for s, v := range t.Values[c.block+action*n : c.block+(action+1)*n] {
			out[s] += c.share * float64(v)
		}
	}
}

// EachLoad calls f with every combination of the loads (by service), in the order of
// a table's values: the last service's varying fastest. The slice is reused.
func EachLoad(loads [][]float64, f func(offered []float64)) {
	offered, at := make([]float64, len(loads)), make([]int, len(loads))
	for {
		for s, i := range at {
			offered[s] = loads[s][i]
		}
		f(offered)
		s := len(at) - 1
		for ; s >= 0; s-- {
			if at[s]++; at[s] < len(loads[s]) {
				break
			}
			at[s] = 0
		}
		if s < 0 {
			return
		}
	}
}
