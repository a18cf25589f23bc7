package testbed

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

// unitTests is a file of promtool's unit tests, as far as those of deploy/prometheus go.
type unitTests struct {
	RuleFiles          []string       `json:"rule_files"`
	EvaluationInterval model.Duration `json:"evaluation_interval"`
	Tests              []unitTest     `json:"tests"`
}

type unitTest struct {
	Name        string         `json:"name"`
	Interval    model.Duration `json:"interval"` // between the values of a series
	InputSeries []struct {
		Series string `json:"series"`
		Values string `json:"values"`
	} `json:"input_series"`
	Expressions []struct {
		Expr     string         `json:"expr"`
		EvalTime model.Duration `json:"eval_time"`
		Samples  []struct {
			Labels string  `json:"labels"`
			Value  float64 `json:"value"`
		} `json:"exp_samples"` // none: nothing is expected
	} `json:"promql_expr_test"`
}

// recording are the files with recording rules; promtool alone tests alerts.
var recording = []string{"istio", "envoy"}

// The unit tests of the shipped rules, by the engine that is at hand; integration/suite
// runs the same files by promtool.
func TestShippedRules(t *testing.T) {
	const dir = "../../deploy/prometheus"
	for _, name := range recording {
		file := filepath.Join(dir, name+".test.yml")
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var tests unitTests
		if err := yaml.UnmarshalStrict(src, &tests); err != nil || len(tests.Tests) < 5 {
			t.Fatalf("%s: %d tests, %v", file, len(tests.Tests), err)
		}
		for _, u := range tests.Tests {
			t.Run(filepath.Base(file)+"/"+u.Name, func(t *testing.T) { u.run(t, dir, tests.RuleFiles, time.Duration(tests.EvaluationInterval)) })
		}
	}
}

func (u unitTest) run(t *testing.T, dir string, ruleFiles []string, every time.Duration) {
	s, engine := u.store(t), newEngine(every)
	var groups []*ruleGroup
	for _, file := range ruleFiles {
		src, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		g, err := loadRules(src, every)
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, g...)
	}
	next := time.Duration(0) // evaluation
	for _, e := range u.Expressions {
		for ; next <= time.Duration(e.EvalTime); next += every {
			for _, g := range groups {
				if err := g.evaluate(t.Context(), engine, s, time.UnixMilli(next.Milliseconds())); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := map[string]float64{}
		for _, x := range e.Samples {
			l, err := parser.NewParser(parser.Options{}).ParseMetric(x.Labels)
			if err != nil {
				t.Fatal(err)
			}
			want[l.String()] = x.Value
		}
		got := ask(t, engine, s, e.Expr, time.UnixMilli(time.Duration(e.EvalTime).Milliseconds()))
		if d := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); d != "" {
			t.Errorf("at %v: %s (-want +got):\n%s", e.EvalTime, e.Expr, d)
		}
	}
	if len(u.Expressions) == 0 {
		t.Error("nothing is expected")
	}
}

// store has all of the input, as promtool loads it before the first evaluation.
func (u unitTest) store(t *testing.T) *store {
	s := newStore(math.MaxInt64 / 4)
	for _, in := range u.InputSeries {
		metric, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(in.Series + " " + in.Values)
		if err != nil {
			t.Fatalf("%s: %v", in.Series, err)
		}
		of := s.series(metric)
		if len(of.Times) > 0 {
			t.Fatalf("%s is there twice", metric)
		}
		for i, v := range values {
			if !v.Omitted {
				s.append(of, (time.Duration(i) * time.Duration(u.Interval)).Milliseconds(), v.Value)
			}
		}
	}
	return s
}

// ask returns the values of an instant vector, by labels.
func ask(t *testing.T, engine *promql.Engine, s *store, expr string, at time.Time) map[string]float64 {
	q, err := engine.NewInstantQuery(t.Context(), s, nil, expr, at)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	v, err := q.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	out := map[string]float64{}
	for _, x := range v {
		out[x.Metric.String()] = x.F
	}
	return out
}

// What the tests of a file of rules leave out is not tested.
func TestShippedRulesAreAllTested(t *testing.T) {
	for _, name := range recording {
		read := func(kind string) string {
			src, err := os.ReadFile(fmt.Sprintf("../../deploy/prometheus/%s.%s.yml", name, kind))
			if err != nil {
				t.Fatal(err)
			}
			return string(src)
		}
		groups, err := loadRules([]byte(read("rules")), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		tests := read("test")
		for _, g := range groups {
			for _, r := range g.Rules {
				if !strings.Contains(tests, r.Record) {
					t.Errorf("%s.test.yml does not test %s", name, r.Record)
				}
			}
		}
	}
}
