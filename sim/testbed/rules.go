package testbed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

// ruleFile is a Prometheus rule file, as far as recording rules go.
type ruleFile struct {
	Groups []ruleGroup `json:"groups"`
}

type ruleGroup struct {
	Name     string          `json:"name"`
	Interval *model.Duration `json:"interval,omitempty"` // none: the testbed's EvaluationInterval
	Rules    []rule          `json:"rules"`

	every time.Duration
}

type rule struct {
	Record string            `json:"record"`
	Expr   string            `json:"expr"`
	Labels map[string]string `json:"labels,omitempty"`

	live map[*series]bool // what the last evaluation gave
}

// loadRules reads a rule file; every gives the interval of groups without their own.
func loadRules(src []byte, every time.Duration) ([]*ruleGroup, error) {
	var file ruleFile
	if err := yaml.UnmarshalStrict(src, &file); err != nil {
		return nil, fmt.Errorf("rule file: %w", err)
	}
	var groups []*ruleGroup
	for i := range file.Groups {
		g := &file.Groups[i]
		g.every = every
		if g.Interval != nil {
			g.every = time.Duration(*g.Interval)
		}
		if g.every <= 0 {
			return nil, fmt.Errorf("rule group %s: interval of %s; want a positive duration", g.Name, g.every)
		}
		for _, r := range g.Rules {
			if err := r.validate(); err != nil {
				return nil, fmt.Errorf("rule group %s: rule %q: %w", g.Name, r.Record, err)
			}
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func (r rule) validate() error {
	if !model.UTF8Validation.IsValidMetricName(r.Record) {
		return errors.New("record must be the name of a metric; the testbed evaluates recording rules only")
	}
	if _, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr); err != nil {
		return fmt.Errorf("expr: %w", err)
	}
	return nil
}

// evaluate runs the rules of a group in their order, each seeing the results of those before it.
func (g *ruleGroup) evaluate(ctx context.Context, engine *promql.Engine, s *store, at time.Time) error {
	for i := range g.Rules {
		if err := g.Rules[i].evaluate(ctx, engine, s, at); err != nil {
			return fmt.Errorf("rule group %s: rule %s: %w", g.Name, g.Rules[i].Record, err)
		}
	}
	return nil
}

func (r *rule) evaluate(ctx context.Context, engine *promql.Engine, s *store, at time.Time) error {
	query, err := engine.NewInstantQuery(ctx, s, nil, r.Expr, at)
	if err != nil {
		return err
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return result.Err
	}
	switch v := result.Value.(type) {
	case promql.Vector:
		return r.record(s, at.UnixMilli(), v)
	case promql.Scalar:
		return r.record(s, at.UnixMilli(), promql.Vector{{F: v.V}})
	default:
		return fmt.Errorf("expr gives a %s; want an instant vector or a scalar", result.Value.Type())
	}
}

// record adds the results to the store, and marks stale what the evaluation before gave
// and this one does not. The order of results is one of chance where the engine goes
// over a map, as for histogram_quantile; new series must not be in that order.
func (r *rule) record(s *store, at int64, results promql.Vector) error {
	for i := range results {
		if results[i].H != nil {
			return errors.New("expr gives native histograms, which the testbed does not keep; give plain numbers")
		}
		results[i].Metric = r.labels(results[i].Metric)
	}
	sortVector(results)
	live := make(map[*series]bool, len(results))
	for _, sample := range results {
		to := s.series(sample.Metric)
		if live[to] {
			return fmt.Errorf("two results have the labels %s; aggregate them to one", to.Of)
		}
		if !s.append(to, at, sample.F) {
			return fmt.Errorf("%s has a sample of this time from elsewhere; give each rule names or labels of its own", to.Of)
		}
		live[to] = true
	}
	for old := range r.live { // in any order: nothing is added but a marker to each
		if !live[old] {
			s.end(old, at)
		}
	}
	r.live = live
	return nil
}

func sortVector(v promql.Vector) {
	slices.SortFunc(v, func(a, b promql.Sample) int { return labels.Compare(a.Metric, b.Metric) })
}

func (r *rule) labels(metric labels.Labels) labels.Labels {
	b := labels.NewBuilder(metric)
	b.Set(model.MetricNameLabel, r.Record)
	for name, v := range r.Labels {
		b.Set(name, v)
	}
	return b.Labels()
}
