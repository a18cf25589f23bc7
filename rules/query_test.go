package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSelectors(t *testing.T) {
	for _, tt := range []struct {
		expr string
		want []string
	}{
		{`up`, []string{"up"}},
		{`rate(x{a="b"}[5m] offset 1m) / x{a="b"} @ 100`, []string{`x{a="b"}`}},
		{`max_over_time(rate(y[1m])[5m:]) + on() group_left() {__name__=~"z.*"} @ end()`, []string{`y`, `{__name__=~"z.*"}`}},
		{`a and b unless c or a`, []string{"a", "b", "c"}},
		{`{"http.requests"}`, []string{`{__name__="http.requests"}`}},
	} {
		parsed, err := promql.ParseExpr(tt.expr)
		if err != nil {
			t.Fatalf("%s: %v", tt.expr, err)
		}
		got := Query{parsed: parsed}.Selectors()
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("selectors of %s (-want +got):\n%s", tt.expr, d)
		}
		for _, s := range got {
			if _, err := promql.ParseExpr(s); err != nil {
				t.Errorf("selector %s does not parse: %v", s, err)
			}
		}
	}
}

func TestDrops(t *testing.T) {
	for expr, want := range map[string]bool{
		`x`:                           false,
		`sum(x)`:                      true,
		`sum by (service) (x)`:        false,
		`sum by (pod) (x)`:            true,
		`sum without (pod) (x)`:       false,
		`sum without (service) (x)`:   true,
		`max by (service) (sum(x))`:   true,
		`topk by (pod) (3, x)`:        false,
		`topk(3, sum(x))`:             true,
		`count_values("service", x)`:  false,
		`count_values("other", x)`:    true,
		`-(sum(x))`:                   true,
		`2 * sum(x)`:                  true,
		`sum by (service) (x) > 2`:    false,
		`sum(x) / 2`:                  true,
		`x / y`:                       false,
		`x / sum(y)`:                  true,
		`x / on (service) y`:          false,
		`x / on (pod) y`:              true,
		`x / ignoring (pod) y`:        false,
		`x / ignoring (service) y`:    true,
		`x / on (pod) group_left y`:   false,
		`sum(x) * on () group_left y`: true,
		`sum by (pod) (x) * on (pod) group_left (service) y`: false,
		`y * on (pod) group_right sum by (pod) (x)`:          true,
		`x or sum(y)`:         false,
		`sum(x) or sum(y)`:    true,
		`sum(x) and y`:        true,
		`x unless on (pod) y`: false,
		`histogram_quantile(0.9, sum by (le) (rate(b[1m])))`:          true,
		`histogram_quantile(0.9, sum by (service, le) (rate(b[1m])))`: false,
		`max_over_time(sum(x)[5m:])`:                                  true,
		`rate(x[5m])`:                                                 false,
		`label_replace(sum(x), "service", "a", "", "")`:               false,
		`label_replace(sum(x), "pod", "a", "", "")`:                   true,
		`label_join(sum(x), "service", "", "a")`:                      false,
		`absent(x{service="a"})`:                                      false,
		`vector(1)`:                                                   true,
		`hour()`:                                                      true,
		`x offset 5m`:                                                 false,
	} {
		parsed, err := promql.ParseExpr(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got := drops(parsed, "service"); got != want {
			t.Errorf("drops(%s) = %v, want %v", expr, got, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"bound", "signal", "target"}
	for written, want := range map[string]string{
		"Bound":  `keys are lower case: write "bound"`,
		"tagret": `did you mean "target"?`,
		"sginal": `did you mean "signal"?`,
		"x":      "known: bound, signal, target",
	} {
		if got := Suggest(written, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", written, got, want)
		}
	}
	if got := Suggest("x", nil); got != "" {
		t.Errorf("Suggest with nothing known = %q, want nothing", got)
	}
}
