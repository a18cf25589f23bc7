package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/observe"
)

// Prometheus is where history is asked for.
type Prometheus struct {
	API     API
	Offset  time.Duration // query_offset of the source in windvane.toml, as the daemon has it
	Timeout time.Duration // of one question
	Pause   time.Duration // before a question that failed is asked again; the second time twice that, and so on
}

// API is the part of Prometheus' client that is needed: v1.API has it.
type API interface {
	observe.API
	observe.RangeAPI
}

// Prometheus answers no range of more than 11,000 instants. What is asked at a time is far
// less, so that it fits its limits of time and of samples, and into memory here; and less
// still after a failure.
const (
	mostInstants = 2000
	attempts     = 4
)

// measure takes the intervals that Prometheus knows, at the daemon's own instants: the
// multiples of the interval.
func (c *collection) measure(ctx context.Context) error {
	p, step := c.o.Prometheus, c.o.Rules.Interval
	o := observe.ForMesh(c.o.Rules)
	o.API, o.Offset, o.Timeout = p.API, p.Offset, p.Timeout
	ob, err := observe.New(o)
	if err != nil {
		return err
	}
	// The intervals next to those that are asked for tell of what was in force in the first and
	// the last of them.
	beside := time.Duration(reach(c.o.Rules)) * step
	first, last := c.o.From.Truncate(step).Add(-beside), c.o.To.Truncate(step).Add(beside)
	total := int(last.Sub(first)/step) + 1
	around := newWindow(c)
	a := asker{collection: c, observer: ob, recorded: around.metrics}
	log := diary{collection: c}
	var stop func()
	log.read, stop = iter.Pull2(c.journalled())
	defer stop()
	most := mostInstants
	for done := 0; done < total; {
		got, n, err := a.patiently(ctx, first.Add(time.Duration(done)*step), min(most, total-done))
		if err != nil {
			return err
		}
		for _, x := range got {
			if err := log.lookUp(&x); err != nil {
				return err
			}
			if err := around.push(x); err != nil {
				return err
			}
		}
		done += len(got)
		most = min(most, n)
		if c.o.Progress != nil {
			c.o.Progress(done, total)
		}
	}
	return nil
}

// journalled are the intervals of the journal, if there is one.
func (c *collection) journalled() iter.Seq2[interval, error] {
	if c.o.Journal == "" {
		return func(func(interval, error) bool) {}
	}
	return c.recorded()
}

// asker asks Prometheus for a number of intervals.
type asker struct {
	*collection
	observer *observe.Observer
	recorded recorded
	newest   observe.Newest
}

// patiently asks for n intervals, the first of which ends at from; after a failure, for a
// quarter of them. It returns how many it asked for in the end.
func (a *asker) patiently(ctx context.Context, from time.Time, n int) ([]candidate, int, error) {
	for failed := 1; ; failed++ {
		got, err := a.ask(ctx, from, n)
		if err == nil {
			return got, n, nil
		}
		if ctx.Err() != nil {
			return nil, n, ctx.Err()
		}
		if failed == attempts || hopeless(err) {
			to := from.Add(time.Duration(n-1) * a.o.Rules.Interval)
			return nil, n, fmt.Errorf("prometheus, asked for %s to %s: %w%s", from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339), err, hint(err, failed))
		}
		n = max(1, n/4)
		select {
		case <-ctx.Done():
			return nil, n, ctx.Err()
		case <-time.After(time.Duration(failed) * a.o.Prometheus.Pause):
		}
	}
}

// hopeless reports whether the same question would be refused again.
func hopeless(err error) bool {
	api, ok := errors.AsType[*v1.Error](err)
	return ok && (api.Type == v1.ErrBadData || api.Type == v1.ErrClient) && !strings.Contains(api.Msg, "429")
}

func hint(err error, failed int) string {
	switch {
	case hopeless(err):
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf(" (%d times, for fewer intervals each time); give it more time by --timeout, or record the expression by a rule", failed)
	}
	return fmt.Sprintf(" (%d times, for fewer intervals each time)", failed)
}

// candidate is an interval of which the settings are still to be told.
type candidate struct {
	interval
	journalled bool
	told       []told // by windvane's metrics, by knob
}

// ask takes n intervals, the first of which ends at from.
func (a *asker) ask(ctx context.Context, from time.Time, n int) ([]candidate, error) {
	p, step := a.o.Prometheus, a.o.Rules.Interval
	to := from.Add(time.Duration(n-1) * step)
	history, err := a.observer.History(ctx, p.API, from, to, step)
	if err != nil {
		return nil, err
	}
	settings, err := a.recorded.ask(ctx, p, v1.Range{Start: from, End: to, Step: step})
	if err != nil {
		return nil, fmt.Errorf("windvane's own metrics: %w", err)
	}
	fired, err := a.fired(ctx, v1.Range{Start: from, End: to, Step: step})
	if err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	out := make([]candidate, 0, n)
	for i, seen := range history {
		at := from.Add(time.Duration(i) * step)
		x := candidate{told: settings[i]}
		x.interval = interval{at: at, state: a.newest.Renew(seen.State), alerted: fired[at.UnixMilli()]}
		for _, w := range seen.Warnings() {
			a.report.warn(w)
		}
		out = append(out, x)
	}
	return out, nil
}

// fired are the instants, in milliseconds, at the end of intervals in which one of the alerts
// fired.
func (a *asker) fired(ctx context.Context, r v1.Range) (map[int64]bool, error) {
	if len(a.o.Alerts) == 0 {
		return nil, nil
	}
	var either []string
	for _, name := range a.o.Alerts {
		either = append(either, fmt.Sprintf("max_over_time(ALERTS{alertstate=\"firing\",alertname=%q}[%s])", name, model.Duration(a.o.Rules.Interval)))
	}
	streams, warnings, err := observe.QueryRange(ctx, a.o.Prometheus.API, "count("+strings.Join(either, " or ")+")", r, a.o.Prometheus.Timeout)
	if err == nil && len(warnings) > 0 {
		err = fmt.Errorf("prometheus warned: %s: what it did not answer may have fired", strings.Join(warnings, "; "))
	}
	if err != nil {
		return nil, err
	}
	out := map[int64]bool{}
	for _, s := range streams {
		for _, v := range s.Values {
			out[int64(v.Timestamp)] = true
		}
	}
	return out, nil
}
