package ruletest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"github.com/windvane/windvane/internal/samples"
	"github.com/windvane/windvane/rules"
)

// start is when the first sample of a test is taken: any time but that of 1970, which
// dates nothing.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// series is one input series.
type series struct{ samples.Window }

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
	out := series{samples.Window{Of: metric}}
	for i, v := range sequence {
		if v.Histogram != nil {
			t.Invalid("values", "has native histograms, which no signal can be", "")
			return series{}
		}
		if !v.Omitted {
			out.Times = append(out.Times, start.Add(time.Duration(i)*interval).UnixMilli())
			out.Values = append(out.Values, v.Value)
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

// store answers the engine from the series of a test.
type store []series

// Querier implements storage.Queryable.
func (s store) Querier(mint, maxt int64) (storage.Querier, error) {
	return querier{store: s, mint: mint, maxt: maxt}, nil
}

type querier struct {
	samples.Unlabelled
	store      store
	mint, maxt int64
}

// Select implements storage.Querier.
func (q querier) Select(_ context.Context, _ bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	mint, maxt := q.mint, q.maxt
	if hints != nil {
		mint, maxt = hints.Start, hints.End
	}
	set := &samples.Set{}
	for _, s := range q.store {
		if !samples.Matches(s.Of, matchers) {
			continue
		}
		if w, ok := s.Cut(mint, maxt); ok {
			set.Add(w)
		}
	}
	set.Sort()
	return set
}

var _ storage.Queryable = store(nil)
