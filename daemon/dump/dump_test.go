package dump

import (
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

const text = `# HELP load Of a service.
# TYPE load gauge
load{service="a"} 1 100.000
load{service="a"} 3 110.000
load{service="a"} 2 105.000
load{service="a"} 9 105.000
load{service="b, \"c\" } d"} 7 110.5 # {trace="x"} 1
other 5 100
# EOF
`

func kept(name string) bool { return name == "load" }

func TestRangesAreAnsweredAsByPrometheus(t *testing.T) {
	d, err := read(strings.NewReader(text), kept)
	if err != nil {
		t.Fatal(err)
	}
	if d.Samples != 4 || d.Duplicates != 1 || d.Unordered != 1 || !d.From.Equal(time.Unix(100, 0)) || !d.To.Equal(time.UnixMilli(110500)) {
		t.Errorf("%+v: want 4 samples, 1 duplicate, 1 that was out of order, from 100 s to 110.5 s", d)
	}
	r := v1.Range{Start: time.Unix(100, 0), End: time.Unix(115, 0), Step: 5 * time.Second}
	got, _, _, err := d.QueryRange(t.Context(), `sum by (service) (load)`, r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{service="a"} =>
1 @[100]
2 @[105]
3 @[110]
3 @[115]
{service="b, \"c\" } d"} =>
7 @[115]`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got, _, _, err = d.QueryRange(t.Context(), `timestamp(load{service="a"}) + rate(load{service="a"}[10s])`, r)
	if err != nil || len(got.(model.Matrix)) != 1 {
		t.Errorf("functions of samples give %v, %v", got, err)
	}
	if _, _, _, err := d.QueryRange(t.Context(), `sum(`, r); err == nil {
		t.Error("what is no PromQL was answered")
	}
}

func TestWhatIsNoDump(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing asked for", "other 5 100\n", "no sample of any metric that the rules file asks for"},
		{"what a target exposes", "load 5\n", `line 1: "load 5" has no value and time`},
		{"no value", "load x 100\n", `line 1: the value "x" is no number`},
		{"no time", "# EOF\nload 1 2026-11-25T13:00:00Z\n", "line 2: the time"},
		{"broken labels", "load{service=\"a 1 100\n", "has no value and time"},
		{"no labels", "load{service} 1 100\n", "line 1: the series"},
		{"a binary file", strings.Repeat("x", 2*longestLine), "this is no OpenMetrics text"},
	} {
		if _, err := read(strings.NewReader(c.text), kept); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(text)
	f.Add("load{service=\"a\\\"} 1 1e99\n")
	f.Add("{\"load\"} NaN 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := read(strings.NewReader(text), func(string) bool { return true })
		if err == nil && (d.Samples == 0 || d.To.Before(d.From)) {
			t.Errorf("%+v without an error", d)
		}
	})
}
