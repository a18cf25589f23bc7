package doctor

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/windvane/windvane/daemon/probe"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// buckets looks for the histogram behind each latency objective, and where its buckets end
// around the bound. Within a bucket a quantile is a guess: it is interpolated.
func (e *examination) buckets(ctx context.Context, m Mesh) {
	s := e.sources[m.Rules.Prometheus]
	for _, service := range m.Rules.Services {
		for _, o := range service.Objectives {
			if o.Kind != policy.LatencyObjective {
				continue
			}
			add := e.about(m.Rules.Name, "buckets")
			object := service.Name + "/" + o.Signal
			if !s.answers {
				add(object, Unknown, "not asked: prometheus."+m.Rules.Prometheus+" does not answer", "")
				continue
			}
			f := e.bound(ctx, m.Rules, service, o)
			add(object, f.Status, f.What, f.Do)
		}
	}
}

// bound judges one bound.
func (e *examination) bound(ctx context.Context, m *rules.Mesh, service rules.Service, o rules.Objective) Finding {
	s := e.sources[m.Prometheus]
	q, ok := queryOf(m, service.Name, o.Signal)
	found := s.recorded.Quantiles(q)
	if !ok || len(found) == 0 {
		what := "no histogram_quantile was found behind the signal"
		if s.rulesErr != nil {
			what += "; the recording rules are unknown"
		}
		return Finding{Status: Unknown, What: what, Do: "whether the bound can be measured depends on what the signal is made of"}
	}
	b, err := e.bucketsOf(ctx, m.Prometheus, found[0].Selector)
	switch {
	case err != nil:
		return Finding{Status: Unknown, What: fmt.Sprintf("the buckets of %s: %v", found[0].Selector, err)}
	case len(b.Bounds) == 0:
		return Finding{Status: Unknown, What: found[0].Selector + " has no series with buckets now: nothing was measured of late, or they are native histograms"}
	}
	inSeconds := probe.Buckets{Uneven: b.Uneven}
	for _, at := range b.Bounds {
		inSeconds.Bounds = append(inSeconds.Bounds, at*found[0].Factor)
	}
	return judgeBound(o.Bound, inSeconds)
}

// histogram is where the buckets behind a selector end; unknown with err.
type histogram struct {
	probe.Buckets
	err error
}

// bucketsOf asks once for each selector: most services share theirs.
func (e *examination) bucketsOf(ctx context.Context, source, selector string) (probe.Buckets, error) {
	key := source + "/" + selector
	got, ok := e.bounds[key]
	if !ok {
		s := e.sources[source]
		got.err = e.askSource(ctx, s, func(ctx context.Context) (err error) {
			got.Buckets, err = probe.BucketsOf(ctx, s.api, selector, e.o.Now())
			return err
		})
		e.bounds[key] = got
	}
	return got.Buckets, got.err
}

// queryOf returns the query that gives a service's signal.
func queryOf(m *rules.Mesh, service, signal string) (rules.Query, bool) {
	for _, q := range m.Queries() {
		if q.Service == service && q.Name == signal {
			return q, true
		}
	}
	return m.Query(signal)
}

// judgeBound says where a bound, in seconds, lies among buckets in seconds.
func judgeBound(bound float64, b probe.Buckets) Finding {
	below, above := 0., math.Inf(1)
	for _, at := range b.Bounds {
		switch {
		case math.Abs(at-bound) <= 1e-9*bound:
			if b.Uneven {
				return Finding{Status: Warning, What: fmt.Sprintf("a bucket ends at the bound of %s, but not in all series", seconds(bound)), Do: addBucket(bound)}
			}
			return Finding{Status: OK, What: fmt.Sprintf("a bucket ends at the bound of %s", seconds(bound))}
		case at < bound:
			below = max(below, at)
		default:
			above = min(above, at)
		}
	}
	if math.IsInf(above, 1) {
		return Finding{
			Status: Problem, Do: addBucket(bound),
			What: fmt.Sprintf("the last bucket ends at %s, below the bound of %s: no quantile is ever seen above it, and the objective never as broken", seconds(below), seconds(bound)),
		}
	}
	return Finding{
		Status: Warning, Do: addBucket(bound),
		What: fmt.Sprintf("the bound of %s lies between two buckets, %s and %s: a quantile in between is interpolated, and whether it is above the bound is a guess",
			seconds(bound), seconds(below), seconds(above)),
	}
}

// istioBuckets are the bounds that Istio gives its histograms, ms, as far as latencies go.
var istioBuckets = []float64{1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}

// addBucket says how a bucket is added. The annotation is in Istio's list of resource
// annotations; the names of Istio's own metrics in Envoy start with istiocustom.
func addBucket(bound float64) string {
	own := math.Round(bound*1e6) / 1e3
	all := append(slices.Clone(istioBuckets), own)
	slices.Sort(all)
	var list []string
	for _, at := range slices.Compact(all) {
		list = append(list, strconv.FormatFloat(at, 'f', -1, 64))
	}
	return fmt.Sprintf("move the bound to the end of a bucket, or add one at %v ms. In Istio, at the pods that send the requests (spec.template.metadata of their Deployments):\n", own) +
		"  annotations:\n" +
		"    sidecar.istio.io/statsHistogramBuckets: '{\"istiocustom\":[" + strings.Join(list, ",") + "]}'\n" +
		"In an Envoy of your own, stats_config.histogram_bucket_settings in the bootstrap."
}

func seconds(v float64) string {
	return time.Duration(math.Round(v * float64(time.Second))).String()
}
