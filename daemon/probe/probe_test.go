package probe

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/rules"
)

var now = time.Unix(1_700_000_000, 0)

// prometheus answers expressions that begin with a text.
type prometheus struct {
	answers map[string]model.Value
	rules   v1.RulesResult
	warning string
	err     error
}

func (p prometheus) Query(_ context.Context, expr string, _ time.Time, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	var warnings v1.Warnings
	if p.warning != "" {
		warnings = v1.Warnings{p.warning}
	}
	for start, answer := range p.answers {
		if strings.HasPrefix(expr, start) {
			return answer, warnings, nil, p.err
		}
	}
	return nil, warnings, nil, p.err
}

func (p prometheus) Rules(context.Context, []string) (v1.RulesResult, error) { return p.rules, p.err }

func (p prometheus) Buildinfo(context.Context) (v1.BuildinfoResult, error) {
	return v1.BuildinfoResult{}, p.err
}

func parse(t *testing.T, expr string) rules.Query {
	t.Helper()
	q, err := rules.ParseQuery("q", expr)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Rules are followed through others, with what they multiply by; one that reads itself, or
// that cannot be read, ends the search.
func TestRulesAreFollowed(t *testing.T) {
	p := prometheus{rules: v1.RulesResult{Groups: []v1.RuleGroup{{Name: "g", Interval: 2.5, Rules: v1.Rules{
		v1.RecordingRule{Name: "a", Query: "b / 1000"},
		v1.RecordingRule{Name: "b", Query: `histogram_quantile(0.9, rate(x_bucket{y="z"}[5s]))`, LastError: "why"},
		v1.RecordingRule{Name: "loop", Query: "loop + other"},
		v1.RecordingRule{Name: "odd", Query: "1"},
		v1.AlertingRule{Name: "alert"},
	}}}}}
	recorded, err := Rules(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if b := recorded["b"]; len(b) != 1 || b[0].Interval != 2500*time.Millisecond || b[0].Problem != "why" || b[0].Group != "g" {
		t.Errorf("%+v", b)
	}
	behind := recorded.Behind(parse(t, "a + loop + odd"))
	var names []string
	for _, r := range behind {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "a b loop odd" {
		t.Errorf("behind: %s", got)
	}
	if q := recorded.Quantiles(parse(t, "a * 2")); len(q) != 1 || q[0].Selector != `x_bucket{y="z"}` || q[0].Factor != .002 {
		t.Errorf("%+v", q)
	}
	for _, expr := range []string{"loop", "odd", "none"} {
		if q := recorded.Quantiles(parse(t, expr)); len(q) > 0 {
			t.Errorf("%s: %+v", expr, q)
		}
	}
	if _, err := Rules(t.Context(), prometheus{err: errors.New("gone")}); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("%v", err)
	}
}

func TestSampling(t *testing.T) {
	at := func(seconds ...int64) (out []model.SamplePair) {
		for _, s := range seconds {
			out = append(out, model.SamplePair{Timestamp: model.TimeFromUnix(s)})
		}
		return out
	}
	fullest := model.Vector{{Metric: model.Metric{"a": "b"}, Value: 4}}
	for _, c := range []struct {
		name     string
		selector string
		answers  map[string]model.Value
		want     time.Duration
		few      bool
	}{
		{"regular, with a hole", "x", map[string]model.Value{"topk": fullest, `x{a="b"}[5m]`: model.Matrix{
			{Metric: model.Metric{"__name__": "x", "a": "b"}, Values: at(0, 15, 30, 90)},
			{Metric: model.Metric{"__name__": "x", "a": "b", "c": "d"}, Values: at(0, 1, 2, 3)}, // another series
		}}, 15 * time.Second, false},
		{"two samples", "x", map[string]model.Value{"topk": model.Vector{{Value: 2}}}, 0, true},
		{"no series", "x", map[string]model.Value{"topk": model.Vector{}}, 0, true},
		{"no one metric", `{a="b"}`, map[string]model.Value{"topk": fullest}, 0, true},
		{"gone meanwhile", "x", map[string]model.Value{"topk": fullest, `x{`: model.Matrix{}}, 0, true},
	} {
		got, err := Sampling(t.Context(), prometheus{answers: c.answers}, c.selector, now)
		if got != c.want || errors.Is(err, ErrFew) != c.few || (err != nil) != c.few {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	if _, err := Sampling(t.Context(), prometheus{answers: map[string]model.Value{"topk": fullest}, warning: "incomplete"}, "x", now); err == nil || errors.Is(err, ErrFew) {
		t.Errorf("a warning: %v", err)
	}
}

func TestBuckets(t *testing.T) {
	vector := func(counts map[string]float64) model.Vector {
		var out model.Vector
		for _, le := range []string{"+Inf", "0.5", "250.0", "100", "", "NaN"} {
			if n, ok := counts[le]; ok {
				out = append(out, &model.Sample{Metric: model.Metric{"le": model.LabelValue(le)}, Value: model.SampleValue(n)})
			}
		}
		return out
	}
	for _, c := range []struct {
		name   string
		answer model.Value
		want   int
		uneven bool
		fails  bool
	}{
		{"even", vector(map[string]float64{"+Inf": 2, "0.5": 2, "250.0": 2, "100": 2}), 3, false, false},
		{"uneven", vector(map[string]float64{"+Inf": 2, "0.5": 2, "100": 1}), 2, true, false},
		{"native", vector(map[string]float64{"": 2}), 0, false, false},
		{"not a number", vector(map[string]float64{"NaN": 2}), 0, false, false},
		{"none", model.Vector{}, 0, false, false},
		{"a scalar", &model.Scalar{}, 0, false, true},
	} {
		b, err := BucketsOf(t.Context(), prometheus{answers: map[string]model.Value{"count by (le) (x)": c.answer}}, "x", now)
		if len(b.Bounds) != c.want || b.Uneven != c.uneven || (err != nil) != c.fails {
			t.Errorf("%s: %+v, %v", c.name, b, err)
		}
		if c.want == 3 && (b.Bounds[0] != .5 || b.Bounds[2] != 250) {
			t.Errorf("%s: %v", c.name, b.Bounds)
		}
	}
}
