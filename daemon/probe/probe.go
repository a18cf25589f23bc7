// Package probe asks a Prometheus what stands behind a query: which recording rules, how
// often its series have samples, and where the buckets of its histograms end.
//
// What lives here is the asking. What a value is belongs to daemon/observe, and what
// follows from the answers to those who ask.
package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/rules"
)

// API is the part of Prometheus' client that is needed: v1.API has it.
type API interface {
	Query(ctx context.Context, query string, at time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error)
	Rules(ctx context.Context, matches []string) (v1.RulesResult, error)
	Buildinfo(ctx context.Context) (v1.BuildinfoResult, error)
}

// Rule is a recording rule.
type Rule struct {
	Name     string
	Query    rules.Query // the zero value if windvane could not read it as a query
	Group    string
	Interval time.Duration // of the group
	Problem  string        // of the last evaluation; empty: none
}

// Recorded are the recording rules of a Prometheus by the names of what they record.
type Recorded map[string][]Rule

// Rules returns the recording rules that are loaded.
func Rules(ctx context.Context, api API) (Recorded, error) {
	result, err := api.Rules(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("read the recording rules: %w", err)
	}
	out := Recorded{}
	for _, g := range result.Groups {
		for _, loaded := range g.Rules {
			r, ok := loaded.(v1.RecordingRule)
			if !ok {
				continue
			}
			rule := Rule{Name: r.Name, Group: g.Name, Interval: time.Duration(g.Interval * float64(time.Second)), Problem: r.LastError}
			if q, err := rules.ParseQuery(r.Name, r.Query); err == nil {
				rule.Query = q
			}
			out[r.Name] = append(out[r.Name], rule)
		}
	}
	return out, nil
}

// Behind returns the recording rules that a query reads, directly or through others, each
// once, in the order in which they are met.
func (r Recorded) Behind(q rules.Query) []Rule {
	var out []Rule
	seen := map[string]bool{}
	var follow func(q rules.Query)
	follow = func(q rules.Query) {
		if q.Expr == "" {
			return
		}
		for _, name := range q.Metrics() {
			if seen[name] {
				continue
			}
			seen[name] = true
			for _, rule := range r[name] {
				out = append(out, rule)
				follow(rule.Query)
			}
		}
	}
	follow(q)
	return out
}

// depth bounds how far rules that read rules are followed; one that reads itself would
// never end.
const depth = 5

// Quantiles returns the quantiles of histograms that a query takes, directly or through
// recording rules; empty: none was found.
func (r Recorded) Quantiles(q rules.Query) []rules.Quantile { return r.quantiles(q, 1, depth) }

func (r Recorded) quantiles(q rules.Query, factor float64, left int) []rules.Quantile {
	if q.Expr == "" || left == 0 {
		return nil
	}
	found, plain := q.Quantiles()
	for i := range found {
		found[i].Factor *= factor
	}
	for _, p := range plain {
		name, _, _ := strings.Cut(p.Selector, "{")
		for _, rule := range r[name] {
			found = append(found, r.quantiles(rule.Query, factor*p.Factor, left-1)...)
		}
	}
	return found
}

// Window is how far back Sampling looks.
const Window = 5 * time.Minute

// ErrFew says that there are too few samples to tell.
var ErrFew = errors.New("too few samples in the last " + model.Duration(Window).String())

// Sampling returns how often the fullest of a selector's series had a sample of late: the
// median of the times between them. The error is ErrFew where there are fewer than three.
func Sampling(ctx context.Context, api API, selector string, at time.Time) (time.Duration, error) {
	window := "[" + model.Duration(Window).String() + "]"
	value, err := query(ctx, api, "topk(1, count_over_time("+selector+window+"))", at)
	if err != nil {
		return 0, err
	}
	name, _, _ := strings.Cut(selector, "{")
	fullest, ok := value.(model.Vector)
	if !ok || len(fullest) == 0 || name == "" || fullest[0].Value < 3 {
		return 0, ErrFew
	}
	metric := fullest[0].Metric.Clone()
	metric[model.MetricNameLabel] = model.LabelValue(name)
	if value, err = query(ctx, api, metric.String()+window, at); err != nil {
		return 0, err
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return 0, ErrFew
	}
	var gaps []time.Duration
	for _, series := range matrix {
		if len(series.Metric) != len(metric) { // one with more labels matches as well
			continue
		}
		for i := 1; i < len(series.Values); i++ {
			gaps = append(gaps, series.Values[i].Timestamp.Sub(series.Values[i-1].Timestamp))
		}
	}
	if len(gaps) < 2 {
		return 0, ErrFew
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2], nil
}

// Buckets are where the buckets of a histogram end.
type Buckets struct {
	Bounds []float64 // finite, ascending; in the histogram's unit
	Uneven bool      // not all series have all of them
}

// BucketsOf returns the buckets of the histogram behind a selector. None at all means that
// there is no such series, or that they are native histograms.
func BucketsOf(ctx context.Context, api API, selector string, at time.Time) (Buckets, error) {
	value, err := query(ctx, api, "count by (le) ("+selector+")", at)
	if err != nil {
		return Buckets{}, err
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return Buckets{}, fmt.Errorf("the answer is a %s; want an instant vector", value.Type())
	}
	var out Buckets
	for _, s := range vector {
		bound, err := strconv.ParseFloat(string(s.Metric[model.BucketLabel]), 64)
		if err != nil { // no bucket
			continue
		}
		out.Uneven = out.Uneven || s.Value != vector[0].Value
		if !math.IsInf(bound, 0) && !math.IsNaN(bound) {
			out.Bounds = append(out.Bounds, bound)
		}
	}
	slices.Sort(out.Bounds)
	return out, nil
}

// query asks for a value; warnings are errors, because what is incomplete misleads.
func query(ctx context.Context, api API, expr string, at time.Time) (model.Value, error) {
	value, warnings, _, err := api.Query(ctx, expr, at)
	switch {
	case err != nil:
		return nil, err
	case len(warnings) > 0:
		return nil, fmt.Errorf("prometheus warned: %s", strings.Join(warnings, "; "))
	case value == nil:
		return nil, errors.New("the answer has no value")
	}
	return value, nil
}
