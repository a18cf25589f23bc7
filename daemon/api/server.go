package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/windvane/windvane/internal/unixsocket"
)

// Options are what a Server is made of. Functions may be called from several goroutines at
// once; an *Error from them has its status code answered.
type Options struct {
	Listener      net.Listener
	Socket        string   // path of a socket to listen on as well; empty: none
	WebConfigFile string   // of exporter-toolkit: TLS, users; empty: neither. The socket does not need them
	ExternalURL   *url.URL // under which a proxy shows Listener, its path before every endpoint's; nil: none does
	EnableReload  bool     // without it /-/reload answers 403, except by the socket
	EnablePprof   bool     // serve /debug/pprof
	Registry      *prometheus.Registry
	Logger        *slog.Logger
	Journal       string // directory, of which decisions are read

	Late             func(now time.Time) []string // meshes whose cycles are overdue; nil: nobody is asked
	Status           func() Status
	Plans            func() []Plan
	Policies         func() []Policy
	Policy           func(mesh, policy string) (*PolicyDetail, error)
	Promise          func(mesh, service string) (*Promise, error)
	Promote          func(mesh, policy, by string, q RoleRequest) error
	Demote           func(mesh, policy, by string, q RoleRequest) error
	Explore          func(mesh, by string, q ExplorationRequest) error
	PauseExploration func(mesh, by string) error
	Reload           func(context.Context) error
	SetAuthority     func(ctx context.Context, mesh, level, by string) error
	Approve          func(ctx context.Context, plan, by string) error
	Refuse           func(ctx context.Context, plan, by string) error
	Alerts           http.Handler // of Alertmanager's messages; nil: none are received
}

// Server serves the daemon's HTTP surface.
type Server struct {
	o       Options
	tcp     *http.Server
	local   *http.Server  // by the socket
	socket  net.Listener  // nil: none
	turns   chan struct{} // to read the journal
	metrics metrics
	matched atomic.Pointer[[32]byte] // see matches
	feed    feed
	ready   atomic.Bool
	serving sync.WaitGroup
	started bool
}

// NewServer returns a server that listens and does not serve yet.
func NewServer(o Options) (*Server, error) {
	if err := web.Validate(o.WebConfigFile); err != nil {
		return nil, fmt.Errorf("%s: %w", o.WebConfigFile, err)
	}
	s := &Server{o: o, turns: make(chan struct{}, readers), metrics: newMetrics(o.Registry)}
	handler, err := protect(s.prefixed(s.routes()), o.Listener.Addr(), o.ExternalURL)
	if err != nil {
		return nil, fmt.Errorf("external URL: %w", err)
	}
	s.tcp = s.server(handler)
	if o.Socket == "" {
		return s, nil
	}
	if s.socket, err = unixsocket.Listen(o.Socket, socketMode); err != nil {
		return nil, err
	}
	if handler, err = protect(s.routes(), s.socket.Addr(), nil); err != nil {
		return nil, errors.Join(err, s.socket.Close())
	}
	s.local = s.server(handler)
	s.local.ConnContext = withPeer
	return s, nil
}

func (s *Server) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelWarn),
	}
}

// routes are all endpoints.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, e := range s.endpoints() {
		mux.Handle(e.pattern, s.metrics.measure(e))
	}
	return mux
}

// prefixed serves below the external URL's path.
func (s *Server) prefixed(h http.Handler) http.Handler {
	if s.o.ExternalURL == nil {
		return h
	}
	prefix := strings.TrimSuffix(s.o.ExternalURL.Path, "/")
	stripped := http.StripPrefix(prefix, h)
	if prefix == "" {
		return stripped
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == prefix { // what the dashboard loads lies beside it
			http.Redirect(w, r, prefix+"/", http.StatusMovedPermanently)
			return
		}
		stripped.ServeHTTP(w, r)
	})
}

// Start serves until Stop. From now on the server is ready.
func (s *Server) Start() {
	s.ready.Store(true)
	s.started = true
	s.serving.Go(func() {
		if s.o.WebConfigFile == "" {
			s.ended(s.tcp.Serve(s.o.Listener))
			return
		}
		s.ended(web.Serve(s.o.Listener, s.tcp, &web.FlagConfig{WebConfigFile: &s.o.WebConfigFile}, s.o.Logger))
	})
	if s.socket != nil {
		s.serving.Go(func() { s.ended(s.local.Serve(s.socket)) })
	}
}

func (s *Server) ended(err error) {
	if !errors.Is(err, http.ErrServerClosed) {
		s.o.Logger.Error("the HTTP server ended", "err", err)
	}
}

// Stop lets requests finish until the context ends, and closes the listeners.
func (s *Server) Stop(ctx context.Context) error {
	s.ready.Store(false)
	s.feed.close()
	var errs []error
	if !s.started {
		errs = append(errs, s.o.Listener.Close())
		if s.socket != nil {
			errs = append(errs, s.socket.Close())
		}
		return errors.Join(errs...)
	}
	for _, x := range []*http.Server{s.tcp, s.local} {
		if x == nil {
			continue
		}
		if err := x.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop the HTTP server: %w", err), x.Close())
		}
	}
	s.serving.Wait()
	return errors.Join(errs...)
}

// health is what a watchdog goes by: a daemon whose cycles stand still is to be started again.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if s.o.Late != nil {
		if late := s.o.Late(time.Now()); len(late) > 0 {
			text(w, http.StatusServiceUnavailable, "windvane is not healthy: no cycle within two intervals of "+strings.Join(late, ", ")+".")
			return
		}
	}
	text(w, http.StatusOK, "windvane is healthy.")
}

func (s *Server) readiness(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		text(w, http.StatusServiceUnavailable, "windvane is not ready.")
		return
	}
	text(w, http.StatusOK, "windvane is ready.")
}
