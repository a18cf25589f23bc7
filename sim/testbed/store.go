package testbed

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sort"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// store keeps samples in memory: append-only per series, the old ones dropped.
// It has no lock; the Testbed's guards it.
type store struct {
	retention int64 // ms; at least as much is kept, of series that go on at most about twice
	byName    map[string][]*series
	byLabels  map[string]*series // key: Labels.Bytes
}

type series struct {
	labels labels.Labels
	times  []int64 // ms, increasing
	values []float64
}

func newStore(retention int64) *store {
	return &store{retention: retention, byName: map[string][]*series{}, byLabels: map[string]*series{}}
}

// series returns the series with these labels, made if there is none.
func (s *store) series(l labels.Labels) *series {
	key := string(l.Bytes(nil))
	found := s.byLabels[key]
	if found == nil {
		found = &series{labels: l}
		s.byLabels[key] = found
		name := l.Get(model.MetricNameLabel)
		s.byName[name] = append(s.byName[name], found)
	}
	return found
}

// append adds a sample. It reports false, and adds nothing, if the series has one of
// that time or later already; a stale marker of the same time gives way.
func (s *store) append(to *series, at int64, v float64) bool {
	n := len(to.times)
	if n > 0 && to.times[n-1] >= at {
		if to.times[n-1] > at || !value.IsStaleNaN(to.values[n-1]) {
			return false
		}
		to.values[n-1] = v
		return true
	}
	if n > 0 && at-to.times[0] > 2*s.retention {
		cut := sort.Search(n, func(i int) bool { return to.times[i] >= at-s.retention })
		to.times = slices.Delete(to.times, 0, cut)
		to.values = slices.Delete(to.values, 0, cut)
	}
	to.times = append(to.times, at)
	to.values = append(to.values, v)
	return true
}

// end marks a series stale, unless it is already, or something has just been added to it.
func (s *store) end(of *series, at int64) {
	if n := len(of.values); n > 0 && !value.IsStaleNaN(of.values[n-1]) {
		s.append(of, at, staleNaN)
	}
}

var staleNaN = math.Float64frombits(value.StaleNaN)

// Querier implements storage.Queryable.
func (s *store) Querier(mint, maxt int64) (storage.Querier, error) {
	return &querier{store: s, mint: mint, maxt: maxt}, nil
}

type querier struct {
	store      *store
	mint, maxt int64
}

// Select implements storage.Querier.
func (q *querier) Select(_ context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	mint, maxt := q.mint, q.maxt
	if hints != nil {
		mint, maxt = hints.Start, hints.End
	}
	set := &seriesSet{}
	for _, candidate := range q.candidates(matchers) {
		if !matches(candidate.labels, matchers) {
			continue
		}
		from := sort.Search(len(candidate.times), func(i int) bool { return candidate.times[i] >= mint })
		to := sort.Search(len(candidate.times), func(i int) bool { return candidate.times[i] > maxt })
		if from < to {
			set.series = append(set.series, &window{labels: candidate.labels, times: candidate.times[from:to], values: candidate.values[from:to]})
		}
	}
	if sorted {
		slices.SortFunc(set.series, func(a, b *window) int { return labels.Compare(a.labels, b.labels) })
	}
	return set
}

// candidates narrows by the name of the metric, where the matchers give one. The
// order is one of insertion or, without a name, of names: a query over a map's
// order would add up floats differently from run to run.
func (q *querier) candidates(matchers []*labels.Matcher) []*series {
	for _, m := range matchers {
		if m.Type == labels.MatchEqual && m.Name == model.MetricNameLabel {
			return q.store.byName[m.Value]
		}
	}
	var all []*series
	for _, group := range q.store.byName {
		all = append(all, group...)
	}
	slices.SortFunc(all, func(a, b *series) int {
		return cmp.Or(cmp.Compare(a.labels.Get(model.MetricNameLabel), b.labels.Get(model.MetricNameLabel)), labels.Compare(a.labels, b.labels))
	})
	return all
}

func matches(l labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

var errNoLabelQueries = errors.New("the testbed answers no queries for labels")

// LabelValues implements storage.Querier; PromQL does not use it.
func (*querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNoLabelQueries
}

// LabelNames implements storage.Querier; PromQL does not use it.
func (*querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNoLabelQueries
}

// Close implements storage.Querier.
func (*querier) Close() error { return nil }

type seriesSet struct {
	series []*window
	next   int
}

func (s *seriesSet) Next() bool {
	s.next++
	return s.next <= len(s.series)
}

func (s *seriesSet) At() storage.Series                { return s.series[s.next-1] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// window is what a query sees of a series.
type window struct {
	labels labels.Labels
	times  []int64
	values []float64
}

func (w *window) Labels() labels.Labels { return w.labels }

func (w *window) Iterator(reuse chunkenc.Iterator) chunkenc.Iterator {
	it, ok := reuse.(*iterator)
	if !ok {
		it = &iterator{}
	}
	it.window, it.i = w, -1
	return it
}

// iterator walks over floats; there are no native histograms here.
type iterator struct {
	window *window
	i      int
}

func (it *iterator) Next() chunkenc.ValueType {
	it.i = min(it.i+1, len(it.window.times))
	return it.kind()
}

func (it *iterator) Seek(t int64) chunkenc.ValueType { //nolint:govet // the interface is Prometheus'
	it.i = max(it.i, 0)
	rest := it.window.times[min(it.i, len(it.window.times)):]
	it.i += sort.Search(len(rest), func(i int) bool { return rest[i] >= t })
	return it.kind()
}

func (it *iterator) kind() chunkenc.ValueType {
	if it.i >= len(it.window.times) {
		return chunkenc.ValNone
	}
	return chunkenc.ValFloat
}

func (it *iterator) At() (int64, float64) { return it.window.times[it.i], it.window.values[it.i] }
func (it *iterator) AtT() int64           { return it.window.times[it.i] }
func (*iterator) AtST() int64             { return 0 }
func (*iterator) Err() error              { return nil }

func (it *iterator) AtHistogram(*histogram.Histogram) (int64, *histogram.Histogram) {
	return it.AtT(), nil
}

func (it *iterator) AtFloatHistogram(*histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return it.AtT(), nil
}

var (
	_ storage.Queryable = (*store)(nil)
	_ storage.Series    = (*window)(nil)
	_ chunkenc.Iterator = (*iterator)(nil)
)
