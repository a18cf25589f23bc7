package lifecycle

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/daemon/verify"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// after is how many intervals behind an interval's end windvane's metrics have to be the same
// for the settings to be known: they show what was read at the beginning of the last cycle, and
// are scraped some time after it.
const after = 3

// reach is how many intervals up to an interval's end, and it included, tell of its settings:
// from a change on it takes so long until what is measured is of the new ones alone.
func reach(m *rules.Mesh) int { return max(3, verify.Delay(m).Cycles()+1) }

// told is what windvane's metrics tell of a knob around an interval.
type told struct{ low, high, samples float64 }

// recorded are windvane's metrics of the settings in force, as docs/metrics.md has them.
type recorded struct {
	knobs   []policy.Knob
	queries []recordedQuery
	sampled float64 // in how many intervals of those that tell there has to be a sample: one may be late
}

// recordedQuery asks for the settings of all knobs of a kind.
type recordedQuery struct {
	kind   policy.KnobKind
	by     []string // labels: what makes the target, and the part if there is one
	series string
}

func newRecorded(m *rules.Mesh) recorded {
	over := reach(m) + after
	r := recorded{knobs: m.Knobs(), sampled: float64(over - 1)}
	for _, q := range []recordedQuery{
		{policy.Weight, []string{"route", "destination"}, "windvane_route_weight_ratio"},
		{policy.Blocking, []string{"service"}, "windvane_blocking_ratio"},
		{policy.Replicas, []string{"deployment"}, "windvane_replicas"},
	} {
		if slices.ContainsFunc(r.knobs, func(k policy.Knob) bool { return k.Kind == q.kind }) {
			q.series += fmt.Sprintf("{mesh=%q}[%s]", m.Name, model.Duration(time.Duration(over)*m.Interval))
			r.queries = append(r.queries, q)
		}
	}
	return r
}

// aggregations make the members of told.
var aggregations = []struct{ among, over string }{{"min", "min_over_time"}, {"max", "max_over_time"}, {"max", "count_over_time"}}

// ask returns what windvane's metrics tell, by instant and number of the knob.
func (r recorded) ask(ctx context.Context, p *Prometheus, of v1.Range) ([][]told, error) {
	out := make([][]told, int(of.End.Sub(of.Start)/of.Step)+1)
	for i := range out {
		out[i] = make([]told, len(r.knobs))
	}
	later := of
	later.Start, later.End = of.Start.Add(after*of.Step), of.End.Add(after*of.Step)
	for _, q := range r.queries {
		var answers []model.Matrix
		for _, a := range aggregations {
			expr := fmt.Sprintf("%s by (%s) (%s(%s))", a.among, strings.Join(q.by, ", "), a.over, q.series)
			streams, warnings, err := observe.QueryRange(ctx, p.API, expr, later, p.Timeout)
			if err != nil {
				return nil, err
			}
			if len(warnings) > 0 {
				break // what it did not answer is not known
			}
			answers = append(answers, streams)
		}
		if len(answers) == len(aggregations) {
			r.fill(out, q, answers, later)
		}
	}
	return out, nil
}

// fill takes the answers to the aggregations of a kind.
func (r recorded) fill(out [][]told, q recordedQuery, answers []model.Matrix, of v1.Range) {
	for i, streams := range answers {
		for _, s := range streams {
			id := policy.KnobID{Kind: q.kind, Target: string(s.Metric[model.LabelName(q.by[0])])}
			if len(q.by) > 1 {
				id.Part = string(s.Metric[model.LabelName(q.by[1])])
			}
			k := slices.IndexFunc(r.knobs, func(k policy.Knob) bool { return k.KnobID == id })
			if k < 0 {
				continue
			}
			for _, v := range s.Values {
				n := int(v.Timestamp.Time().Sub(of.Start) / of.Step)
				if n < 0 || n >= len(out) {
					continue // not what was asked for
				}
				t := &out[n][k]
				*[]*float64{&t.low, &t.high, &t.samples}[i] = float64(v.Value)
			}
		}
	}
}

// setting is that of a knob, if it was known and the same all through the interval.
func (r recorded) setting(k policy.Knob, t told) (v float64, why Reason) {
	switch {
	case !(t.samples >= r.sampled):
		return 0, Unknown
	case !(t.high-t.low < policy.Rounding):
		return 0, Changed
	}
	return onGrid(k, t.low), ""
}

// onGrid is the level of a knob from which a setting differs by rounding only; else it is the
// setting as it is.
func onGrid(k policy.Knob, v float64) float64 {
	for i := range k.Levels {
		if math.Abs(k.Value(i)-v) < policy.Rounding {
			return k.Value(i)
		}
	}
	return v
}
