package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"

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

// quantile is what histogram_quantile makes of the counts; NaN of none.
func quantile(counts map[float64]uint64, q float64) float64 {
	var buckets promql.Buckets
	for bound, n := range counts {
		buckets = append(buckets, promql.Bucket{UpperBound: bound, Count: float64(n)})
	}
	v, _, _, _, _, _ := promql.BucketQuantile(q, buckets)
	return v
}

// readStages asks a daemon for its histograms.
func readStages(ctx context.Context, w *stack.Windvane) (stageCounts, error) {
	text, err := w.Ask(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	return parseStages(strings.NewReader(text))
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
