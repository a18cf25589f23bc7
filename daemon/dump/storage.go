package dump

import (
	"context"
	"errors"
	"slices"
	"sort"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// Querier is that of a storage.Queryable.
func (d *Dump) Querier(from, to int64) (storage.Querier, error) {
	return &querier{dump: d, from: from, to: to}, nil
}

// querier sees the samples of a range of time, ms.
type querier struct {
	dump     *Dump
	from, to int64
}

var errNoLabels = errors.New("a dump answers no queries for labels")

// Select is that of a storage.Querier.
func (q *querier) Select(_ context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	from, to := q.from, q.to
	if hints != nil {
		from, to = hints.Start, hints.End
	}
	set := &seriesSet{at: -1}
	for _, s := range q.dump.series {
		if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.labels.Get(m.Name)) }) {
			continue
		}
		i := sort.Search(len(s.times), func(i int) bool { return s.times[i] >= from })
		j := sort.Search(len(s.times), func(i int) bool { return s.times[i] > to })
		if i < j {
			set.all = append(set.all, window{labels: s.labels, times: s.times[i:j], values: s.values[i:j]})
		}
	}
	if sorted {
		slices.SortFunc(set.all, func(a, b window) int { return labels.Compare(a.labels, b.labels) })
	}
	return set
}

// LabelValues is that of a storage.Querier.
func (*querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNoLabels
}

// LabelNames is that of a storage.Querier.
func (*querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNoLabels
}

// Close is that of a storage.Querier.
func (*querier) Close() error { return nil }

type seriesSet struct {
	all []window
	at  int
}

func (s *seriesSet) Next() bool                      { s.at++; return s.at < len(s.all) }
func (s *seriesSet) At() storage.Series              { return s.all[s.at] }
func (*seriesSet) Err() error                        { return nil }
func (*seriesSet) Warnings() annotations.Annotations { return nil }

// window is a part of a series.
type window struct {
	labels labels.Labels
	times  []int64
	values []float64
}

func (w window) Labels() labels.Labels { return w.labels }

func (w window) Iterator(chunkenc.Iterator) chunkenc.Iterator {
	return storage.NewListSeriesIterator(w)
}

// Len and Get are those of storage.Samples.
func (w window) Len() int                { return len(w.times) }
func (w window) Get(i int) chunks.Sample { return sample{w.times[i], w.values[i]} }

// sample is a chunks.Sample of a number.
type sample struct {
	t int64
	v float64
}

func (s sample) T() int64                    { return s.t }
func (sample) ST() int64                     { return 0 }
func (s sample) F() float64                  { return s.v }
func (sample) H() *histogram.Histogram       { return nil }
func (sample) FH() *histogram.FloatHistogram { return nil }
func (sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample         { return s }
