package testbed_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/actuate/istio" //nolint:depguard // the testbed is for the daemon's own clients, and only tests know both
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/testbed"
)

// transcript runs a fixed story, from 20 cycles on with everything in it, and returns every
// answer.
func transcript(t *testing.T, seed uint64, cycles int) []string {
	t.Helper()
	o := options(40)
	o.Seed = seed
	bed := start(t, o)
	r := kubernetes(t, bed)
	a := actuators(t, istio.NewClient(r), r)
	random := rand.New(rand.NewPCG(7, 0))
	var out []string
	for cycle := range cycles {
		advance(t, bed, 5*time.Second)
		bed.Fail(testbed.Faults{Scrapes: cycle/5 == 2})
		for _, expr := range []string{
			"windvane:offered:rate", "windvane:carried:rate", "windvane:blocked:ratio", "windvane:latency_seconds:p95", "windvane:split:ratio",
			"max by (service) (timestamp(windvane:latency_seconds:p95))", `{__name__=~".+"}`,
			"histogram_quantile(.9, sum by (le, destination_service_name) (rate(istio_request_duration_milliseconds_bucket[5s])))",
			"sum(istio_request_duration_milliseconds_sum)",
		} {
			_, body := get(t, bed, "/api/v1/query", url.Values{"query": {expr}})
			out = append(out, expr+": "+body)
		}
		shares := [4]float64{}
		for i := range shares {
			shares[i] = float64(random.IntN(101)) / 100
		}
		put(t, a, action([2]float64{shares[0], shares[1]}, [2]float64{shares[2], shares[3]}, [2]int{1 + random.IntN(3), 1 + random.IntN(3)}))
		out = append(out, fmt.Sprint(do(t, r.Get().AbsPath(frontPath))), fmt.Sprint(bed.Take(), bed.Settings(), bed.Now()))
	}
	_, body := get(t, bed, "/api/v1/query_range", url.Values{
		"query": {"windvane:latency_seconds:p95"}, "start": {epoch.Format(time.RFC3339)}, "end": {bed.Now().Format(time.RFC3339)}, "step": {"5"},
	})
	return append(out, body)
}

func TestTheSameCallsGiveTheSameBytes(t *testing.T) {
	first := transcript(t, 3, 24)
	for range 2 {
		if d := cmp.Diff(first, transcript(t, 3, 24)); d != "" {
			t.Fatalf("the same seed and the same calls differ:\n%s", d)
		}
	}
	if cmp.Equal(transcript(t, 3, 2), transcript(t, 4, 2)) {
		t.Error("another seed changes nothing")
	}
}

// The engine gives quantiles in an order of chance. If their series were made in that
// order, whatever breaks a tie by it would differ.
func TestRecordedQuantilesHaveAnOrder(t *testing.T) {
	first := ""
	for range 10 {
		o := options(40)
		o.Rules = []byte(`groups: [{name: g, rules: [{record: quantile, expr: "histogram_quantile(.7,
			sum by (le, destination_service_name, destination_version) (istio_request_duration_milliseconds_bucket))"}]}]`)
		o.Initial.Blocking = []float64{.5, .5}
		bed := start(t, o)
		advance(t, bed, 5*time.Second)
		_, body := get(t, bed, "/api/v1/query", url.Values{"query": {"topk(3, quantile * 0)"}})
		if first == "" {
			first = body
		}
		if strings.Count(body, "destination_version") != 3 || body != first {
			t.Fatalf("the same calls give\n%s\nand\n%s", first, body)
		}
	}
}

// However time is cut into pieces, what happens in it is the same.
func TestAdvanceInPieces(t *testing.T) {
	whole, pieces := start(t, options(40)), start(t, options(40))
	advance(t, whole, time.Minute)
	random := rand.New(rand.NewPCG(1, 0))
	for left := time.Minute; left > 0; {
		d := min(left, time.Duration(random.Int64N(int64(3*time.Second))))
		advance(t, pieces, d)
		left -= d
	}
	form := url.Values{"query": {`{__name__=~".+"}`}}
	_, a := get(t, whole, "/api/v1/query", form)
	_, b := get(t, pieces, "/api/v1/query", form)
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("samples differ:\n%s", d)
	}
	if d := cmp.Diff(whole.Take(), pieces.Take()); d != "" {
		t.Errorf("totals differ:\n%s", d)
	}
}

func TestTimeStandsStill(t *testing.T) {
	bed := start(t, options(40))
	p := prom(t, bed)
	advance(t, bed, 10*time.Second)
	now, first := bed.Now(), fmt.Sprint(query(t, bed, p, "istio_requests_total"))
	for range 5 {
		advance(t, bed, 0)
		if got := fmt.Sprint(query(t, bed, p, "istio_requests_total")); got != first || !bed.Now().Equal(now) {
			t.Fatalf("something happened while time stood still: at %v\n%s\nat %v\n%s", now, first, bed.Now(), got)
		}
	}
	if err := bed.Advance(-time.Second); err == nil || !strings.Contains(err.Error(), "time does not run backwards") {
		t.Errorf("backwards: %v", err)
	}
}

// Everything at once, for the race detector. What is asked while time runs is of no
// one moment, but it is an answer.
func TestConcurrentUse(t *testing.T) {
	bed := start(t, options(40))
	p := prom(t, bed)
	r := kubernetes(t, bed)
	var all sync.WaitGroup
	repeat := func(f func(i int) error) {
		all.Go(func() {
			for i := range 40 {
				if err := f(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	ctx := context.Background()
	repeat(func(int) error { return bed.Advance(5 * time.Second) })
	for _, expr := range []string{"windvane:latency_seconds:p95", "rate(istio_requests_total[5s])"} {
		repeat(func(int) error {
			_, _, _, err := p.Query(ctx, expr, bed.Now())
			return err
		})
	}
	repeat(func(i int) error {
		return r.Put().AbsPath(scalePath).Body(fmt.Appendf(nil, `{"metadata":{"name":"node-v1"},"spec":{"replicas":%d}}`, 1+i%3)).Do(ctx).Error()
	})
	repeat(func(i int) error {
		return jsonPatch(r, frontPath, fmt.Sprintf(`[{"op":"add","path":"/spec/http/0/route/0/weight","value":%d}]`, 1+i)).Do(ctx).Error()
	})
	repeat(func(int) error { return r.Get().AbsPath(frontPath).Do(ctx).Error() })
	repeat(func(int) error { bed.Take(); bed.Settings(); bed.Fail(testbed.Faults{}); return nil })
	all.Wait()
}

func TestRuleFiles(t *testing.T) {
	group := func(rules string) string { return "groups:\n  - name: g\n    interval: 2s\n    rules:\n" + rules }
	o := options(20)
	o.Rules = []byte(group(`
      - {record: "constant", expr: "42"}
      - {record: "at", expr: "vector(time())", labels: {a: b}}
      - {record: "before", expr: "constant + 1"}
      - {record: "twice", expr: "vector(1)", labels: {k: "1"}}
      - {record: "twice", expr: "vector(2)", labels: {k: "2"}}
      - {record: "sometimes", expr: "vector(1) and on () (vector(time() % 4) == 0)"}
`))
	bed := start(t, o)
	p := prom(t, bed)
	advance(t, bed, 5*time.Second) // evaluated at 2 and 4 s
	for expr, want := range map[string]float64{
		"constant": 42, `at{a="b"} - 1772366400`: 4, "before": 43, `twice{k="1"}`: 1, `twice{k="2"}`: 2,
		"timestamp(constant) - 1772366400": 4, "count_over_time(constant[5s])": 2,
	} {
		if got := vector(t, bed, p, expr, "none"); len(got) != 1 || got[""] != want {
			t.Errorf("%s is %v, want %v", expr, got, want)
		}
	}
	// A result that is not there any more ends its series at once.
	advance(t, bed, time.Second)
	seen := ""
	for range 6 {
		seen += fmt.Sprint(len(vector(t, bed, p, "sometimes", "none")))
		advance(t, bed, time.Second)
	}
	if seen != "001100" {
		t.Errorf("from 6 s on it is there in the seconds %s, want 001100", seen)
	}
}

func TestRuleFileRefusals(t *testing.T) {
	for name, c := range map[string]struct{ rules, want string }{
		"syntax":   {"groups: [", "rule file"},
		"unknown":  {"groups:\n  - name: g\n    rules:\n      - {alert: x, expr: up}\n", `unknown field "alert"`},
		"name":     {"groups:\n  - name: g\n    rules:\n      - {expr: up}\n", "rule group g: rule \"\": record must be the name of a metric"},
		"expr":     {"groups:\n  - name: g\n    rules:\n      - {record: x, expr: 'sum('}\n", `rule "x": expr: 1:5: parse error`},
		"interval": {"groups:\n  - name: g\n    interval: 0s\n    rules: []\n", "want a positive duration"},
	} {
		o := options(20)
		o.Rules = []byte(c.rules)
		if _, err := testbed.New(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct{ rules, want string }{
		"type":      {`{record: x, expr: 'up[5s]'}`, "gives a matrix; want an instant vector or a scalar"},
		"same":      {`{record: x, expr: 'istio_requests_total', labels: {response_code: "", response_flags: "", destination_version: ""}}`, "two results have the labels"},
		"collision": {"{record: x, expr: '1'}\n      - {record: x, expr: '2'}", `{__name__="x"} has a sample of this time from elsewhere`},
	} {
		o := options(20)
		o.Rules = []byte("groups:\n  - name: g\n    rules:\n      - " + c.rules + "\n")
		bed := start(t, o)
		err := bed.Advance(20 * time.Second)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "testbed: at 2026-03-01T12:00:05Z: rule group g: rule x: ") {
			t.Errorf("%s: error %v, want one with %q and its place", name, err, c.want)
		}
		if got := bed.Now().Sub(epoch); got != 5*time.Second {
			t.Errorf("%s: stopped at %v, want 5s", name, got)
		}
	}
}

func TestNewRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *testbed.Options)
		want   string
	}{
		"start":    {func(o *testbed.Options) { o.Start = time.Time{} }, "start is not set"},
		"scrape":   {func(o *testbed.Options) { o.ScrapeInterval = -1 }, "ScrapeInterval is -1ns; want at least 1ms"},
		"evaluate": {func(o *testbed.Options) { o.EvaluationInterval = time.Microsecond }, "EvaluationInterval is 1µs"},
		"graph":    {func(o *testbed.Options) { o.Graph.Services = nil }, "no services"},
		"settle":   {func(o *testbed.Options) { o.SettleSeconds = -1 }, "settle in -1"},
		"initial":  {func(o *testbed.Options) { o.Initial.Blocking = []float64{2, 0} }, "blocking of service information is 2"},
		"mesh":     {func(o *testbed.Options) { o.Mesh = "" }, `"" cannot be the name of a Kubernetes object`},
		"node": {func(o *testbed.Options) {
			o.Graph.Nodes = append(o.Graph.Nodes, emulator.Node{Name: "A_b", Concurrency: 1, Work: o.Graph.Nodes[0].Work})
		}, `"A_b" cannot be the name of a Kubernetes object`},
	} {
		o := options(20)
		c.change(&o)
		var err error
		if o.PrometheusListener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if _, err := testbed.New(o); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "testbed: ") {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if _, err := o.PrometheusListener.Accept(); err == nil {
			t.Errorf("%s: the listener is still open", name)
		}
	}
}

func TestListenersAndClose(t *testing.T) {
	o := options(20)
	var err error
	if o.PrometheusListener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if o.KubernetesListener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	bed := start(t, o)
	if want := "http://" + o.PrometheusListener.Addr().String(); bed.PrometheusURL() != want {
		t.Errorf("prometheus at %s, want %s", bed.PrometheusURL(), want)
	}
	if want := "http://" + o.KubernetesListener.Addr().String(); bed.KubernetesURL() != want {
		t.Errorf("kubernetes at %s, want %s", bed.KubernetesURL(), want)
	}
	// A connection on which nothing was ever sent must not keep Close from succeeding.
	idle, err := net.Dial("tcp", o.PrometheusListener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	get(t, bed, "/-/healthy", nil)
	for range 2 {
		if err := bed.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if answer, err := http.Get(bed.KubernetesURL() + "/version"); err == nil {
		_ = answer.Body.Close()
		t.Error("the servers answer after Close")
	}
}
