package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are what a Server is made of; all but EnableReload are required.
type Options struct {
	Listener     net.Listener
	Registry     *prometheus.Registry
	Status       func() Status
	Reload       func(context.Context) error
	EnableReload bool // without it /-/reload answers 403
	Logger       *slog.Logger
}

// Server serves the daemon's HTTP surface.
type Server struct {
	o     Options
	http  *http.Server
	ready atomic.Bool
	done  chan struct{} // closed when serving has ended; nil before Start
}

// NewServer returns a server that does not serve yet.
func NewServer(o Options) *Server {
	s := &Server{o: o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "windvane is healthy.") })
	mux.HandleFunc("GET /-/ready", s.readiness)
	mux.HandleFunc("POST /-/reload", s.reload)
	mux.HandleFunc("PUT /-/reload", s.reload)
	mux.Handle("GET /metrics", promhttp.InstrumentMetricHandler(o.Registry,
		promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelError)})))
	mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) { s.json(w, o.Status()) })
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}
	return s
}

// Start serves until Stop. From now on the server is ready.
func (s *Server) Start() {
	s.ready.Store(true)
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		if err := s.http.Serve(s.o.Listener); !errors.Is(err, http.ErrServerClosed) {
			s.o.Logger.Error("the HTTP server ended", "err", err)
		}
	}()
}

// Stop lets requests finish until the context ends, and closes the listener.
func (s *Server) Stop(ctx context.Context) error {
	s.ready.Store(false)
	if s.done == nil {
		return s.o.Listener.Close()
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop the HTTP server: %w", err), s.http.Close())
	}
	<-s.done
	return err
}

func (s *Server) readiness(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		text(w, http.StatusServiceUnavailable, "windvane is not ready.")
		return
	}
	text(w, http.StatusOK, "windvane is ready.")
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	if !s.o.EnableReload {
		text(w, http.StatusForbidden, "Lifecycle API is not enabled; start windvane with --web.enable-lifecycle, or send SIGHUP.")
		return
	}
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		text(w, http.StatusForbidden, "A web page may not reload windvane.")
		return
	}
	if err := s.o.Reload(r.Context()); err != nil {
		text(w, http.StatusInternalServerError, "The old configuration stays in force: "+err.Error())
		return
	}
	text(w, http.StatusOK, "Reloaded.")
}

func (s *Server) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.o.Logger.Debug("an answer could not be written", "err", err)
	}
}

func text(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, message) // the client may have gone
}
