package rules_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/windvane/windvane/rules"
)

func TestQuantiles(t *testing.T) {
	type q = rules.Quantile
	for _, c := range []struct {
		expr             string
		quantiles, plain []q
	}{
		{`histogram_quantile(0.95, sum by (le, a) (rate(x_bucket{b="c"}[5s]))) / 1000`, []q{{`x_bucket{b="c"}`, .001}}, nil},
		{`2 * (histogram_quantile(0.9, rate(x_bucket{le!="+Inf"}[1m] offset 5s)) / (4))`, []q{{`x_bucket`, .5}}, nil},
		{`windvane:latency_seconds:p95`, nil, []q{{`windvane:latency_seconds:p95`, 1}}},
		{`(rec_ms / 1000) > 0 or histogram_quantile(0.5, y_bucket)`, []q{{`y_bucket`, 1}}, []q{{`rec_ms`, .001}}},
		{`x / 0`, nil, []q{{`x`, 1}}},
	} {
		parsed, err := rules.ParseQuery("latency", c.expr)
		if err != nil {
			t.Fatalf("%s: %v", c.expr, err)
		}
		quantiles, plain := parsed.Quantiles()
		if d := cmp.Diff([][]q{c.quantiles, c.plain}, [][]q{quantiles, plain}, cmpopts.EquateApprox(1e-12, 0)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.expr, d)
		}
	}
}

func TestParseQuery(t *testing.T) {
	q, err := rules.ParseQuery("latency", `rate(b[1m]) + on () rate(a{x="y"}[5s] offset 1m) + sum({__name__=~"c.*"}) + a`)
	if err != nil {
		t.Fatal(err)
	}
	if longest := q.LookBack(); longest != time.Minute {
		t.Errorf("looks back %v", longest)
	}
	if d := cmp.Diff([]rules.RangeSelector{{"b", time.Minute}, {`a{x="y"}`, 5 * time.Second}}, q.RangeSelectors()); d != "" {
		t.Errorf("ranges (-want +got):\n%s", d)
	}
	if got := q.Metrics(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("metrics %v", got)
	}
	for _, expr := range []string{"", "1", "a[5m]", "sum(", `{le=""}`} {
		if q, err := rules.ParseQuery("x", expr); err == nil {
			t.Errorf("%q is a query: %+v", expr, q)
		}
	}
}
