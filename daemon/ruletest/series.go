package ruletest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/windvane/windvane/rules"
)

// start is when the first sample of a test is taken: any time but that of 1970, which
// dates nothing.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// series is one input series.
type series struct {
	labels  labels.Labels
	samples []chunks.Sample // by time
}

// maxValues bounds a file: the notation of series may say a billion in a few characters.
const maxValues = 2_000_000

var (
	repeat     = regexp.MustCompile(`x(\d+)`)
	promParser = parser.NewParser(parser.Options{})
)

// readSeries reads a series in promtool's notation. room is how many values the file may
// still have.
func readSeries(t *rules.Table, interval time.Duration, room *int) series {
	if !t.Require("series", "values") {
		return series{}
	}
	name, text := t.Text("series", ""), t.Text("values", "")
	for _, m := range repeat.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			n = math.MaxInt
		}
		if *room -= min(n, maxValues+1); *room < 0 {
			t.Invalid("values", fmt.Sprintf("brings the file to more than %d values", maxValues), "shorten the tests")
			return series{}
		}
	}
	metric, sequence, err := promParser.ParseSeriesDesc(name + " " + text)
	if err != nil {
		t.Invalid("values", "is no series: "+firstError(err), `as in 'latency{service="a"}' and '0.1x5 _ stale 1+2x10'`)
		return series{}
	}
	out := series{labels: metric}
	for i, v := range sequence {
		if v.Histogram != nil {
			t.Invalid("values", "has native histograms, which no signal can be", "")
			return series{}
		}
		if !v.Omitted {
			out.samples = append(out.samples, sample{start.Add(time.Duration(i) * interval).UnixMilli(), v.Value})
		}
	}
	return out
}

// firstError is the first of the parser's errors.
func firstError(err error) string {
	if all, ok := errors.AsType[parser.ParseErrors](err); ok && len(all) > 0 {
		return all[0].Error()
	}
	return err.Error()
}

// sample is a float at a time.
type sample struct {
	at int64 // ms since 1970
	v  float64
}

func (s sample) T() int64                    { return s.at }
func (sample) ST() int64                     { return 0 }
func (s sample) F() float64                  { return s.v }
func (sample) H() *histogram.Histogram       { return nil }
func (sample) FH() *histogram.FloatHistogram { return nil }
func (sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample         { return s }

// store answers the engine from the series of a test.
type store []series

// Querier implements storage.Queryable.
func (s store) Querier(mint, maxt int64) (storage.Querier, error) {
	return querier{s, mint, maxt}, nil
}

type querier struct {
	store      store
	mint, maxt int64
}

// Select implements storage.Querier.
func (q querier) Select(_ context.Context, _ bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	mint, maxt := q.mint, q.maxt
	if hints != nil {
		mint, maxt = hints.Start, hints.End
	}
	set := &seriesSet{}
	for _, s := range q.store {
		if !matches(s.labels, matchers) {
			continue
		}
		from, _ := slices.BinarySearchFunc(s.samples, mint, func(x chunks.Sample, t int64) int { return int(x.T() - t) })
		to, _ := slices.BinarySearchFunc(s.samples, maxt+1, func(x chunks.Sample, t int64) int { return int(x.T() - t) })
		if from < to {
			set.series = append(set.series, storage.NewListSeries(s.labels, s.samples[from:to]))
		}
	}
	slices.SortFunc(set.series, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return set
}

func matches(l labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

var errNoLabelQueries = errors.New("no query of a rules file asks for labels")

// LabelValues implements storage.Querier; PromQL does not use it.
func (querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNoLabelQueries
}

// LabelNames implements storage.Querier; PromQL does not use it.
func (querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNoLabelQueries
}

// Close implements storage.Querier.
func (querier) Close() error { return nil }

type seriesSet struct {
	series []storage.Series
	next   int
}

func (s *seriesSet) Next() bool {
	s.next++
	return s.next <= len(s.series)
}

func (s *seriesSet) At() storage.Series                { return s.series[s.next-1] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

var _ storage.Queryable = store(nil)
