package testbed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// maxPoints is Prometheus' own limit of the points of a series in a range query.
const maxPoints = 11000

// apiError is an error of the query API: the type and the status that go with it.
type apiError struct {
	kind   string
	status int
	err    error
}

func badData(format string, args ...any) *apiError {
	return &apiError{kind: "bad_data", status: http.StatusBadRequest, err: fmt.Errorf(format, args...)}
}

// envelope is the frame of every answer of Prometheus' API.
type envelope struct {
	Status    string     `json:"status"`
	Data      *queryData `json:"data,omitempty"`
	ErrorType string     `json:"errorType,omitempty"`
	Error     string     `json:"error,omitempty"`
	Warnings  []string   `json:"warnings,omitempty"`
	Infos     []string   `json:"infos,omitempty"`
}

type queryData struct {
	ResultType string `json:"resultType"`
	Result     any    `json:"result"`
}

func (t *Testbed) prometheusHandler() http.Handler {
	mux := http.NewServeMux()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		mux.HandleFunc(method+" /api/v1/query", func(w http.ResponseWriter, r *http.Request) { t.answerQuery(w, r, t.instantQuery) })
		mux.HandleFunc(method+" /api/v1/query_range", func(w http.ResponseWriter, r *http.Request) { t.answerQuery(w, r, t.rangeQuery) })
	}
	t.serveInfo(mux)
	for path, answer := range map[string]string{
		"/-/healthy": "Prometheus Server is Healthy.\n",
		"/-/ready":   "Prometheus Server is Ready.\n",
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			t.mu.Lock()
			failing := t.faults.Prometheus
			t.mu.Unlock()
			if failing {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = w.Write([]byte(answer)) // a caller that hung up needs no answer
		})
	}
	return mux
}

// buildQuery makes a query of a request's form, under the lock.
type buildQuery func(*http.Request) (promql.Query, *apiError)

// answerQuery reads and writes without the lock, so that a slow client holds up nobody.
func (t *Testbed) answerQuery(w http.ResponseWriter, r *http.Request, build buildQuery) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		writeQueryError(w, badData("error parsing form values: %w", err))
		return
	}
	body, err := t.evaluate(r, build)
	if err != nil {
		writeQueryError(w, err)
		return
	}
	write(w, http.StatusOK, body)
}

// evaluate holds the lock while a query runs: the samples stand still, and so does time.
func (t *Testbed) evaluate(r *http.Request, build buildQuery) ([]byte, *apiError) {
	ctx := r.Context()
	if s := r.Form.Get("timeout"); s != "" {
		timeout, err := parseDuration(s)
		if err != nil {
			return nil, badData("invalid parameter \"timeout\": %w", err)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.faults.Prometheus {
		return nil, &apiError{kind: "unavailable", status: http.StatusServiceUnavailable, err: errors.New("switched off by the test")}
	}
	query, apiErr := build(r)
	if apiErr != nil {
		return nil, apiErr
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return nil, executionError(result.Err)
	}
	warnings, infos := result.Warnings.AsStrings(r.Form.Get("query"), 10, 10)
	// The engine owns the result until the query is closed, so it is written out here.
	body, err := json.Marshal(envelope{
		Status: "success", Data: &queryData{ResultType: string(result.Value.Type()), Result: inOrder(query, result.Value)},
		Warnings: warnings, Infos: infos,
	})
	if err != nil {
		return nil, &apiError{kind: "internal", status: http.StatusInternalServerError, err: err}
	}
	return body, nil
}

// inOrder makes the same answer the same bytes: where the query does not ask for an
// order, the engine may give a vector in one of chance.
func inOrder(query promql.Query, v parser.Value) parser.Value {
	switch v := v.(type) {
	case promql.Vector:
		if s, ok := query.Statement().(*parser.EvalStmt); ok && !ordered(s.Expr) {
			sortVector(v)
		}
	case promql.Matrix:
		if v == nil {
			return promql.Matrix{} // "[]" and not "null"
		}
	}
	return v
}

// ordered reports whether an expression gives its series in an order that means something.
func ordered(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return ordered(e.Expr)
	case *parser.StepInvariantExpr:
		return ordered(e.Expr)
	case *parser.Call:
		return strings.HasPrefix(e.Func.Name, "sort")
	case *parser.AggregateExpr:
		return e.Op == parser.TOPK || e.Op == parser.BOTTOMK
	}
	return false
}

func (t *Testbed) instantQuery(r *http.Request) (promql.Query, *apiError) {
	at := t.start.Add(t.elapsed)
	if s := r.Form.Get("time"); s != "" {
		var err error
		if at, err = parseTime(s); err != nil {
			return nil, badData("invalid parameter \"time\": %w", err)
		}
	}
	opts, err := queryOptions(r)
	if err != nil {
		return nil, err
	}
	query, buildErr := t.engine.NewInstantQuery(r.Context(), t.store, opts, r.Form.Get("query"), at)
	if buildErr != nil {
		return nil, badData("invalid parameter \"query\": %w", buildErr)
	}
	return query, nil
}

func (t *Testbed) rangeQuery(r *http.Request) (promql.Query, *apiError) {
	start, err := parseTime(r.Form.Get("start"))
	if err != nil {
		return nil, badData("invalid parameter \"start\": %w", err)
	}
	end, err := parseTime(r.Form.Get("end"))
	if err != nil {
		return nil, badData("invalid parameter \"end\": %w", err)
	}
	step, err := parseDuration(r.Form.Get("step"))
	switch {
	case err != nil:
		return nil, badData("invalid parameter \"step\": %w", err)
	case end.Before(start):
		return nil, badData("invalid parameter \"end\": end timestamp must not be before start time")
	case step <= 0:
		return nil, badData("invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer")
	case end.Sub(start)/step > maxPoints:
		return nil, badData("exceeded maximum resolution of %d points per timeseries. Try decreasing the query resolution (?step=XX)", maxPoints)
	}
	opts, apiErr := queryOptions(r)
	if apiErr != nil {
		return nil, apiErr
	}
	query, err := t.engine.NewRangeQuery(r.Context(), t.store, opts, r.Form.Get("query"), start, end, step)
	if err != nil {
		return nil, badData("invalid parameter \"query\": %w", err)
	}
	return query, nil
}

func queryOptions(r *http.Request) (promql.QueryOpts, *apiError) {
	var lookback time.Duration
	if s := r.Form.Get("lookback_delta"); s != "" {
		var err error
		if lookback, err = parseDuration(s); err != nil {
			return nil, badData("error parsing lookback delta duration: %w", err)
		}
	}
	return promql.NewPrometheusQueryOpts(false, lookback, nil), nil
}

// statusClientClosed is what Prometheus answers to a client that hung up.
const statusClientClosed = 499

func executionError(err error) *apiError {
	var (
		canceled promql.ErrQueryCanceled
		timeout  promql.ErrQueryTimeout
		storage  promql.ErrStorage
	)
	switch {
	case errors.As(err, &canceled), errors.Is(err, context.Canceled):
		return &apiError{kind: "canceled", status: statusClientClosed, err: err}
	case errors.As(err, &timeout):
		return &apiError{kind: "timeout", status: http.StatusServiceUnavailable, err: err}
	case errors.As(err, &storage):
		return &apiError{kind: "internal", status: http.StatusInternalServerError, err: err}
	default:
		return &apiError{kind: "execution", status: http.StatusUnprocessableEntity, err: err}
	}
}

func writeQueryError(w http.ResponseWriter, e *apiError) {
	writeJSON(w, e.status, envelope{Status: "error", ErrorType: e.kind, Error: e.err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, status, b)
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that hung up needs no answer
}

// parseTime reads seconds since 1970 or RFC 3339, as Prometheus does.
func parseTime(s string) (time.Time, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1e11 {
		seconds, fraction := math.Modf(f)
		return time.Unix(int64(seconds), int64(math.Round(fraction*1000))*int64(time.Millisecond)).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", s)
}

// parseDuration reads seconds or a Prometheus duration.
func parseDuration(s string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1e9 {
		return time.Duration(f * float64(time.Second)), nil
	}
	if d, err := model.ParseDuration(s); err == nil {
		return time.Duration(d), nil
	}
	return 0, fmt.Errorf("cannot parse %q to a valid duration", s)
}
