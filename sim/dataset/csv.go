package dataset

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/windvane/windvane/plugins/policy"
)

// magic starts the first line of a dataset file; the rest of the line is header in JSON.
const magic = "# windvane dataset v1 "

type header struct {
	Mesh            string  `json:"mesh"`
	IntervalSeconds float64 `json:"interval_seconds"`
}

// Write writes the dataset as CSV behind a comment line: a column per knob, named
// by its KnobID, and offered:, carried: and latency: of each service. A value that
// was not measured is an empty field.
func (d *Dataset) Write(w io.Writer) error {
	h, err := json.Marshal(header{d.Mesh, d.IntervalSeconds})
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	out := bufio.NewWriter(w)
	names, columns := d.columns()
	if _, err := fmt.Fprintf(out, "%s%s\n%s\n", magic, h, strings.Join(names, ",")); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	line := make([]byte, 0, 256)
	for row := range d.Rows() {
		line = line[:0]
		for i, c := range columns {
			if i > 0 {
				line = append(line, ',')
			}
			if v := c[row]; !math.IsNaN(v) {
				line = strconv.AppendFloat(line, v, 'g', -1, 64)
			}
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("dataset: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	return nil
}

func (d *Dataset) columns() (names []string, columns [][]float64) {
	for i, k := range d.Knobs {
		names, columns = append(names, k.String()), append(columns, d.Settings[i])
	}
	for i, s := range d.Services {
		names = append(names, "offered:"+s, "carried:"+s, "latency:"+s)
		columns = append(columns, d.Offered[i], d.Carried[i], d.Latency[i])
	}
	return names, columns
}

// Read reads what Write writes. Errors name the file and the line.
func Read(name string, r io.Reader) (*Dataset, error) {
	in := bufio.NewReader(r)
	first, err := in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	rest, ok := strings.CutPrefix(first, magic)
	if !ok {
		return nil, fmt.Errorf("%s:1: not a windvane dataset: it must start with %q; make one with `windvane collect`, or `windvane import trace`", name, strings.TrimSpace(magic))
	}
	var h header
	if err := json.Unmarshal([]byte(rest), &h); err != nil {
		return nil, fmt.Errorf("%s:1: header: %w", name, err)
	}
	records := csv.NewReader(in)
	records.ReuseRecord = true
	names, err := records.Read()
	if err != nil {
		return nil, fmt.Errorf("%s:2: column names: %w", name, err)
	}
	names = slices.Clone(names)
	d, fields, err := fromColumns(h, names)
	if err != nil {
		return nil, fmt.Errorf("%s:2: %w", name, err)
	}
	for line := 3; ; line++ {
		rec, err := records.Read()
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		for i, text := range rec {
			v := math.NaN()
			if text != "" {
				if v, err = strconv.ParseFloat(text, 64); err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
					return nil, fmt.Errorf("%s:%d: column %s: %q is not a finite number", name, line, names[i], text)
				}
			} else if i < len(d.Knobs) {
				return nil, fmt.Errorf("%s:%d: column %s is empty; a row needs all settings", name, line, names[i])
			}
			*fields[i] = append(*fields[i], v)
		}
	}
}

// fromColumns makes an empty dataset from column names, and says where each column goes.
func fromColumns(h header, names []string) (*Dataset, []*[]float64, error) {
	var knobs []policy.KnobID
	var services []string
	for _, n := range names {
		if s, ok := strings.CutPrefix(n, "offered:"); ok {
			services = append(services, s)
		} else if !strings.HasPrefix(n, "carried:") && !strings.HasPrefix(n, "latency:") {
			id, err := policy.ParseKnobID(n)
			if err != nil {
				return nil, nil, fmt.Errorf("column %q: %w", n, err)
			}
			knobs = append(knobs, id)
		}
	}
	d := New(h.Mesh, h.IntervalSeconds, knobs, services)
	if want, _ := d.columns(); !slices.Equal(want, names) {
		return nil, nil, fmt.Errorf("columns are %s; want %s", strings.Join(names, ","), strings.Join(want, ","))
	}
	var fields []*[]float64
	for i := range d.Settings {
		fields = append(fields, &d.Settings[i])
	}
	for i := range services {
		fields = append(fields, &d.Offered[i], &d.Carried[i], &d.Latency[i])
	}
	return d, fields, nil
}
