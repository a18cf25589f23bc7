package testbed

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sort"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"

	"github.com/windvane/windvane/internal/samples"
)

// store keeps samples in memory: append-only per series, the old ones dropped.
// It has no lock; the Testbed's guards it.
type store struct {
	retention int64 // ms; at least as much is kept, of series that go on at most about twice
	byName    map[string][]*series
	byLabels  map[string]*series // key: Labels.Bytes
}

type series struct{ samples.Window }

func newStore(retention int64) *store {
	return &store{retention: retention, byName: map[string][]*series{}, byLabels: map[string]*series{}}
}

// series returns the series with these labels, made if there is none.
func (s *store) series(l labels.Labels) *series {
	key := string(l.Bytes(nil))
	found := s.byLabels[key]
	if found == nil {
		found = &series{samples.Window{Of: l}}
		s.byLabels[key] = found
		name := l.Get(model.MetricNameLabel)
		s.byName[name] = append(s.byName[name], found)
	}
	return found
}

// append adds a sample. It reports false, and adds nothing, if the series has one of
// that time or later already; a stale marker of the same time gives way.
func (s *store) append(to *series, at int64, v float64) bool {
	n := len(to.Times)
	if n > 0 && to.Times[n-1] >= at {
		if to.Times[n-1] > at || !value.IsStaleNaN(to.Values[n-1]) {
			return false
		}
		to.Values[n-1] = v
		return true
	}
	if n > 0 && at-to.Times[0] > 2*s.retention {
		cut := sort.Search(n, func(i int) bool { return to.Times[i] >= at-s.retention })
		to.Times = slices.Delete(to.Times, 0, cut)
		to.Values = slices.Delete(to.Values, 0, cut)
	}
	to.Times = append(to.Times, at)
	to.Values = append(to.Values, v)
	return true
}

// end marks a series stale, unless it is already, or something has just been added to it.
func (s *store) end(of *series, at int64) {
	if n := len(of.Values); n > 0 && !value.IsStaleNaN(of.Values[n-1]) {
		s.append(of, at, staleNaN)
	}
}

var staleNaN = math.Float64frombits(value.StaleNaN)

// Querier implements storage.Queryable.
func (s *store) Querier(mint, maxt int64) (storage.Querier, error) {
	return &querier{store: s, mint: mint, maxt: maxt}, nil
}

type querier struct {
	samples.Unlabelled
	store      *store
	mint, maxt int64
}

// Select implements storage.Querier.
func (q *querier) Select(_ context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	mint, maxt := q.mint, q.maxt
	if hints != nil {
		mint, maxt = hints.Start, hints.End
	}
	set := &samples.Set{}
	for _, candidate := range q.candidates(matchers) {
		if !samples.Matches(candidate.Of, matchers) {
			continue
		}
		if w, ok := candidate.Cut(mint, maxt); ok {
			set.Add(w)
		}
	}
	if sorted {
		set.Sort()
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
		return cmp.Or(cmp.Compare(a.Of.Get(model.MetricNameLabel), b.Of.Get(model.MetricNameLabel)), labels.Compare(a.Of, b.Of))
	})
	return all
}

var _ storage.Queryable = (*store)(nil)
