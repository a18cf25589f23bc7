package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/windvane/windvane/plugins/policy"
)

// Mapping says how the columns of a foreign CSV file become a dataset.
type Mapping struct {
	Mesh            string           `toml:"mesh"`
	Origin          string           `toml:"origin"` // where the file is published
	IntervalSeconds float64          `toml:"interval_seconds"`
	LoadCell        float64          `toml:"load_cell"` // loads within half of it count as the same, in the quality report
	Knobs           []KnobMapping    `toml:"knob"`
	Services        []ServiceMapping `toml:"service"`
}

// KnobMapping makes a knob's value from a column: offset + scale * value.
type KnobMapping struct {
	ID     string  `toml:"id"`
	Column string  `toml:"column"`
	Scale  float64 `toml:"scale"`
	Offset float64 `toml:"offset"`
}

// ServiceMapping makes a service's measurements from columns. Its latency is the
// largest of the latency columns, each multiplied by LatencyScale; a zero in one of
// them is structural where ZeroIsAbsent is set: no request took that path.
type ServiceMapping struct {
	Name         string   `toml:"name"`
	Offered      string   `toml:"offered"`
	Carried      string   `toml:"carried"`
	Latency      []string `toml:"latency"`
	LatencyScale float64  `toml:"latency_scale"`
	ZeroIsAbsent bool     `toml:"zero_is_absent"`
}

// ReadMapping reads a mapping file, strictly. All problems are returned at once.
func ReadMapping(name string, src []byte) (*Mapping, error) {
	var m Mapping
	md, err := toml.Decode(string(src), &m)
	if syntax, ok := errors.AsType[toml.ParseError](err); ok {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimSpace(syntax.ErrorWithPosition()))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var problems []error
	fail := func(format string, args ...any) { problems = append(problems, fmt.Errorf(name+": "+format, args...)) }
	for _, k := range md.Undecoded() {
		fail("unknown key %s", k)
	}
	if m.Mesh == "" {
		fail("mesh: a name is needed")
	}
	if !(m.IntervalSeconds > 0) {
		fail("interval_seconds: want a positive number, got %v", m.IntervalSeconds)
	}
	for i := range m.Knobs {
		k := &m.Knobs[i]
		if k.Scale == 0 {
			k.Scale = 1
		}
		if _, err := policy.ParseKnobID(k.ID); err != nil {
			fail("%w", err)
		}
		if math.IsNaN(k.Scale+k.Offset) || math.IsInf(k.Scale+k.Offset, 0) {
			fail("knob %s: scale and offset must be finite", k.ID)
		}
	}
	for i := range m.Services {
		s := &m.Services[i]
		if s.LatencyScale == 0 {
			s.LatencyScale = 1
		}
		if s.Name == "" || s.Offered == "" || s.Carried == "" || len(s.Latency) == 0 {
			fail("service %q: name, offered, carried and latency are needed", s.Name)
		}
	}
	if len(m.Knobs) == 0 || len(m.Services) == 0 {
		fail("at least one [[knob]] and one [[service]] are needed")
	}
	slices.SortFunc(m.Services, func(a, b ServiceMapping) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(m.Knobs, func(a, b KnobMapping) int {
		x, _ := policy.ParseKnobID(a.ID)
		y, _ := policy.ParseKnobID(b.ID)
		return x.Compare(y)
	})
	return &m, errors.Join(problems...)
}

// Import reads a foreign CSV file with a header line, and counts the structural
// zeros that it met. Errors name the line and the column.
func (m *Mapping) Import(name string, r io.Reader) (*Dataset, []Zeros, error) {
	records := csv.NewReader(r)
	records.ReuseRecord = true
	head, err := records.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("%s:1: column names: %w", name, err)
	}
	head = slices.Clone(head)
	at, err := m.locate(name, head)
	if err != nil {
		return nil, nil, err
	}
	var ids []policy.KnobID
	for _, k := range m.Knobs {
		id, err := policy.ParseKnobID(k.ID)
		if err != nil {
			return nil, nil, err
		}
		ids = append(ids, id)
	}
	var services []string
	for _, s := range m.Services {
		services = append(services, s.Name)
	}
	d := New(m.Mesh, m.IntervalSeconds, ids, services)
	zeros := m.structural()
	values := make([]float64, len(head))
	for line := 2; ; line++ {
		rec, err := records.Read()
		if errors.Is(err, io.EOF) {
			return d, zeros, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		for column, i := range at {
			v, err := strconv.ParseFloat(rec[i], 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, nil, fmt.Errorf("%s:%d: column %s: %q is not a finite number", name, line, column, rec[i])
			}
			values[i] = v
		}
		for i, z := range zeros {
			if values[at[z.Column]] == 0 {
				zeros[i].Rows++
			}
		}
		if err := d.Append(m.row(at, values)); err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
}

// structural lists the columns whose zeros mean that no request was there.
func (m *Mapping) structural() []Zeros {
	var out []Zeros
	for _, s := range m.Services {
		for _, c := range s.Latency {
			if s.ZeroIsAbsent {
				out = append(out, Zeros{Column: c})
			}
		}
	}
	return out
}

// locate finds every column that the mapping names; all that are missing are named at once.
func (m *Mapping) locate(name string, head []string) (map[string]int, error) {
	at := map[string]int{}
	var missing []string
	need := func(column string) {
		i := slices.Index(head, column)
		if i < 0 {
			missing = append(missing, column)
			return
		}
		at[column] = i
	}
	for _, k := range m.Knobs {
		need(k.Column)
	}
	for _, s := range m.Services {
		need(s.Offered)
		need(s.Carried)
		for _, l := range s.Latency {
			need(l)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s:1: no column %s; the file has %s (the mapping names the columns)",
			name, strings.Join(missing, ", "), strings.Join(head, ", "))
	}
	return at, nil
}

func (m *Mapping) row(at map[string]int, values []float64) Row {
	var r Row
	for _, k := range m.Knobs {
		v := k.Offset + k.Scale*values[at[k.Column]]
		r.Settings = append(r.Settings, math.Round(v*1e9)/1e9)
	}
	for _, s := range m.Services {
		latency := math.NaN()
		for _, c := range s.Latency {
			v := values[at[c]] * s.LatencyScale
			if v == 0 && s.ZeroIsAbsent {
				continue
			}
			if !(latency >= v) {
				latency = v
			}
		}
		r.Offered = append(r.Offered, values[at[s.Offered]])
		r.Carried = append(r.Carried, values[at[s.Carried]])
		r.Latency = append(r.Latency, latency)
	}
	return r
}
