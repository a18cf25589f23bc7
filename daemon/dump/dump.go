// Package dump answers range queries from a file of samples, as Prometheus does from its own:
// OpenMetrics text with times, such as `promtool tsdb dump-openmetrics` writes.
//
// The samples that somebody may ask for are held in memory, 16 bytes each; all others are
// passed over.
package dump

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/windvane/windvane/internal/samples"
)

// Dump is what was read. It is for one goroutine.
type Dump struct {
	From, To   time.Time // of the first sample and the last
	Samples    int       // that are held
	Duplicates int       // of a time that the series has already: the first counts
	Unordered  int       // came after later ones, and were put in order

	series []*series
	engine *promql.Engine
}

// series is one, in the order of time.
type series struct{ samples.Window }

// Open reads the samples of a file whose metric's name is to be kept.
func Open(path string, keep func(name string) bool) (*Dump, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("dump: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	d, err := read(f, keep)
	if err != nil {
		return nil, fmt.Errorf("dump: %s: %w", path, err)
	}
	return d, nil
}

// longestLine bounds a line.
const longestLine = 1 << 20

var errNotText = errors.New("a line is longer than 1 MB: this is no OpenMetrics text; `promtool tsdb dump-openmetrics` writes one")

func read(from io.Reader, keep func(name string) bool) (*Dump, error) {
	d := &Dump{engine: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: time.Hour, EnableAtModifier: true, EnableNegativeOffset: true, Parser: parser.NewParser(parser.Options{}),
	})}
	known := map[string]*series{}
	in := bufio.NewScanner(from)
	in.Buffer(nil, longestLine)
	for line := 1; in.Scan(); line++ {
		text := in.Text()
		if text == "" || text[0] == '#' {
			continue // types and help do not matter for queries
		}
		if err := d.add(text, known, keep); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return nil, errNotText
	}
	if in.Err() != nil {
		return nil, in.Err()
	}
	if d.order(); d.Samples == 0 {
		return nil, errors.New("it has no sample of any metric that the rules file asks for")
	}
	return d, nil
}

// add takes a line: a series, its value, and the time in seconds. What follows is an exemplar.
func (d *Dump) add(line string, known map[string]*series, keep func(name string) bool) error {
	end := seriesEnd(line)
	name, _, _ := strings.Cut(line[:end], "{")
	if name != "" && !keep(strings.TrimSpace(name)) {
		return nil
	}
	fields := strings.Fields(line[end:])
	if len(fields) < 2 || fields[1] == "#" {
		return fmt.Errorf("%q has no value and time: this is no dump of what was recorded", line[:min(len(line), 80)])
	}
	v, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return fmt.Errorf("the value %q is no number", fields[0])
	}
	at, err := strconv.ParseFloat(fields[1], 64)
	if err != nil || math.IsNaN(at) || math.Abs(at) > 1e11 {
		return fmt.Errorf("the time %q is none, in seconds", fields[1])
	}
	s := known[line[:end]]
	if s == nil {
		l, err := parser.NewParser(parser.Options{}).ParseMetric(line[:end])
		if err != nil {
			return fmt.Errorf("the series %q: %w", line[:min(end, 80)], err)
		}
		s = &series{samples.Window{Of: l}}
		known[strings.Clone(line[:end])] = s
		d.series = append(d.series, s)
	}
	s.Times, s.Values = append(s.Times, int64(math.Round(1000*at))), append(s.Values, v)
	return nil
}

// seriesEnd is where the name and the labels of a line end.
func seriesEnd(line string) int {
	quoted, labels := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			labels = true
		case c == '}':
			return i + 1
		case c == ' ' && !labels:
			return i
		}
	}
	return len(line)
}

// order sorts the samples of each series, and leaves out those of the same time.
func (d *Dump) order() {
	for _, s := range d.series {
		before := d.Unordered
		for i := 1; i < len(s.Times); i++ {
			if s.Times[i] < s.Times[i-1] {
				d.Unordered++
			}
		}
		if d.Unordered > before {
			sort.Stable(s)
		}
		n := 0
		for i, at := range s.Times {
			if n > 0 && s.Times[n-1] == at {
				d.Duplicates++
				continue
			}
			s.Times[n], s.Values[n] = at, s.Values[i]
			n++
		}
		s.Times, s.Values = s.Times[:n], s.Values[:n]
		d.Samples += n
		if n == 0 {
			continue
		}
		from, to := time.UnixMilli(s.Times[0]).UTC(), time.UnixMilli(s.Times[n-1]).UTC()
		if d.From.IsZero() || from.Before(d.From) {
			d.From = from
		}
		if to.After(d.To) {
			d.To = to
		}
	}
}

func (s *series) Len() int           { return len(s.Times) }
func (s *series) Less(i, j int) bool { return s.Times[i] < s.Times[j] }
func (s *series) Swap(i, j int) {
	s.Times[i], s.Times[j] = s.Times[j], s.Times[i]
	s.Values[i], s.Values[j] = s.Values[j], s.Values[i]
}

// QueryRange is Prometheus'.
func (d *Dump) QueryRange(ctx context.Context, expr string, r v1.Range, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	q, err := d.engine.NewRangeQuery(ctx, d, nil, expr, r.Start, r.End, r.Step)
	if err != nil {
		return nil, nil, nil, &v1.Error{Type: v1.ErrBadData, Msg: err.Error()}
	}
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return nil, nil, nil, &v1.Error{Type: v1.ErrExec, Msg: result.Err.Error()}
	}
	matrix, err := result.Matrix()
	if err != nil {
		return nil, nil, nil, &v1.Error{Type: v1.ErrExec, Msg: err.Error()}
	}
	out := make(model.Matrix, 0, len(matrix))
	for _, s := range matrix {
		stream := &model.SampleStream{Metric: model.Metric{}}
		s.Metric.Range(func(l labels.Label) { stream.Metric[model.LabelName(l.Name)] = model.LabelValue(l.Value) })
		for _, p := range s.Floats {
			stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.Time(p.T), Value: model.SampleValue(p.F)})
		}
		out = append(out, stream)
	}
	warnings, _ := result.Warnings.AsStrings(expr, 10, 0)
	return out, warnings, nil, nil
}

// Query is Prometheus'; a dump is asked for ranges alone.
func (d *Dump) Query(context.Context, string, time.Time, ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	return nil, nil, nil, &v1.Error{Type: v1.ErrBadData, Msg: "a dump answers ranges alone"}
}
