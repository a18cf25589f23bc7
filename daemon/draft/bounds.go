package draft

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/probe"
	"github.com/windvane/windvane/rules"
)

// days is how far back latencies are looked at.
const days = 3

// proposal is a bound that a service might be held to; the zero value: nothing is known.
type proposal struct {
	measured float64 // seconds; 0: nothing was measured
	bound    float64 // seconds: the end of a bucket, else the measured value
	bucket   bool
}

// propose takes for a bound the end of the bucket at or above the measured latency: there
// it can be measured exactly.
func (s *signals) propose(ctx context.Context) {
	// With recording rules, what was kept in 95 % of the samples. Without, the quantile of
	// all requests together: that of each interval would be too much to ask for.
	expr := "quantile_over_time(0.95, (" + s.exprs["latency"] + " >= 0)[" + span().String() + ":1m])"
	if !s.recorded {
		expr = ranged(direct()["latency"], time.Duration(span()))
	}
	var measured model.Vector
	err := s.ask(ctx, func(ctx context.Context) (err error) {
		measured, err = s.vector(ctx, expr)
		return err
	})
	if err != nil {
		s.note("no bound is proposed: the latencies of the last %d days are not known: %v", days, err)
		return
	}
	ends := s.buckets(ctx)
	for _, sample := range measured {
		v := float64(sample.Value)
		if !(v > 0) || math.IsInf(v, 0) { // nor NaN
			continue
		}
		p := proposal{measured: v, bound: math.Ceil(v*1000) / 1000}
		for _, end := range ends {
			if end >= v*(1-1e-9) {
				p.bound, p.bucket = end, true
				break
			}
		}
		s.bounds[string(sample.Metric[rules.DefaultBy])] = p
	}
}

func span() model.Duration { return model.Duration(days * 24 * time.Hour) }

// buckets returns where the buckets of the latencies end, in seconds; none: unknown.
func (s *signals) buckets(ctx context.Context) []float64 {
	if s.latency.Expr == "" {
		return nil
	}
	behind := s.rules.Quantiles(s.latency)
	if len(behind) == 0 {
		return nil
	}
	var b probe.Buckets
	err := s.ask(ctx, func(ctx context.Context) (err error) {
		b, err = probe.BucketsOf(ctx, s.o.Prometheus, behind[0].Selector, s.o.At)
		return err
	})
	if err != nil || b.Uneven {
		s.note("bounds are proposed without regard to buckets, which are not known")
		return nil
	}
	for i := range b.Bounds {
		b.Bounds[i] *= behind[0].Factor
	}
	return b.Bounds
}
