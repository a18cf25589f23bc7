// Package samples has what Prometheus' engine asks of a store that is only float samples in
// memory. What may not live here: how a store gets its samples, or drops them.
package samples

import (
	"context"
	"errors"
	"slices"
	"sort"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// Window is what a query sees of a series.
type Window struct {
	Of     labels.Labels
	Times  []int64 // ms since 1970, increasing
	Values []float64
}

// Cut is the part of a series from a time to another one, both included, ms; false: there is none.
func (w *Window) Cut(from, to int64) (Window, bool) {
	i := sort.Search(len(w.Times), func(i int) bool { return w.Times[i] >= from })
	j := sort.Search(len(w.Times), func(i int) bool { return w.Times[i] > to })
	if i >= j {
		return Window{}, false
	}
	return Window{Of: w.Of, Times: w.Times[i:j], Values: w.Values[i:j]}, true
}

// Matches reports whether labels are what all matchers ask for.
func Matches(l labels.Labels, matchers []*labels.Matcher) bool {
	return !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(l.Get(m.Name)) })
}

// Set is a storage.SeriesSet of windows in their order.
type Set struct {
	windows []Window
	next    int
}

// Add appends a window.
func (s *Set) Add(w Window) { s.windows = append(s.windows, w) }

// Sort orders the windows by their labels.
func (s *Set) Sort() {
	slices.SortFunc(s.windows, func(a, b Window) int { return labels.Compare(a.Of, b.Of) })
}

// Next implements storage.SeriesSet, as do the others.
func (s *Set) Next() bool {
	s.next++
	return s.next <= len(s.windows)
}

// At is the present one.
func (s *Set) At() storage.Series { return &s.windows[s.next-1] }

// Err is nil.
func (*Set) Err() error { return nil }

// Warnings are none.
func (*Set) Warnings() annotations.Annotations { return nil }

// Unlabelled is the part of a storage.Querier that PromQL does not use.
type Unlabelled struct{}

var errNoLabelQueries = errors.New("only queries for samples are answered, none for labels")

// LabelValues implements storage.Querier.
func (Unlabelled) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNoLabelQueries
}

// LabelNames implements storage.Querier.
func (Unlabelled) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNoLabelQueries
}

// Close implements storage.Querier.
func (Unlabelled) Close() error { return nil }

// Labels implements storage.Series.
func (w *Window) Labels() labels.Labels { return w.Of }

// Iterator implements storage.Series.
func (w *Window) Iterator(reuse chunkenc.Iterator) chunkenc.Iterator {
	it, ok := reuse.(*iterator)
	if !ok {
		it = &iterator{}
	}
	it.window, it.i = w, -1
	return it
}

// iterator walks over floats; there are no native histograms here.
type iterator struct {
	window *Window
	i      int
}

func (it *iterator) Next() chunkenc.ValueType {
	it.i = min(it.i+1, len(it.window.Times))
	return it.kind()
}

func (it *iterator) Seek(t int64) chunkenc.ValueType { //nolint:govet // the interface is Prometheus'
	it.i = max(it.i, 0)
	rest := it.window.Times[min(it.i, len(it.window.Times)):]
	it.i += sort.Search(len(rest), func(i int) bool { return rest[i] >= t })
	return it.kind()
}

func (it *iterator) kind() chunkenc.ValueType {
	if it.i >= len(it.window.Times) {
		return chunkenc.ValNone
	}
	return chunkenc.ValFloat
}

func (it *iterator) At() (int64, float64) { return it.window.Times[it.i], it.window.Values[it.i] }
func (it *iterator) AtT() int64           { return it.window.Times[it.i] }
func (*iterator) AtST() int64             { return 0 }
func (*iterator) Err() error              { return nil }

func (it *iterator) AtHistogram(*histogram.Histogram) (int64, *histogram.Histogram) {
	return it.AtT(), nil
}

func (it *iterator) AtFloatHistogram(*histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return it.AtT(), nil
}

var (
	_ storage.Series    = (*Window)(nil)
	_ chunkenc.Iterator = (*iterator)(nil)
)
