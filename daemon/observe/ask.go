package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// answer is what one query was answered with: either a kind and an error, or samples.
type answer struct {
	samples model.Vector // no nil, no histograms
	kind    Kind
	err     error
}

// age is when the newest sample of a selector was taken: for each service, and for
// series that name no service.
type age struct {
	selector string
	times    map[string]time.Time
	kind     Kind // of the failed query; empty: it succeeded
	err      error
}

// ask sends every query, no more than ob.concurrency at a time, and waits for all of
// them.
func (ob *Observer) ask(ctx context.Context, at time.Time) ([]answer, []age) {
	ctx, cancel := context.WithTimeout(ctx, ob.timeout)
	defer cancel()
	values := make([]answer, len(ob.queries))
	ages := make([]age, len(ob.selectors))
	jobs := make(chan func())
	var workers sync.WaitGroup
	for range min(ob.concurrency, ob.Queries()) {
		workers.Go(func() {
			for job := range jobs {
				job()
			}
		})
	}
	for i, q := range ob.queries {
		jobs <- func() { values[i] = ob.query(ctx, q.Expr, at) }
	}
	for i, selector := range ob.selectors {
		jobs <- func() { ages[i] = ob.age(ctx, selector, at) }
	}
	close(jobs)
	workers.Wait()
	return values, ages
}

// query evaluates an expression that has to give an instant vector of numbers.
func (ob *Observer) query(ctx context.Context, expr string, at time.Time) answer {
	if err := ctx.Err(); err != nil {
		return failed(ctx, err) // no connection for an answer that comes too late
	}
	value, warnings, _, err := ob.api.Query(ctx, expr, at, v1.WithTimeout(asPrometheus(ob.timeout)))
	switch {
	case err != nil:
		return failed(ctx, err)
	case len(warnings) > 0:
		return answer{kind: KindPartial, err: fmt.Errorf("prometheus warned: %s", strings.Join(warnings, "; "))}
	case value == nil:
		return answer{kind: KindType, err: errors.New("the answer has no value")}
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return answer{kind: KindType, err: fmt.Errorf("the answer is a %s; want an instant vector", value.Type())}
	}
	for _, s := range vector {
		switch {
		case s == nil:
			return answer{kind: KindType, err: errors.New("the answer has an empty sample")}
		case s.Histogram != nil:
			return answer{kind: KindType, err: errors.New("the answer has native histograms; reduce them with histogram_quantile or the like")}
		case s.Timestamp.Time().UnixMilli() != at.UnixMilli():
			return answer{kind: KindStale, err: fmt.Errorf("the answer is of %s, but %s was asked for: is there a cache in between?",
				s.Timestamp.Time().UTC().Format(time.RFC3339Nano), at.Format(time.RFC3339Nano))}
		}
	}
	return answer{samples: vector}
}

// asPrometheus rounds a timeout up to one that Prometheus can read as the client writes
// it: "2.8s" is no duration of Prometheus', and refuses the query. The deadline here is kept
// to all the same.
func asPrometheus(d time.Duration) time.Duration {
	unit := time.Millisecond
	if d > time.Second {
		unit = time.Second
	}
	return (d + unit - 1).Truncate(unit)
}

// failed judges the error of a query. Of all but two HTTP statuses the client says no
// more than their number, and keeps the answer, in which Prometheus says why, as detail.
func failed(ctx context.Context, err error) answer {
	kind := KindError
	if api, ok := errors.AsType[*v1.Error](err); ok {
		var body struct {
			Type  v1.ErrorType `json:"errorType"`
			Error string       `json:"error"`
		}
		if json.Unmarshal([]byte(api.Detail), &body) == nil && body.Error != "" {
			err = fmt.Errorf("%w: %s: %s", err, body.Type, body.Error)
		}
		if api.Type == v1.ErrTimeout || body.Type == v1.ErrTimeout {
			kind = KindTimeout
		}
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		kind = KindTimeout
	}
	return answer{kind: kind, err: err}
}

// age asks when the newest samples behind a selector were taken.
func (ob *Observer) age(ctx context.Context, selector string, at time.Time) age {
	return ob.dates(selector, ob.query(ctx, ob.ageOf(selector), at), at)
}

// ageOf is the expression that asks when the newest samples behind a selector were taken.
func (ob *Observer) ageOf(selector string) string {
	return fmt.Sprintf("max by (%s) (timestamp(%s))", ob.by, selector)
}

// dates reads the answer to ageOf.
func (ob *Observer) dates(selector string, a answer, at time.Time) age {
	out := age{selector: selector, times: make(map[string]time.Time, len(a.samples)), kind: a.kind, err: a.err}
	for _, s := range a.samples {
		t := float64(s.Value)
		// A time that cannot be (NaN, infinite, after the evaluation) dates nothing. The
		// comparison is written so that NaN fails it.
		if latest := float64(at.UnixMilli()+1) / 1000; !(t > 0 && t <= latest) {
			continue
		}
		out.times[string(s.Metric[ob.by])] = time.UnixMilli(int64(math.Round(t * 1000))).UTC()
	}
	return out
}

// newest returns when the newest sample behind a service's value was taken. A series
// that names no service is behind all values; a query of one service has all series
// that its selectors find behind its value, whatever they are labelled.
func (a age) newest(q Query, service string) (time.Time, bool) {
	if q.Service == "" {
		if t, ok := a.times[service]; ok {
			return t, true
		}
		t, ok := a.times[""]
		return t, ok
	}
	var newest time.Time
	for _, t := range a.times {
		if t.After(newest) {
			newest = t
		}
	}
	return newest, !newest.IsZero()
}
