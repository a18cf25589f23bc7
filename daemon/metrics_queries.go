package daemon

import (
	"context"
	"errors"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/observe"
)

// queryMetrics are of the queries to the sources of signals.
type queryMetrics struct {
	queries *prometheus.CounterVec   // source, result
	seconds *prometheus.HistogramVec // source
	last    *prometheus.GaugeVec     // source
}

func newQueryMetrics(r *prometheus.Registry, counter func(name, help string, labels ...string) *prometheus.CounterVec,
	gauge func(name, help string, labels ...string) *prometheus.GaugeVec,
) queryMetrics {
	return queryMetrics{
		queries: counter("windvane_prometheus_queries_total", "Queries to a source of signals, by what became of them.", "source", "result"),
		seconds: newHistogram(r, "windvane_prometheus_query_duration_seconds", "How long a query to a source of signals took.", "source"),
		last:    gauge("windvane_prometheus_last_success_timestamp_seconds", "Time that the last query which was answered asked for.", "source"),
	}
}

// What became of a query.
const (
	queryOK      = "ok"
	queryPartial = "partial" // answered with warnings, so that it is not used
	queryTimeout = "timeout"
	queryError   = "error"
)

// measured is a source whose queries are counted. What is wrong with single signals of an
// answer is counted elsewhere.
type measured struct {
	observe.API
	source string
	m      queryMetrics
	since  Stopwatch
}

// Query implements observe.API.
func (q measured) Query(ctx context.Context, query string, at time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	begun := q.since()
	value, warnings, infos, err := q.API.Query(ctx, query, at, opts...)
	q.m.seconds.WithLabelValues(q.source).Observe((q.since() - begun).Seconds())
	result := queryOK
	api, isAPI := errors.AsType[*v1.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded) || isAPI && api.Type == v1.ErrTimeout:
		result = queryTimeout
	case err != nil:
		result = queryError
	case len(warnings) > 0:
		result = queryPartial
	}
	q.m.queries.WithLabelValues(q.source, result).Inc()
	if err == nil {
		q.m.last.WithLabelValues(q.source).Set(float64(at.UnixMilli()) / 1000)
	}
	return value, warnings, infos, err
}
