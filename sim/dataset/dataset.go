// Package dataset holds what is known of a mesh's answers: one row an interval,
// with the settings that were in force and, per service, what was offered, carried
// and how long it took.
//
// It reads and writes the file that models are fitted on, imports published traces
// through a mapping file, and reports on their quality. It knows nothing of models
// or of where live data come from.
package dataset

import (
	"fmt"
	"math"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// Dataset is a table in columns. All columns have the same length; a value that
// was not measured is NaN, never zero.
type Dataset struct {
	Mesh            string
	IntervalSeconds float64
	Knobs           []policy.KnobID // sorted
	Services        []string        // sorted

	Settings [][]float64 // [knob][row], in the knob's unit
	Offered  [][]float64 // [service][row], requests/s
	Carried  [][]float64 // [service][row], requests/s, as measured
	Latency  [][]float64 // [service][row], seconds, of the objective's end-to-end signal
}

// New returns an empty dataset over the given knobs and services, both sorted.
func New(mesh string, intervalSeconds float64, knobs []policy.KnobID, services []string) *Dataset {
	return &Dataset{
		Mesh: mesh, IntervalSeconds: intervalSeconds, Knobs: knobs, Services: services,
		Settings: make([][]float64, len(knobs)),
		Offered:  make([][]float64, len(services)),
		Carried:  make([][]float64, len(services)),
		Latency:  make([][]float64, len(services)),
	}
}

// Of returns an empty dataset over the knobs and services of a mesh, both sorted.
func Of(mesh string, interval time.Duration, knobs []policy.Knob, services []policy.Service) *Dataset {
	ids, names := make([]policy.KnobID, len(knobs)), make([]string, len(services))
	for i, k := range knobs {
		ids[i] = k.KnobID
	}
	for i, s := range services {
		names[i] = s.Name
	}
	return New(mesh, interval.Seconds(), ids, names)
}

// Rows is the number of intervals.
func (d *Dataset) Rows() int {
	if len(d.Settings) == 0 {
		return 0
	}
	return len(d.Settings[0])
}

// Row is one interval, slices in the order of the dataset's knobs and services.
type Row struct {
	Settings, Offered, Carried, Latency []float64
}

// Append adds an interval. It copies the row's values.
func (d *Dataset) Append(r Row) error {
	if len(r.Settings) != len(d.Knobs) || len(r.Offered) != len(d.Services) ||
		len(r.Carried) != len(d.Services) || len(r.Latency) != len(d.Services) {
		return fmt.Errorf("dataset: row has %d settings and %d services, want %d and %d",
			len(r.Settings), len(r.Offered), len(d.Knobs), len(d.Services))
	}
	for i, v := range r.Settings {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("dataset: setting %s is %v; leave out intervals whose settings are not known", d.Knobs[i], v)
		}
	}
	for _, c := range []struct {
		to   [][]float64
		from []float64
	}{{d.Settings, r.Settings}, {d.Offered, r.Offered}, {d.Carried, r.Carried}, {d.Latency, r.Latency}} {
		for i, v := range c.from {
			c.to[i] = append(c.to[i], v)
		}
	}
	return nil
}

// Select returns a dataset of the rows for which keep is true.
func (d *Dataset) Select(keep func(row int) bool) *Dataset {
	out := New(d.Mesh, d.IntervalSeconds, d.Knobs, d.Services)
	for row := range d.Rows() {
		if !keep(row) {
			continue
		}
		for _, c := range []struct{ to, from [][]float64 }{
			{out.Settings, d.Settings}, {out.Offered, d.Offered}, {out.Carried, d.Carried}, {out.Latency, d.Latency},
		} {
			for i := range c.from {
				c.to[i] = append(c.to[i], c.from[i][row])
			}
		}
	}
	return out
}

// Configurations numbers the distinct combinations of settings in order of first
// appearance, and says which each row has.
func (d *Dataset) Configurations() (ofRow []int, count int) {
	index := map[string]int{}
	ofRow = make([]int, d.Rows())
	key := make([]byte, 0, 16*len(d.Knobs))
	for row := range ofRow {
		key = key[:0]
		for k := range d.Knobs {
			key = fmt.Appendf(key, "%g;", d.Settings[k][row])
		}
		n, ok := index[string(key)]
		if !ok {
			n = len(index)
			index[string(key)] = n
		}
		ofRow[row] = n
	}
	return ofRow, len(index)
}
