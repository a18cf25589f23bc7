package ruletest

import (
	"context"
	"errors"
	"fmt"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/windvane/windvane/daemon/observe"
)

// engine answers queries as a Prometheus server with these series would.
type engine struct {
	promql *promql.Engine
	store  store
}

func newEngine(series []series) engine {
	return engine{store: series, promql: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
		Parser:                   promParser,
	})}
}

// Query implements observe.API.
func (e engine) Query(ctx context.Context, query string, at time.Time, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	q, err := e.promql.NewInstantQuery(ctx, e.store, promql.NewPrometheusQueryOpts(false, 0, nil), query, at)
	if err != nil {
		return nil, nil, nil, err
	}
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return nil, nil, nil, result.Err
	}
	warnings, infos := result.Warnings.AsStrings(query, 10, 10)
	vector, ok := result.Value.(promql.Vector)
	if !ok {
		return nil, nil, nil, fmt.Errorf("the answer is a %s", result.Value.Type())
	}
	out := make(model.Vector, 0, len(vector))
	for _, s := range vector {
		if s.H != nil {
			return nil, nil, nil, errors.New("the answer is a native histogram")
		}
		metric := model.Metric{}
		s.Metric.Range(func(l labels.Label) { metric[model.LabelName(l.Name)] = model.LabelValue(l.Value) })
		out = append(out, &model.Sample{Metric: metric, Value: model.SampleValue(s.F), Timestamp: model.Time(s.T)})
	}
	return out, warnings, infos, nil
}

var _ observe.API = engine{}
