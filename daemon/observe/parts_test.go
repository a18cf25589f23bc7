package observe

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
)

// split is a query with a series for each destination of each service.
var split = Query{
	Name: "split", Role: policy.RoleContext, Expr: "s", Selectors: []string{"a"},
	Parts: map[string][]string{"x": {"v1", "v2"}}, PartLabel: "version",
}

func TestPartsAreSignalsOfTheirOwn(t *testing.T) {
	for _, tc := range []struct{ name, series, state, problems string }{
		{"both", "x v1 0.25, x v2 0.75, y v1 1, x v3 0.5", "x/split/v1 valid 0.25, x/split/v2 valid 0.75", ""},
		{"one is missing, which is not 0", "x v2 1", "x/split/v1 absent, x/split/v2 valid 1", `split/v1/x absent no series with service="x" and version="v1"`},
		{"one is there twice", "x v1 0.2, x v1 0.2, x v2 0.6", "x/split/v1 invalid, x/split/v2 valid 0.6", `split/v1/x duplicate 2 series`},
		{"NaN", "x v1 NaN, x v2 NaN", "x/split/v1 invalid, x/split/v2 invalid", "split/v2/x nan"},
	} {
		replies := fresh()
		replies["s"] = reply{body: func() string { return vector(tc.series) }}
		_, a := serve(t, replies)
		ob := observer(t, options(a, split))
		got := ob.Observe(t.Context(), now)
		if d := cmp.Diff(tc.state, statuses(got.State)); d != "" {
			t.Errorf("%s: state (-want +got):\n%s", tc.name, d)
		}
		var problems []string
		for _, p := range got.Problems {
			problems = append(problems, fmt.Sprintf("%s/%s %s %v", p.Query, p.Service, p.Kind, p.Err))
		}
		if text := strings.Join(problems, "; "); !strings.Contains(text, tc.problems) || tc.problems == "" && text != "" {
			t.Errorf("%s: problems %q, want %q in them", tc.name, text, tc.problems)
		}
		if ob.Queries() != 2 {
			t.Errorf("%d queries, want one and its age", ob.Queries())
		}
	}
}

// vector is an answer with series such as "x v1 0.25".
func vector(series string) string {
	var out []string
	for s := range strings.SplitSeq(series, ", ") {
		f := strings.Fields(s)
		out = append(out, fmt.Sprintf(`{"metric":{"service":%q,"version":%q},"value":[%d,%q]}`, f[0], f[1], now.Unix(), f[2]))
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(out, ",") + `]}}`
}
