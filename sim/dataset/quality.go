package dataset

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Range is the spread of one column.
type Range struct {
	Name     string  `json:"name"`
	Min      float64 `json:"min"`
	Max      float64 `json:"max"`
	Distinct int     `json:"distinct"`
	Absent   int     `json:"absent"` // rows without a value
}

// Noise is how far a service's latency spreads within a cell: rows with the same
// settings and about the same loads.
type Noise struct {
	Service string  `json:"service"`
	Cells   int     `json:"cells"`   // with at least two rows
	Rows    int     `json:"rows"`    // in those cells
	Seconds float64 `json:"seconds"` // pooled standard deviation
}

// Quality is what a person should know of a dataset before trusting what is fitted on it.
type Quality struct {
	Rows            int         `json:"rows"`
	Configurations  int         `json:"configurations"`
	MeasuredSeconds float64     `json:"measured_seconds"` // rows of an interval each
	Columns         []Range     `json:"columns"`
	Noise           []Noise     `json:"noise"`
	Effective       []Effective `json:"effective"`
	Effects         []Effect    `json:"effects"`
	Loads           []Coverage  `json:"loads"`
	Unmoved         []string    `json:"unmoved"` // knobs with one value: their effect cannot be known
	Structural      []Zeros     `json:"structural_zeros,omitempty"`
}

// Zeros counts a source column's zeros that mean "no request".
type Zeros struct {
	Column string `json:"column"`
	Rows   int    `json:"rows"`
}

// Quality reports on the dataset. Loads within half of loadCell count as the same
// (requests/s; 0: exact).
func (d *Dataset) Quality(loadCell float64) Quality {
	config, n := d.Configurations()
	q := Quality{Rows: d.Rows(), Configurations: n, MeasuredSeconds: float64(d.Rows()) * d.IntervalSeconds}
	q.Effects, q.Effective = d.effects()
	q.Loads = d.coverage(config)
	names, columns := d.columns()
	for i, c := range columns {
		r := rangeOf(names[i], c)
		q.Columns = append(q.Columns, r)
		if i < len(d.Knobs) && r.Distinct < 2 {
			q.Unmoved = append(q.Unmoved, names[i])
		}
	}
	cells := d.cells(config, loadCell)
	for s, name := range d.Services {
		q.Noise = append(q.Noise, noiseOf(name, d.Latency[s], cells))
	}
	return q
}

func rangeOf(name string, column []float64) Range {
	r := Range{Name: name, Min: math.Inf(1), Max: math.Inf(-1)}
	distinct := map[float64]bool{}
	for _, v := range column {
		if math.IsNaN(v) {
			r.Absent++
			continue
		}
		r.Min, r.Max = math.Min(r.Min, v), math.Max(r.Max, v)
		distinct[v] = true
	}
	r.Distinct = len(distinct)
	if r.Distinct == 0 {
		r.Min, r.Max = 0, 0
	}
	return r
}

// cells numbers rows by configuration and rounded loads.
func (d *Dataset) cells(config []int, loadCell float64) []int {
	index := map[string]int{}
	out := make([]int, d.Rows())
	for row := range out {
		key := fmt.Appendf(nil, "%d", config[row])
		for s := range d.Services {
			v := d.Offered[s][row]
			if loadCell > 0 {
				v = math.Round(v / loadCell)
			}
			key = fmt.Appendf(key, ";%g", v)
		}
		n, ok := index[string(key)]
		if !ok {
			n = len(index)
			index[string(key)] = n
		}
		out[row] = n
	}
	return out
}

func noiseOf(service string, latency []float64, cells []int) Noise {
	type moments struct{ n, sum, squares float64 }
	byCell := make([]moments, slices.Max(append([]int{-1}, cells...))+1)
	for row, v := range latency {
		if !math.IsNaN(v) {
			m := &byCell[cells[row]]
			m.n++
			m.sum += v
			m.squares += v * v
		}
	}
	n := Noise{Service: service}
	squares, degrees := 0.0, 0.0
	for _, m := range byCell {
		if m.n >= 2 {
			n.Cells++
			n.Rows += int(m.n)
			squares += math.Max(0, m.squares-m.sum*m.sum/m.n)
			degrees += m.n - 1
		}
	}
	if degrees > 0 {
		n.Seconds = math.Sqrt(squares / degrees)
	}
	return n
}

// WriteText writes the report for a person.
func (q Quality) WriteText(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	lines := []string{
		fmt.Sprintf("rows\t%d, %v of measurements", q.Rows, time.Duration(q.MeasuredSeconds*float64(time.Second))),
		fmt.Sprintf("configurations\t%d", q.Configurations), "",
		"column\tfrom\tto\tdistinct\tabsent",
	}
	for _, r := range q.Columns {
		lines = append(lines, fmt.Sprintf("%s\t%.4g\t%.4g\t%d\t%d", r.Name, r.Min, r.Max, r.Distinct, r.Absent))
	}
	lines = append(lines, "", "noise within a cell (same settings, same loads)\tstandard deviation\tcells\trows")
	for _, n := range q.Noise {
		deviation := "not known" // no row has another to be compared with
		if n.Cells > 0 {
			deviation = fmt.Sprintf("%.2f ms", 1e3*n.Seconds)
		}
		lines = append(lines, fmt.Sprintf("%s\t%s\t%d\t%d", n.Service, deviation, n.Cells, n.Rows))
	}
	lines = append(lines, q.identification()...)
	if len(q.Structural) > 0 {
		lines = append(lines, "", "structural zeros (no request took the path)\trows")
		for _, z := range q.Structural {
			lines = append(lines, fmt.Sprintf("%s\t%d", z.Column, z.Rows))
		}
	}
	for _, e := range q.Effective {
		if e.Worth < e.Wanted {
			lines = append(lines, "", fmt.Sprintf("warning: the latencies of %s are worth %.0f independent rows, and the knobs and loads want %.0f: collect for longer", e.Service, e.Worth, e.Wanted))
		}
	}
	for _, e := range q.Effects {
		if e.Advice != "" {
			lines = append(lines, "", "warning: "+e.Advice)
		}
	}
	for _, u := range q.Unmoved {
		lines = append(lines, "", fmt.Sprintf("warning: %s never moved: its effect cannot be learned from these data", u))
	}
	for _, l := range lines {
		if _, err := fmt.Fprintln(out, l); err != nil {
			return fmt.Errorf("quality report: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("quality report: %w", err)
	}
	return nil
}

// identification is what there is to say of samples, knobs and loads.
func (q Quality) identification() []string {
	lines := []string{"", "latencies\trows\tautocorrelation\teffective rows\twanted"}
	for _, e := range q.Effective {
		lines = append(lines, fmt.Sprintf("%s\t%d\t%.2f\t%.0f\t%.0f", e.Service, e.Rows, e.Lag1, e.Worth, e.Wanted))
	}
	lines = append(lines, "", "effect of\tlevels\tchanges\tof its own\tmost together with\tverdict")
	for _, e := range q.Effects {
		with := "nothing"
		if e.With != "" {
			with = fmt.Sprintf("%s (%.2f)", e.With, e.R)
		}
		verdict := strings.ReplaceAll(string(e.Verdict), "_", " ")
		lines = append(lines, fmt.Sprintf("%s\t%d\t%d\t%.0f %%\t%s\t%s", e.Knob, e.Levels, e.Changes, 100*e.Own, with, verdict))
	}
	lines = append(lines, "", "load of\t5 %\tmedian\t95 %\ttenths with rows\twith several configurations")
	for _, l := range q.Loads {
		lines = append(lines, fmt.Sprintf("%s\t%.4g/s\t%.4g/s\t%.4g/s\t%d of 10\t%d", l.Service, l.Low, l.Median, l.High, l.Tenths, l.Compared))
	}
	return lines
}
