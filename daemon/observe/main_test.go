package observe

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"go.uber.org/goleak"

	"github.com/windvane/windvane/plugins/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.UnixMilli(1_700_000_000_000).UTC()

// series is one sample of an answer. value is as Prometheus writes it.
type series struct{ service, value string } // service "": no label of that name

// reply is how the server answers one query.
type reply struct {
	series   []series
	warnings []string
	kind     string        // of the result; empty: vector
	status   int           // 0: 200
	error    string        // errorType of a refusal
	wait     bool          // for the client to go away
	late     time.Duration // by how much the answer is of an earlier time
	body     func() string // instead of all of the above
}

// prometheus answers with the reply to each expression, and nothing to any other.
type prometheus struct {
	mu      sync.Mutex
	replies map[string]reply
	asked   []string
	form    []map[string][]string
	under   int // way
	most    int
}

func (p *prometheus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	expr := r.Form.Get("query")
	p.mu.Lock()
	answer := p.replies[expr]
	p.asked = append(p.asked, expr)
	p.form = append(p.form, r.Form)
	p.under++
	p.most = max(p.most, p.under)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.under--
		p.mu.Unlock()
	}()
	if answer.wait {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if answer.status != 0 {
		w.WriteHeader(answer.status)
	}
	if answer.body != nil {
		_, _ = fmt.Fprint(w, answer.body())
		return
	}
	_, _ = fmt.Fprint(w, answer.json())
}

func (r reply) json() string {
	if r.error != "" {
		return fmt.Sprintf(`{"status":"error","errorType":%q,"error":"the reason"}`, r.error)
	}
	if r.kind == "scalar" {
		return `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`
	}
	result := []any{}
	for i, s := range r.series {
		labels := map[string]string{"instance": strconv.Itoa(i)}
		if s.service != "" {
			labels["service"] = s.service
		}
		result = append(result, map[string]any{"metric": labels, "value": []any{now.Add(-r.late).Unix(), s.value}})
	}
	b, err := json.Marshal(map[string]any{
		"status": "success", "warnings": r.warnings, "infos": []string{"PromQL info: metric might not be a counter"},
		"data": map[string]any{"resultType": "vector", "result": result},
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// ageOf is the expression that asks for the age of a selector.
func ageOf(selector string) string { return "max by (service) (timestamp(" + selector + "))" }

// before writes the timestamp of a sample that is so old at now.
func before(age time.Duration) string {
	return strconv.FormatFloat(float64(now.Add(-age).UnixMilli())/1000, 'f', 3, 64)
}

// serve returns Prometheus' own client over a server on loopback.
func serve(t testing.TB, replies map[string]reply) (*prometheus, API) {
	t.Helper()
	p := &prometheus{replies: replies}
	server := httptest.NewServer(p)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	return p, client(t, server.URL, transport)
}

func client(t testing.TB, url string, transport http.RoundTripper) API {
	t.Helper()
	c, err := api.NewClient(api.Config{Address: url, RoundTripper: transport})
	if err != nil {
		t.Fatal(err)
	}
	return v1.NewAPI(c)
}

// latency is a signal whose expression reads two selectors.
var latency = Query{Name: "latency", Role: policy.RoleLatency, Expr: "q", Selectors: []string{"a", "b"}}

func options(a API, queries ...Query) Options {
	return Options{
		API: a, Queries: queries, By: "service", Services: []string{"y", "x"},
		Freshness: 10 * time.Second, Timeout: 5 * time.Second,
	}
}

func observer(t testing.TB, o Options) *Observer {
	t.Helper()
	ob, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return ob
}

// problems writes what is wrong as "query/service kind".
func problems(o Observation) string {
	var out []string
	for _, p := range o.Problems {
		out = append(out, fmt.Sprintf("%s/%s %s", p.Query, p.Service, p.Kind))
	}
	return strings.Join(out, ", ")
}

// errorText joins the errors of all problems.
func errorText(o Observation) string {
	var out []string
	for _, p := range o.Problems {
		out = append(out, p.Err.Error())
	}
	return strings.Join(out, "; ")
}

func statuses(s policy.State) string {
	var out []string
	for _, s := range s {
		text := fmt.Sprintf("%s/%s %s", s.Service, s.Name, s.Status)
		if s.Status == policy.Valid {
			text += " " + strconv.FormatFloat(s.Value, 'g', -1, 64)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }
