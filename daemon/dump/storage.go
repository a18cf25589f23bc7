package dump

import (
	"context"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/windvane/windvane/internal/samples"
)

// Querier is that of a storage.Queryable.
func (d *Dump) Querier(from, to int64) (storage.Querier, error) {
	return &querier{dump: d, from: from, to: to}, nil
}

// querier sees the samples of a range of time, ms.
type querier struct {
	samples.Unlabelled
	dump     *Dump
	from, to int64
}

// Select is that of a storage.Querier.
func (q *querier) Select(_ context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	from, to := q.from, q.to
	if hints != nil {
		from, to = hints.Start, hints.End
	}
	set := &samples.Set{}
	for _, s := range q.dump.series {
		if !samples.Matches(s.Of, matchers) {
			continue
		}
		if w, ok := s.Cut(from, to); ok {
			set.Add(w)
		}
	}
	if sorted {
		set.Sort()
	}
	return set
}
