package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/integration/stack"
)

// stageMetric is windvane's own account of its loop.
const stageMetric = "windvane_loop_stage_duration_seconds"

// stage is one of the latency budget, as docs/metrics.md has it.
type stage struct {
	Name  string   `json:"stage"`
	Count uint64   `json:"count"`
	P50   *float64 `json:"p50_seconds"`
	P99   *float64 `json:"p99_seconds"`
}

// stageCounts are cumulative counts by upper bound, by stage.
type stageCounts map[string]map[float64]uint64

func (s stageCounts) add(other stageCounts) {
	for name, buckets := range other {
		if s[name] == nil {
			s[name] = map[float64]uint64{}
		}
		for bound, n := range buckets {
			s[name][bound] += n
		}
	}
}

// list has the stages in the order in which they happen.
func (s stageCounts) list() []stage {
	order := []string{"sample_age", "observe", "read", "decide", "guard", "prepare", "record", "apply", "settle"}
	var out []stage
	for _, name := range order {
		if buckets := s[name]; len(buckets) > 0 {
			out = append(out, stage{name, buckets[math.Inf(1)], ratio(quantile(buckets, .5), 1), ratio(quantile(buckets, .99), 1)})
		}
	}
	return out
}

// quantile interpolates within a bucket, as histogram_quantile does; NaN of none, and the
// greatest finite bound for what is above it.
func quantile(buckets map[float64]uint64, q float64) float64 {
	all := slices.Sorted(maps.Keys(buckets))
	total := float64(buckets[math.Inf(1)])
	if total == 0 {
		return math.NaN()
	}
	lower, below := 0.0, 0.0
	for _, bound := range all {
		n := float64(buckets[bound])
		if n >= q*total {
			if math.IsInf(bound, 1) {
				return lower
			}
			return lower + (bound-lower)*(q*total-below)/(n-below)
		}
		lower, below = bound, n
	}
	return lower
}

// readStages asks a daemon for its histograms.
func readStages(ctx context.Context, w *stack.Windvane) (stageCounts, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL()+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer func() { _ = a.Body.Close() }() // it was read
	if a.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", q.URL, a.Status)
	}
	return parseStages(a.Body)
}

func parseStages(text io.Reader) (stageCounts, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("/metrics: %w", err)
	}
	out := stageCounts{}
	for _, m := range families[stageMetric].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() != "stage" {
				continue
			}
			buckets := map[float64]uint64{math.Inf(1): m.GetHistogram().GetSampleCount()}
			for _, b := range m.GetHistogram().GetBucket() {
				buckets[b.GetUpperBound()] = b.GetCumulativeCount()
			}
			out[l.GetValue()] = buckets
		}
	}
	return out, nil
}
