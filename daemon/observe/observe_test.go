package observe

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/plugins/policy"
)

// fresh are the answers of a mesh that is well, to be changed by a case.
func fresh() map[string]reply {
	return map[string]reply{
		"q":        {series: []series{{"x", "0.5"}, {"y", "0.25"}, {"other", "9"}}},
		ageOf("a"): {series: []series{{"x", before(3 * time.Second)}, {"y", before(time.Second)}}},
		ageOf("b"): {series: []series{{"x", before(2 * time.Second)}}},
	}
}

func TestObserve(t *testing.T) {
	p, a := serve(t, fresh())
	o := options(a, latency)
	o.Offset = 2 * time.Second
	asked := now.Add(2*time.Second + 300*time.Microsecond)
	got := observer(t, o).Observe(t.Context(), asked)
	want := Observation{
		At: now,
		State: policy.State{
			{Name: "latency", Service: "x", Role: policy.RoleLatency, Value: .5, At: now.Add(-3 * time.Second), Status: policy.Valid},
			{Name: "latency", Service: "y", Role: policy.RoleLatency, Value: .25, At: now.Add(-time.Second), Status: policy.Valid},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("observation (-want +got):\n%s", d)
	}
	for i, form := range p.form {
		if d := cmp.Diff([]string{"1700000000", "5s"}, []string{form["time"][0], form["timeout"][0]}); d != "" {
			t.Errorf("%s: time and timeout (-want +got):\n%s", p.asked[i], d)
		}
	}
	if d := cmp.Diff(sorted([]string{"q", ageOf("a"), ageOf("b")}), sorted(p.asked)); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
}

// Whatever is wrong, the value is not used, and never 0 as if that had been measured.
func TestStatuses(t *testing.T) {
	const good = "x/latency valid 0.5, y/latency valid 0.25"
	for _, tc := range []struct {
		name     string
		expr     string // whose reply is replaced
		reply    reply
		state    string
		problems string
		says     string // in the errors
	}{
		{"empty", "q", reply{}, "x/latency absent, y/latency absent", "latency/x absent, latency/y absent", `no series with service="x"`},
		{"one service missing", "q", reply{series: []series{{"x", "0.5"}}}, "x/latency valid 0.5, y/latency absent", "latency/y absent", `no series with service="y"`},
		{"label dropped", "q", reply{series: []series{{"", "0.5"}}}, "x/latency absent, y/latency absent", "latency/x absent, latency/y absent", "1 have no label service: keep it with `by (service)`"},
		{"several series", "q", reply{series: []series{{"x", "0.5"}, {"x", "0.5"}, {"y", "0.25"}}}, "x/latency invalid, y/latency valid 0.25", "latency/x duplicate", `2 series for service "x": aggregate`},
		{"NaN", "q", reply{series: []series{{"x", "NaN"}, {"y", "0.25"}}}, "x/latency invalid, y/latency valid 0.25", "latency/x nan", "NaN"},
		{"infinite", "q", reply{series: []series{{"x", "+Inf"}, {"y", "-Inf"}}}, "x/latency invalid, y/latency invalid", "latency/x inf, latency/y inf", "infinite"},
		{"a true zero", "q", reply{series: []series{{"x", "0"}, {"y", "-0.0"}}}, "x/latency valid 0, y/latency valid -0", "", ""},
		{"warnings", "q", reply{series: fresh()["q"].series, warnings: []string{"store down", "2"}}, "x/latency invalid, y/latency invalid", "latency/ partial", "store down; 2"},
		{"a scalar", "q", reply{kind: "scalar"}, "x/latency invalid, y/latency invalid", "latency/ type", "scalar; want an instant vector"},
		{"a histogram", "q", reply{body: histogram}, "x/latency invalid, y/latency invalid", "latency/ type", "native histograms"},
		{"of another time", "q", reply{series: fresh()["q"].series, late: time.Second}, "x/latency stale, y/latency stale", "latency/ stale", "is of 2023-11-14T22:13:19Z, but 2023-11-14T22:13:20Z was asked for"},
		{"ages of another time", ageOf("a"), reply{series: fresh()[ageOf("a")].series, late: time.Second}, "x/latency stale, y/latency stale", "latency/x stale, latency/y stale", "the age of a is unknown: the answer is of"},
		{"no JSON", "q", reply{body: func() string { return "<html>" }}, "x/latency absent, y/latency absent", "latency/ error", ""},
		{"no value", "q", reply{body: func() string { return `{"status":"success"}` }}, "x/latency invalid, y/latency invalid", "latency/ type", "no value"},
		{"a refusal", "q", reply{status: 422, error: "execution"}, "x/latency absent, y/latency absent", "latency/ error", "the reason"},
		{"bad data", "q", reply{status: 400, error: "bad_data"}, "x/latency absent, y/latency absent", "latency/ error", "the reason"},
		{"500", "q", reply{status: 500}, "x/latency absent, y/latency absent", "latency/ error", "500"},
		{"502 of a proxy", "q", reply{status: 502, body: func() string { return "Bad Gateway" }}, "x/latency absent, y/latency absent", "latency/ error", "502"},
		{"503 for its own deadline", "q", reply{status: 503, error: "timeout"}, "x/latency absent, y/latency absent", "latency/ timeout", "the reason"},

		{"stale", ageOf("a"), reply{series: []series{{"x", before(10*time.Second + time.Millisecond)}, {"y", before(10 * time.Second)}}}, "x/latency stale, y/latency valid 0.25", "latency/x stale", "10.001s old, more than 10s"},
		{"one selector stale is enough", ageOf("b"), reply{series: []series{{"x", before(time.Minute)}}}, "x/latency stale, y/latency valid 0.25", "latency/x stale", "1m0s old"},
		{"a selector without series", ageOf("b"), reply{}, good, "", ""},
		{"no selector dates the value", ageOf("a"), reply{}, "x/latency valid 0.5, y/latency stale", "latency/y stale", "no selector"},
		{"series that name no service date all", ageOf("a"), reply{series: []series{{"", before(time.Minute)}}}, "x/latency stale, y/latency stale", "latency/x stale, latency/y stale", "1m0s old"},
		{"times that cannot be", ageOf("a"), reply{series: []series{{"x", "NaN"}, {"y", before(-time.Hour)}}}, "x/latency valid 0.5, y/latency stale", "latency/y stale", "no selector"},
		{"times that are no times", ageOf("a"), reply{series: []series{{"x", "0"}, {"y", "+Inf"}}}, "x/latency valid 0.5, y/latency stale", "latency/y stale", "no selector"},
		{"ages partial", ageOf("a"), reply{warnings: []string{"store down"}}, "x/latency invalid, y/latency invalid", "latency/x partial, latency/y partial", "the age of a: prometheus warned: store down"},
		{"ages refused", ageOf("b"), reply{status: 500}, "x/latency stale, y/latency stale", "latency/x error, latency/y error", "the age of b is unknown"},
		{"ages too late", ageOf("b"), reply{status: 503, error: "timeout"}, "x/latency stale, y/latency stale", "latency/x timeout, latency/y timeout", "the age of b is unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			replies := fresh()
			replies[tc.expr] = tc.reply
			_, a := serve(t, replies)
			got := observer(t, options(a, latency)).Observe(t.Context(), now)
			if d := cmp.Diff(tc.state, statuses(got.State)); d != "" {
				t.Errorf("state (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tc.problems, problems(got)); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
			if !strings.Contains(errorText(got), tc.says) {
				t.Errorf("%q does not say %q", errorText(got), tc.says)
			}
			for _, s := range got.State {
				if v, ok := s.Get(); ok != (s.Status == policy.Valid) || !ok && (v != 0 || s.Value != 0) {
					t.Errorf("%s: %v may be used although it is %s", s.Service, s.Value, s.Status)
				}
			}
		})
	}
}

func histogram() string {
	return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"service":"x"},` +
		`"histogram":[1700000000,{"count":"1","sum":"1","buckets":[[0,"0","1","1"]]}]}]}}`
}

func TestObserveEndsInTime(t *testing.T) {
	replies := fresh()
	replies["q"] = reply{wait: true}
	_, a := serve(t, replies)
	o := options(a, latency)
	o.Timeout = 50 * time.Millisecond
	o.Concurrency = 1 // the ages wait behind the query that hangs
	got := observer(t, o).Observe(t.Context(), now)
	if d := cmp.Diff("x/latency absent, y/latency absent", statuses(got.State)); d != "" {
		t.Errorf("state (-want +got):\n%s", d)
	}
	if d := cmp.Diff("latency/ timeout", problems(got)); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
}

func TestObserveWithoutPrometheus(t *testing.T) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	got := observer(t, options(client(t, "http://127.0.0.1:1", transport), latency)).Observe(t.Context(), now)
	if problems(got) != "latency/ error" || statuses(got.State) != "x/latency absent, y/latency absent" {
		t.Errorf("%s; %s", problems(got), statuses(got.State))
	}
}

func TestObserveAfterCancel(t *testing.T) {
	p, a := serve(t, fresh())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := observer(t, options(a, latency)).Observe(ctx, now)
	if problems(got) != "latency/ timeout" || statuses(got.State) != "x/latency absent, y/latency absent" || len(p.asked) > 0 {
		t.Errorf("%s; %s; asked %q", problems(got), statuses(got.State), p.asked)
	}
}

// A service's own query is answered without regard to labels, and takes the place of
// the mesh's.
func TestOwnQuery(t *testing.T) {
	own := Query{Name: "latency", Service: "x", Role: policy.RoleLatency, Expr: "own", Selectors: []string{"c"}}
	for _, tc := range []struct{ name, value, state, problems string }{
		{"valid", "0.75", "x/latency valid 0.75, y/latency valid 0.25", ""},
		{"NaN", "NaN", "x/latency invalid, y/latency valid 0.25", "latency/x nan"},
		{"empty", "", "x/latency absent, y/latency valid 0.25", "latency/x absent"},
		{"two", "1 2", "x/latency invalid, y/latency valid 0.25", "latency/x duplicate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			replies := fresh()
			var answer reply
			for v := range strings.FieldsSeq(tc.value) {
				answer.series = append(answer.series, series{"anything", v})
			}
			replies["own"] = answer
			replies[ageOf("c")] = reply{series: []series{{"a", before(time.Minute)}, {"b", before(4 * time.Second)}}}
			_, a := serve(t, replies)
			got := observer(t, options(a, latency, own)).Observe(t.Context(), now)
			if d := cmp.Diff([]string{tc.state, tc.problems}, []string{statuses(got.State), problems(got)}); d != "" {
				t.Errorf("state and problems (-want +got):\n%s", d)
			}
			if x := got.State.Find("x", "latency"); x.Status == policy.Valid && !x.At.Equal(now.Add(-4*time.Second)) {
				t.Errorf("dated %v, want that of its newest series", x.At)
			}
		})
	}
}

// One failing query leaves the other signals as they are.
func TestSignalsFailApart(t *testing.T) {
	replies := fresh()
	replies["o"] = reply{status: 500}
	_, a := serve(t, replies)
	offered := Query{Name: "offered", Role: policy.RoleOffered, Expr: "o", Selectors: []string{"a"}}
	got := observer(t, options(a, latency, offered)).Observe(t.Context(), now)
	want := "x/latency valid 0.5, x/offered absent, y/latency valid 0.25, y/offered absent"
	if statuses(got.State) != want || problems(got) != "offered/ error" {
		t.Errorf("%s; %s", statuses(got.State), problems(got))
	}
}

func TestTheNumberOfQueriesIsThatOfTheSignals(t *testing.T) {
	offered := Query{Name: "offered", Role: policy.RoleOffered, Expr: "o", Selectors: []string{"b", "a"}}
	for _, n := range []int{1, 10, 1000} {
		p, a := serve(t, nil)
		o := options(a, latency, offered)
		o.Services = nil
		for i := range n {
			o.Services = append(o.Services, fmt.Sprintf("s%d", i))
		}
		o.Concurrency = 2
		ob := observer(t, o)
		got := ob.Observe(t.Context(), now)
		if len(p.asked) != 4 || ob.Queries() != 4 {
			t.Errorf("%d services: %d queries, Queries says %d; want 4", n, len(p.asked), ob.Queries())
		}
		if len(got.State) != 2*n || p.most > 2 {
			t.Errorf("%d services: %d signals, %d queries at a time; want %d and at most 2", n, len(got.State), p.most, 2*n)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	_, a := serve(t, nil)
	for want, change := range map[string]func(*Options){
		"no Prometheus client":    func(o *Options) { o.API = nil },
		"freshness 0s":            func(o *Options) { o.Freshness = 0 },
		"timeout -1s":             func(o *Options) { o.Timeout = -time.Second },
		"offset -1ns":             func(o *Options) { o.Offset = -1 },
		"concurrency -1":          func(o *Options) { o.Concurrency = -1 },
		`"a b" is no label name`:  func(o *Options) { o.By = "a b" },
		"name or expression":      func(o *Options) { o.Queries[0].Expr = "" },
		"selects no series":       func(o *Options) { o.Queries[0].Selectors = nil },
		`there is no service "z"`: func(o *Options) { o.Queries[0].Service = "z" },
		`of service "" is there`:  func(o *Options) { o.Queries = append(o.Queries, latency) },
		`of service "x" is there`: func(o *Options) { o.Queries[0].Service = "x"; o.Queries = append(o.Queries, o.Queries[0]) },
	} {
		o := options(a, latency)
		change(&o)
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "observe: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// The client writes a timeout as Go does. What Prometheus cannot read refuses the query.
func TestTimeoutsThatPrometheusReads(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		time.Nanosecond: time.Millisecond, 800 * time.Millisecond: 800 * time.Millisecond, 1500 * time.Microsecond: 2 * time.Millisecond,
		time.Second: time.Second, 1200 * time.Millisecond: 2 * time.Second, 2800 * time.Millisecond: 3 * time.Second, 24 * time.Second: 24 * time.Second, 90 * time.Second: 90 * time.Second,
	} {
		got := asPrometheus(d)
		if got != want {
			t.Errorf("%v: %v, want %v", d, got, want)
		}
		if _, err := model.ParseDuration(got.String()); err != nil {
			t.Errorf("%v: %v", d, err)
		}
	}
}
