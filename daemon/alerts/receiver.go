package alerts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/windvane/windvane/daemon/journal"
)

// LabelMesh is the label that names the mesh of an alert.
const LabelMesh = "mesh"

// How many messages are read at a time, which with what each may hold bounds the memory,
// and how many more may wait for that. Those beyond are told to come again.
const (
	atOnce = 4
	queued = 32
)

// readTimeout is how long a message may take to arrive, so that a slow one does not keep
// others from being read.
const readTimeout = 5 * time.Second

// arrival remembers why a body could not be read to its end.
type arrival struct {
	from io.Reader
	err  error
}

func (a *arrival) Read(p []byte) (int, error) {
	n, err := a.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		a.err = err
	}
	return n, err
}

// Options are what a Receiver is made of; all are required.
type Options struct {
	Wake       func(mesh string) // an alert fires anew; does not wait
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Now        func() time.Time
	Known      func(*http.Request) bool // the server knows the sender, who may act
}

// Config is what the files say.
type Config struct {
	Secrets Secrets
	Expiry  time.Duration // how long an alert is taken to fire after it was last said so; above 0
	Meshes  []Mesh
}

// Mesh says which alerts belong to a mesh: those that name it in the label mesh, and of
// those without that label the ones that every matcher matches; without matchers, all.
type Mesh struct {
	Name  string
	Match []*labels.Matcher
}

// Receiver is the handler of the webhook and the memory behind it. It may be used by
// several goroutines.
type Receiver struct {
	o       Options
	config  atomic.Pointer[Config]
	store   *store
	queue   chan struct{} // holds those that wait and those that are read
	slots   chan struct{} // holds those that are read
	full    atomic.Bool   // the last message found no room
	metrics metrics
}

// New returns a receiver that refuses every message until Configure.
func New(o Options) *Receiver {
	r := &Receiver{o: o, store: newStore(), queue: make(chan struct{}, atOnce+queued), slots: make(chan struct{}, atOnce)}
	r.metrics = newMetrics(o.Registerer, func() (remembered, firing int) { return r.store.size(o.Now()) })
	return r
}

// Configure puts a configuration in force. What is remembered stays.
func (r *Receiver) Configure(c Config) { r.config.Store(&c) }

// Firing returns the alerts that fire for a mesh, the newest Listed of them first, and how
// many more there are.
func (r *Receiver) Firing(mesh string) ([]journal.Alert, int) { return r.store.of(mesh, r.o.Now()) }

// ServeHTTP takes up one message; the package's comment lists the answers.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	status, err := r.receive(w, req)
	r.metrics.post(status)
	if err == nil {
		w.WriteHeader(status)
		return
	}
	r.o.Logger.Debug("a message of Alertmanager was refused", "status", status, "from", req.RemoteAddr, "err", err)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="windvane"`)
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, err) // the client may have gone
}

func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) (status int, err error) {
	c := r.config.Load()
	if c == nil {
		return http.StatusServiceUnavailable, errors.New("windvane is not ready")
	}
	if status, err := c.Secrets.admit(req, r.o.Known(req)); err != nil {
		return status, err
	}
	leave, err := r.enter(req.Context())
	if err != nil {
		return http.StatusServiceUnavailable, err
	}
	defer leave()
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout)) // what cannot has a sender that waits for nothing
	body := &arrival{from: http.MaxBytesReader(w, req.Body, maxBody)}
	m, err := decode(body)
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		err = fmt.Errorf("more than %d bytes: %w", maxBody, errTooLarge)
	}
	switch {
	case errors.Is(err, errTooLarge):
		return http.StatusRequestEntityTooLarge, err
	case err != nil && body.err != nil:
		return http.StatusServiceUnavailable, fmt.Errorf("the message did not arrive: %w", body.err)
	case err != nil:
		return http.StatusBadRequest, fmt.Errorf("no message of Alertmanager's webhook, version 4: %w", err)
	}
	for i, a := range m.alerts {
		m.alerts[i].meshes = c.meshesOf(a.labels)
	}
	counts, woken, ok := r.store.keep(m, r.o.Now(), c.Expiry)
	r.metrics.alerts(counts, m.truncated)
	if was := r.full.Swap(!ok); !ok && !was {
		r.o.Logger.Warn("no room for more alerts; Alertmanager is told to send them again", "capacity", Capacity)
	}
	if !ok {
		return http.StatusServiceUnavailable, fmt.Errorf("%d alerts are remembered already", Capacity)
	}
	for _, mesh := range woken {
		r.o.Wake(mesh)
	}
	return http.StatusOK, nil
}

// enter waits until a message may be read, or returns an error at once when too many wait.
func (r *Receiver) enter(ctx context.Context) (leave func(), err error) {
	select {
	case r.queue <- struct{}{}:
	default:
		return nil, fmt.Errorf("%d messages wait already", queued)
	}
	select {
	case r.slots <- struct{}{}:
		return func() { <-r.slots; <-r.queue }, nil
	case <-ctx.Done():
		<-r.queue
		return nil, ctx.Err()
	}
}

// meshesOf returns the names of the meshes that an alert belongs to.
func (c *Config) meshesOf(set map[string]string) []string {
	name := set[LabelMesh] // a label without a value is none
	named := name != ""
	var out []string
	for _, m := range c.Meshes {
		differs := func(x *labels.Matcher) bool { return !x.Matches(set[x.Name]) }
		if named && name == m.Name || !named && !slices.ContainsFunc(m.Match, differs) {
			out = append(out, m.Name)
		}
	}
	return out
}
