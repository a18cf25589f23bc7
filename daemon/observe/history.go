package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// RangeAPI is the part of Prometheus' client that history needs: v1.API has it.
type RangeAPI interface {
	QueryRange(ctx context.Context, query string, r v1.Range, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error)
}

// History evaluates all signals at every instant of a range, and judges them as Observe
// does. It asks each query once, one after the other, for a range that Prometheus admits
// (11,000 instants), and holds the answers. A query that fails is an error, which names it:
// of *v1.Error where Prometheus answered. A range that was answered with warnings makes its
// signals invalid, as it does for Observe.
func (ob *Observer) History(ctx context.Context, api RangeAPI, from, to time.Time, step time.Duration) ([]Observation, error) {
	h := history{observer: ob, at: v1.Range{
		Start: from.Add(-ob.offset).Truncate(time.Millisecond), End: to.Add(-ob.offset).Truncate(time.Millisecond), Step: step,
	}}
	for _, q := range ob.queries {
		a, err := ob.queryRange(ctx, api, q.Expr, h.at)
		if err != nil {
			return nil, fmt.Errorf("signal %s: %w", q.Name, err)
		}
		h.values = append(h.values, a)
	}
	for _, selector := range ob.selectors {
		a, err := ob.queryRange(ctx, api, ob.ageOf(selector), h.at)
		if err != nil {
			return nil, fmt.Errorf("age of %s: %w", selector, err)
		}
		h.ages = append(h.ages, a)
	}
	out := make([]Observation, 0, int(to.Sub(from)/step)+1)
	for at := h.at.Start; !at.After(h.at.End); at = at.Add(step) {
		out = append(out, h.observation(at))
	}
	return out, nil
}

// queryRange evaluates an expression that has to give series of numbers.
func (ob *Observer) queryRange(ctx context.Context, api RangeAPI, expr string, r v1.Range) (*past, error) {
	streams, warnings, err := QueryRange(ctx, api, expr, r, ob.timeout)
	if err != nil {
		return nil, err
	}
	out := &past{streams: streams}
	if len(warnings) > 0 {
		out.failed = answer{kind: KindPartial, err: fmt.Errorf("prometheus warned: %s", strings.Join(warnings, "; "))}
	}
	return out, nil
}

// QueryRange asks for the series of an expression, with a deadline for the one question.
// What Prometheus says of a failure is in the error.
func QueryRange(ctx context.Context, api RangeAPI, expr string, r v1.Range, timeout time.Duration) (model.Matrix, v1.Warnings, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, warnings, _, err := api.QueryRange(ctx, expr, r, v1.WithTimeout(asPrometheus(timeout)))
	if err != nil {
		return nil, warnings, failed(ctx, err).err
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, warnings, errors.New("the answer is no range of series")
	}
	for _, s := range matrix {
		if s == nil || len(s.Histograms) > 0 {
			return nil, warnings, errors.New("the answer has native histograms; reduce them with histogram_quantile or the like")
		}
	}
	return matrix, warnings, nil
}

// past is the answer to a range query, read from its beginning to its end.
type past struct {
	streams model.Matrix
	failed  answer
	next    []int // by stream: its first sample that was not read
	vector  model.Vector
}

// at is the answer at an instant, later than the ones before. It holds until the next.
func (s *past) at(t time.Time) answer {
	if s.failed.kind != "" {
		return s.failed
	}
	if s.next == nil {
		s.next = make([]int, len(s.streams))
	}
	s.vector = s.vector[:0]
	for i, stream := range s.streams {
		n := s.next[i]
		for n < len(stream.Values) && stream.Values[n].Timestamp < model.Time(t.UnixMilli()) {
			n++
		}
		if s.next[i] = n; n < len(stream.Values) && stream.Values[n].Timestamp == model.Time(t.UnixMilli()) {
			s.vector = append(s.vector, &model.Sample{Metric: stream.Metric, Value: stream.Values[n].Value, Timestamp: stream.Values[n].Timestamp})
		}
	}
	return answer{samples: s.vector}
}

// history is the answers to all queries over a range.
type history struct {
	observer *Observer
	at       v1.Range
	values   []*past // by query
	ages     []*past // by selector
}

func (h *history) observation(at time.Time) Observation {
	ob := h.observer
	ages := make([]age, len(ob.selectors))
	for i, selector := range ob.selectors {
		ages[i] = ob.dates(selector, h.ages[i].at(at), at)
	}
	values := make([]answer, len(ob.queries))
	for i := range values {
		values[i] = h.values[i].at(at)
	}
	return ob.judge(at, values, ages)
}

// Warnings are what Prometheus warned of, each once.
func (o Observation) Warnings() (out []string) {
	for _, p := range o.Problems {
		if p.Kind == KindPartial {
			out = append(out, fmt.Sprintf("signal %s: %v", p.Query, p.Err))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
