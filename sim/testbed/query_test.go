package testbed_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/sim/testbed"
)

// get asks the Prometheus API without a client that would hide something.
func get(t testing.TB, bed *testbed.Testbed, path string, form url.Values) (int, string) {
	t.Helper()
	answer, err := http.Get(bed.PrometheusURL() + path + "?" + form.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestQueryKinds(t *testing.T) {
	bed := start(t, options(20))
	p := prom(t, bed)
	advance(t, bed, 10*time.Second)
	now := model.TimeFromUnix(bed.Now().Unix())
	for expr, want := range map[string]model.Value{
		"1 + 1":          &model.Scalar{Value: 2, Timestamp: now},
		"vector(time())": model.Vector{{Metric: model.Metric{}, Value: model.SampleValue(now.Unix()), Timestamp: now}},
		"vector(1/0)":    model.Vector{{Metric: model.Metric{}, Value: model.SampleValue(math.Inf(1)), Timestamp: now}},
		"no_such_metric": model.Vector{},
		"no_such[1m]":    model.Matrix{},
		"time() - 5":     &model.Scalar{Value: model.SampleValue(now.Unix() - 5), Timestamp: now},
	} {
		if d := cmp.Diff(want, query(t, bed, p, expr)); d != "" {
			t.Errorf("%s (-want +got):\n%s", expr, d)
		}
	}
	if nan, ok := query(t, bed, p, "vector(0/0)").(model.Vector); !ok || len(nan) != 1 || !math.IsNaN(float64(nan[0].Value)) {
		t.Errorf("vector(0/0) = %v, want one NaN", nan)
	}
}

// A counter's samples are the emulator's totals at the scrapes, one a second.
func TestRangeSelectorGivesTheScrapes(t *testing.T) {
	bed := start(t, options(20))
	p := prom(t, bed)
	var want []model.SamplePair
	total := 0
	for range 8 {
		advance(t, bed, time.Second)
		total += bed.Take()[0].Carried
		want = append(want, model.SamplePair{Timestamp: model.TimeFromUnix(bed.Now().Unix()), Value: model.SampleValue(total)})
	}
	bed.Take()
	value := query(t, bed, p, `sum by (destination_service_name) (istio_requests_total{destination_service_name="information",response_code="200"})`)
	if got := value.(model.Vector); len(got) != 1 || got[0].Value != want[7].Value {
		t.Fatalf("%v, want %v", got, want[7].Value)
	}
	matrix, _, _, err := p.QueryRange(context.Background(),
		`sum(istio_requests_total{destination_service_name="information",response_code="200"})`,
		v1.Range{Start: epoch.Add(time.Second), End: bed.Now(), Step: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(model.Matrix{{Metric: model.Metric{}, Values: want}}, matrix); d != "" {
		t.Errorf("range query (-want +got):\n%s", d)
	}
	// Ranges are open on the left, as since Prometheus 3: the sample at its start is not in it.
	if got := vector(t, bed, p, `count_over_time(istio_requests_total{destination_service_name="information",destination_version="v1",response_code="200"}[5s])`, "response_code"); got["200"] != 5 {
		t.Errorf("%v samples in 5 s, want 5", got["200"])
	}
	if got := vector(t, bed, p, `max_over_time(windvane:offered:rate[10s:])`, "service"); len(got) != 2 {
		t.Errorf("subquery without a step: %v, want both services", got)
	}
}

// Whoever judges the freshness of a signal relies on this: the answer carries the time
// of its evaluation, timestamp() that of the sample, and the sample of a recorded series
// that of the rule's evaluation.
func TestTimestamps(t *testing.T) {
	bed := start(t, options(20))
	p := prom(t, bed)
	advance(t, bed, 13500*time.Millisecond) // scraped at 13 s, rules evaluated at 10 s
	seconds := func(d time.Duration) float64 { return float64(epoch.Add(d).UnixMilli()) / 1000 }
	for expr, want := range map[string]time.Duration{
		`max by (service) (timestamp(windvane:latency_seconds:p95))`:                                          10 * time.Second,
		`max by (service) (timestamp(windvane:offered:rate))`:                                                 10 * time.Second,
		`max by (service) (label_replace(timestamp(istio_requests_total), "service", "information", "", ""))`: 13 * time.Second,
		`max by (service) (timestamp(windvane:offered:rate * 1))`:                                             13500 * time.Millisecond,
	} {
		got := vector(t, bed, p, expr, "service")
		if len(got) == 0 {
			t.Errorf("%s is empty", expr)
		}
		for service, v := range got {
			if v != seconds(want) {
				t.Errorf("%s of %s: %v s, want %v", expr, service, v-seconds(0), want)
			}
		}
	}
	for _, s := range query(t, bed, p, "windvane:offered:rate").(model.Vector) {
		if !s.Timestamp.Time().Equal(bed.Now()) {
			t.Errorf("the answer is of %v, want the evaluation's %v", s.Timestamp.Time(), bed.Now())
		}
	}
}

// Without a time the testbed's clock is meant, not the machine's.
func TestQueryWithoutATimeIsOfNow(t *testing.T) {
	bed := start(t, options(20))
	advance(t, bed, 7*time.Second)
	code, body := get(t, bed, "/api/v1/query", url.Values{"query": {"time()"}})
	const want = `{"status":"success","data":{"resultType":"scalar","result":[1772366407,"1772366407"]}}`
	if code != http.StatusOK || body != want {
		t.Errorf("%d %s, want %s", code, body, want)
	}
}

func TestEmptyAnswersAreLists(t *testing.T) {
	bed := start(t, options(20))
	for path, form := range map[string]url.Values{
		"/api/v1/query":       {"query": {"none"}},
		"/api/v1/query_range": {"query": {"none"}, "start": {"1772366400"}, "end": {"1772366400.5"}, "step": {"1s"}},
	} {
		if _, body := get(t, bed, path, form); !strings.Contains(body, `"result":[]`) {
			t.Errorf("%s: %s, want an empty list", path, body)
		}
	}
}

// A query may ask for an order; otherwise the labels give it, or histogram_quantile
// would answer in one of chance.
func TestOrderOfAnswers(t *testing.T) {
	bed := start(t, options(20))
	p := prom(t, bed)
	advance(t, bed, 20*time.Second)
	names := func(expr string) (out []string) {
		for _, s := range query(t, bed, p, expr).(model.Vector) {
			out = append(out, string(s.Metric["service"]+s.Metric["destination_service_name"]))
		}
		return out
	}
	ascending, descending := []string{"compute", "information"}, []string{"information", "compute"}
	for range 20 {
		if got := names("histogram_quantile(.5, sum by (le, destination_service_name) (rate(istio_request_duration_milliseconds_bucket[5s])))"); !slices.Equal(got, ascending) {
			t.Fatalf("histogram_quantile gives %v, want %v", got, ascending)
		}
	}
	for expr, want := range map[string][]string{
		"sort(windvane:latency_seconds:p95)":        descending, // information is the faster one
		"(sort_desc(windvane:latency_seconds:p95))": ascending,
		"bottomk(2, windvane:latency_seconds:p95)":  descending,
	} {
		if got := names(expr); !slices.Equal(got, want) {
			t.Errorf("%s gives %v, want %v", expr, got, want)
		}
	}
}

func TestQueryErrors(t *testing.T) {
	bed := start(t, options(20))
	p := prom(t, bed)
	advance(t, bed, 10*time.Second)
	for expr, want := range map[string]v1.ErrorType{
		"sum(": v1.ErrBadData,
		"":     v1.ErrBadData,
		"istio_requests_total + on (reporter) istio_requests_total": v1.ErrExec,
	} {
		_, _, _, err := p.Query(context.Background(), expr, bed.Now())
		var api *v1.Error
		if !errors.As(err, &api) || api.Type != want {
			t.Errorf("%q: error %v, want of type %s", expr, err, want)
		}
	}
	at := "1772366400"
	for _, c := range []struct {
		path   string
		form   url.Values
		status int
		want   string
	}{
		{"query", url.Values{"query": {"sum("}}, 400, `"errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error`},
		{"query", url.Values{"query": {"up"}, "time": {"yesterday"}}, 400, `cannot parse \"yesterday\" to a valid timestamp`},
		{"query", url.Values{"query": {"up"}, "time": {"NaN"}}, 400, "valid timestamp"},
		{"query", url.Values{"query": {"up"}, "timeout": {"x"}}, 400, `invalid parameter \"timeout\"`},
		{"query", url.Values{"query": {"up"}, "lookback_delta": {"x"}}, 400, "lookback delta"},
		{"query", url.Values{"query": {"up + on () up"}, "timeout": {"0s"}}, 503, `"errorType":"timeout"`},
		{"query_range", url.Values{"query": {"up"}, "end": {at}, "step": {"1"}}, 400, `invalid parameter \"start\"`},
		{"query_range", url.Values{"query": {"up"}, "start": {at}, "step": {"1"}}, 400, `invalid parameter \"end\"`},
		{"query_range", url.Values{"query": {"up"}, "start": {at}, "end": {"1"}, "step": {"1"}}, 400, "must not be before start time"},
		{"query_range", url.Values{"query": {"up"}, "start": {at}, "end": {at}, "step": {"0"}}, 400, "zero or negative"},
		{"query_range", url.Values{"query": {"up"}, "start": {"0"}, "end": {at}, "step": {"1"}}, 400, "exceeded maximum resolution"},
		{"query_range", url.Values{"query": {"up["}, "start": {at}, "end": {at}, "step": {"1"}}, 400, "parse error"},
	} {
		code, body := get(t, bed, "/api/v1/"+c.path, c.form)
		if code != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %v: %d %s\nwant %d with %s", c.path, c.form, code, body, c.status, c.want)
		}
		if !json.Valid([]byte(body)) {
			t.Errorf("%s: not JSON: %s", c.path, body)
		}
	}
}

func TestQueryTakesTimesAndDurationsAsPrometheusDoes(t *testing.T) {
	bed := start(t, options(20))
	advance(t, bed, 10*time.Second)
	want := ""
	for _, form := range []url.Values{
		{"time": {"1772366405.5"}, "timeout": {"5"}},
		{"time": {"2026-03-01T12:00:05.5Z"}, "timeout": {"5s"}},
		{"time": {"2026-03-01T13:00:05.500+01:00"}, "lookback_delta": {"1m"}},
	} {
		form.Set("query", "istio_requests_total")
		code, body := get(t, bed, "/api/v1/query", form)
		if want == "" {
			want = body
		}
		if code != http.StatusOK || body != want || !strings.Contains(body, "1772366405.5,") {
			t.Errorf("%v: %d %s, want %s", form, code, body, want)
		}
	}
	form := url.Values{"query": {"istio_requests_total"}, "time": {"1772366405.5"}, "lookback_delta": {"100ms"}}
	if _, body := get(t, bed, "/api/v1/query", form); !strings.Contains(body, `"result":[]`) {
		t.Errorf("a look-back of 100 ms finds samples that are 500 ms old: %s", body)
	}
}

// When scrapes fail, series end at once: a look-back of minutes must not show them.
func TestFailingScrapesMakeSeriesStale(t *testing.T) {
	bed := start(t, options(20))
	p := prom(t, bed)
	advance(t, bed, 20*time.Second)
	for _, expr := range []string{"istio_requests_total", "windvane:offered:rate", "windvane:carried:rate", "windvane:latency_seconds:p95"} {
		if got := query(t, bed, p, expr).(model.Vector); len(got) < 2 {
			t.Fatalf("%s before the fault: %v", expr, got)
		}
	}
	bed.Fail(testbed.Faults{Scrapes: true})
	advance(t, bed, time.Second)
	if got := query(t, bed, p, "istio_requests_total").(model.Vector); len(got) != 0 {
		t.Errorf("one failed scrape later: %v, want nothing", got)
	}
	if got := query(t, bed, p, "istio_requests_total offset 1s").(model.Vector); len(got) < 2 {
		t.Errorf("a second earlier: %v, want what there was", got)
	}
	// rate() needs two samples: those at 19 and 20 s are in the window for 4 s more.
	advance(t, bed, 9*time.Second)
	for _, expr := range []string{"windvane:offered:rate", "windvane:carried:rate", "windvane:blocked:ratio", "windvane:latency_seconds:p95", "windvane:split:ratio"} {
		if got := query(t, bed, p, expr).(model.Vector); len(got) != 0 {
			t.Errorf("%s, 10 s after the last scrape: %v, want nothing", expr, got)
		}
	}
	bed.Fail(testbed.Faults{})
	advance(t, bed, 10*time.Second)
	if got := vector(t, bed, p, "windvane:offered:rate", "service"); len(got) != 2 || got["compute"] < 10 {
		t.Errorf("after the fault: %v, want both services at about 20/s", got)
	}
	if got := vector(t, bed, p, "max by (service) (timestamp(windvane:offered:rate))", "service"); got["compute"] != float64(bed.Now().Unix()) {
		t.Errorf("newest sample at %v, want %v", got["compute"], bed.Now().Unix())
	}
}

func TestPrometheusFaults(t *testing.T) {
	bed := start(t, options(20))
	p := prom(t, bed)
	bed.Fail(testbed.Faults{Prometheus: true})
	_, _, _, err := p.Query(context.Background(), "up", bed.Now())
	if api := new(v1.Error); !errors.As(err, &api) || api.Type != v1.ErrServer || !strings.Contains(api.Msg, "503") {
		t.Errorf("query: %v, want a server error", err)
	}
	for _, path := range []string{"/-/healthy", "/-/ready", "/api/v1/query"} {
		if code, _ := get(t, bed, path, nil); code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d, want 503", path, code)
		}
	}
	bed.Fail(testbed.Faults{})
	if code, body := get(t, bed, "/-/ready", nil); code != http.StatusOK || body != "Prometheus Server is Ready.\n" {
		t.Errorf("healed: %d %s", code, body)
	}
	query(t, bed, p, "up")
}

func TestRetention(t *testing.T) {
	o := options(20)
	o.Retention = 30 * time.Second
	bed := start(t, o)
	p := prom(t, bed)
	advance(t, bed, 10*time.Minute)
	const counter = `istio_requests_total{destination_service_name="compute",destination_version="v1",response_code="200"}`
	got := vector(t, bed, p, "count_over_time("+counter+"[10m])", "response_code")["200"]
	if got < 30 || got > 61 {
		t.Errorf("%v samples kept at a retention of 30 scrapes, want 30 to 61", got)
	}
	if got := vector(t, bed, p, "count_over_time("+counter+"[30s])", "response_code")["200"]; got != 30 {
		t.Errorf("%v samples within the retention, want all 30", got)
	}
}

// Prometheus 3 stores the bound of a bucket as OpenMetrics writes it.
func TestBucketBounds(t *testing.T) {
	bed := start(t, options(20))
	p := prom(t, bed)
	advance(t, bed, 5*time.Second)
	got := vector(t, bed, p, `count by (le) (istio_request_duration_milliseconds_bucket)`, "le")
	for _, le := range []string{"0.5", "35.0", "1000.0", "+Inf"} {
		if got[le] == 0 {
			t.Errorf("no bucket with le=%q: %v", le, got)
		}
	}
}
