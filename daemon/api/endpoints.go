package api

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/windvane/windvane/daemon/ui"
)

// endpoint is a pattern of http.ServeMux, and what answers it. docs/api.md lists them.
type endpoint struct {
	pattern string
	handler http.Handler
}

// path is the pattern without a method, and without the mark of a path that has nothing below it.
func (e endpoint) path() string {
	return strings.TrimSuffix(e.pattern[strings.IndexByte(e.pattern, '/'):], "{$}")
}

func (s *Server) endpoints() []endpoint {
	out := []endpoint{
		{"GET /-/healthy", http.HandlerFunc(s.health)},
		{"GET /-/ready", http.HandlerFunc(s.readiness)},
		{"GET /metrics", promhttp.InstrumentMetricHandler(s.o.Registry,
			promhttp.HandlerFor(s.o.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorLog: slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelError)}))},
	}
	out = slices.Concat(out, s.reading(), s.acting(), dashboard())
	if s.o.Alerts != nil {
		out = append(out, endpoint{"POST /api/v1/alerts", s.known(s.o.Alerts)})
	}
	if s.o.EnablePprof {
		out = append(out, endpoint{"GET /debug/pprof/", http.HandlerFunc(pprof.Index)}, endpoint{"GET /debug/pprof/cmdline", http.HandlerFunc(pprof.Cmdline)},
			endpoint{"GET /debug/pprof/profile", http.HandlerFunc(pprof.Profile)}, endpoint{"GET /debug/pprof/symbol", http.HandlerFunc(pprof.Symbol)},
			endpoint{"GET /debug/pprof/trace", http.HandlerFunc(pprof.Trace)})
	}
	return out
}

// dashboard are the endpoints of the pages for a browser. They may load what this server has,
// unless --web.config.file says otherwise.
func dashboard() []endpoint {
	pages := ui.Handler()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if w.Header().Get(policyHeader) == policyText {
			w.Header().Set(policyHeader, ui.Policy)
		}
		pages.ServeHTTP(w, r)
	})
	return []endpoint{{"GET /{$}", h}, {"GET /assets/", h}, {"GET /favicon.svg", h}}
}

// metrics are the server's own. Their handler is the path of an endpoint, with the names of
// what changes in place of it: nobody who asks can make another one.
type metrics struct {
	requests *prometheus.CounterVec   // handler, code
	seconds  *prometheus.HistogramVec // handler
}

func newMetrics(r *prometheus.Registry) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "windvane_http_requests_total", Help: "Requests to the HTTP server by endpoint and status.",
		}, []string{"handler", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "windvane_http_request_duration_seconds", Help: "How long requests took, by endpoint.",
			Buckets: []float64{.001, .01, .1, 1, 10}, NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, []string{"handler"}),
	}
	r.MustRegister(m.requests, m.seconds)
	return m
}

// measure counts and times what an endpoint is asked.
func (m metrics) measure(e endpoint) http.Handler {
	if e.path() == eventsPath { // it lasts as long as somebody watches
		m.requests.WithLabelValues(e.path(), "200")
		return promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(prometheus.Labels{"handler": e.path()}), e.handler)
	}
	of := prometheus.Labels{"handler": e.path()}
	m.requests.WithLabelValues(e.path(), "200") // both are there before the first
	m.seconds.WithLabelValues(e.path())
	return promhttp.InstrumentHandlerDuration(m.seconds.MustCurryWith(of), promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(of), e.handler))
}

// Paths are what the label handler may say.
func Paths() []string {
	s := &Server{o: Options{Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Alerts: http.NotFoundHandler(), EnablePprof: true}}
	var out []string
	for _, e := range s.endpoints() {
		out = append(out, e.path())
	}
	slices.Sort(out)
	return slices.Compact(out)
}
