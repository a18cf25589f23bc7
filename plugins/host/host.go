// Package host is the daemon's side of the policy contract: it launches one
// plugin process, watches over it, and answers as the policy.Policy that it serves.
//
// A plugin is not trusted. It gets no secrets, it cannot stall its caller, and
// what it answers is checked before anyone sees it. What to do without an answer
// (the fallback policy) is the loop's business; what an action may do to the mesh
// is the guard's.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

// Options say what is run and how it is watched.
type Options struct {
	Name      string        // the plugin's name, for errors and logs
	Path      string        // the executable
	Args      []string      // its arguments
	SHA256    string        // of the executable, hexadecimal, verified before each start; empty: not verified
	SocketDir string        // an existing directory for sockets; empty: the system's directory for temporary files
	Env       []string      // names of the host's variables to pass, besides PATH, locale, TZ and the Go runtime's
	Config    policy.Config // sent after each start

	StartTimeout time.Duration // for each of handshake, description and configuration; 0: 10 s
	Deadline     time.Duration // of one decision; 0: the caller's alone
	Ping         time.Duration // between two checks of its health, and for its answer; 3 misses end it; 0: 5 s
	Restarts     Restarts      // zero: DefaultRestarts

	Logger *slog.Logger     // what the plugin writes, and what becomes of it; nil: nothing is logged
	Now    func() time.Time // nil: time.Now
	Random func() float64   // in [0,1), for jitter; nil: no jitter
}

// Status is what became of a plugin.
type Status struct {
	Up          bool   // Decide is answered by the plugin
	Quarantined bool   // it failed too often: it stays down until a new Host is made
	Restarts    int    // starts after the first
	LastError   string // why it failed last; empty if it never did
	PID         int    // of the running process; 0 while it is down
}

// Host runs one plugin. It is a policy.Policy: Decide may be called while it is
// down. Start (or Begin) and Stop are called once each, in this order.
type Host struct {
	options Options
	view    atomic.Pointer[view] // written by the supervisor alone
	configs chan configRequest
	cancel  context.CancelFunc // ends the supervisor; nil before Start
	force   context.Context    // done when there is no time left for the plugin to end by itself
	kill    context.CancelFunc
	done    chan struct{} // closed when the supervisor has ended
	tried   chan struct{} // closed after the first start
	first   error         // of the first start; read after tried is closed
}

var _ policy.Policy = (*Host)(nil)

// view is what the supervisor publishes. It is never changed, only replaced.
type view struct {
	status      Status
	session     *session // nil while it is down
	description policy.Description
	described   bool
}

type configRequest struct {
	ctx    context.Context
	config policy.Config
	answer chan error
}

// New returns a host that is not started.
func New(o Options) *Host {
	if o.StartTimeout == 0 {
		o.StartTimeout = 10 * time.Second
	}
	if o.Ping == 0 {
		o.Ping = 5 * time.Second
	}
	if o.Restarts == (Restarts{}) {
		o.Restarts = DefaultRestarts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With("plugin", o.Name)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = func() float64 { return 0 }
	}
	h := &Host{options: o, configs: make(chan configRequest), done: make(chan struct{}), tried: make(chan struct{})}
	h.force, h.kill = context.WithCancel(context.Background()) //nolint:forbidigo // of the host's life, which Start's ctx does not bound
	h.view.Store(&view{status: Status{LastError: "it was not started"}})
	return h
}

// Start is Begin and Ready.
func (h *Host) Start(ctx context.Context) error {
	h.Begin(ctx)
	return h.Ready(ctx)
}

// Begin begins to supervise the plugin, and waits for nothing. It is started again
// whenever it fails, until Stop, which is to be called in any case. The end of the
// context changes nothing.
func (h *Host) Begin(ctx context.Context) {
	var run context.Context
	run, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	h.view.Store(&view{status: Status{LastError: "it is being started"}})
	go h.supervise(run)
}

// Ready waits for the plugin's first start, after Begin, and returns that start's error.
// The context bounds the wait, not the plugin's life.
func (h *Host) Ready(ctx context.Context) error {
	select {
	case <-h.tried:
		return h.wrap(h.first)
	case <-ctx.Done():
		return h.wrap(fmt.Errorf("start: %w", ctx.Err()))
	}
}

// Stop ends the plugin and returns when no process and no goroutine of it is
// left. It has two seconds to end by itself, less if the context ends first.
func (h *Host) Stop(ctx context.Context) {
	if h.cancel == nil {
		return
	}
	defer context.AfterFunc(ctx, h.kill)()
	h.cancel()
	<-h.done
}

// Status returns the plugin's state.
func (h *Host) Status() Status { return h.view.Load().status }

// Describe returns what the plugin said of itself when it was last started,
// without asking it. It is ErrDown only while it was never started.
func (h *Host) Describe(context.Context) (policy.Description, error) {
	v := h.view.Load()
	if !v.described {
		return policy.Description{}, h.down(v)
	}
	return v.description, nil
}

// Configure configures the running plugin. The configuration is kept for later
// starts if the plugin accepts it, and dropped otherwise, ErrDown included.
func (h *Host) Configure(ctx context.Context, config policy.Config) error {
	v := h.view.Load()
	if v.session == nil {
		return h.down(v)
	}
	req := configRequest{ctx: ctx, config: config, answer: make(chan error, 1)}
	select {
	case h.configs <- req:
		return h.wrap(<-req.answer)
	case <-v.session.ctx.Done():
		return h.wrap(fmt.Errorf("%w: it ended while it was configured", ErrDown))
	case <-ctx.Done():
		return h.wrap(fmt.Errorf("configure: %w", ctx.Err()))
	}
}

// Decide asks the plugin. While it is down the answer is ErrDown, at once; past
// the deadline it is context.DeadlineExceeded; an answer that Check refuses is an
// InvalidAnswerError.
func (h *Host) Decide(ctx context.Context, observation policy.Observation) (policy.Decision, error) {
	v := h.view.Load()
	if v.session == nil {
		return policy.Decision{}, h.down(v)
	}
	if h.options.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.options.Deadline)
		defer cancel()
	}
	call, cancel := v.session.call(ctx, 0)
	defer cancel()
	request := &policyv1.DecideRequest{Observation: policyv1.FromObservation(observation)}
	answer, err := v.session.policy.Decide(call, request, grpc.MaxCallRecvMsgSize(largest(request)))
	if err != nil {
		return policy.Decision{}, h.callError(ctx, v, "decide", err)
	}
	d, err := policyv1.ToDecision(answer.GetDecision())
	if err == nil {
		err = Check(observation, d)
	}
	if err != nil {
		return policy.Decision{}, &InvalidAnswerError{Plugin: h.options.Name, Err: err}
	}
	if d.Abstain {
		d.Action = nil
	}
	d.Reason = printable(d.Reason)
	for i := range d.Alternatives {
		d.Alternatives[i].Reason = printable(d.Alternatives[i].Reason)
	}
	return d, nil
}

// largest is the size of the largest answer to a request, in bytes. An answer has an
// action and at most five alternatives to it, of as many settings as the request has
// knobs, two predictions for each of its objectives, and reasons.
func largest(request *policyv1.DecideRequest) int {
	return maxAnswer + 8*proto.Size(request)
}

// callError says why there is no answer: the caller's context first, then the end of
// the process, then what the plugin said.
func (h *Host) callError(ctx context.Context, v *view, what string, err error) error {
	late := ctx.Err()
	if status.Code(err) == codes.DeadlineExceeded { // which may be noticed a moment earlier
		late = context.DeadlineExceeded
	}
	if late != nil {
		return h.wrap(fmt.Errorf("%s: no answer in time: %w", what, late))
	}
	if v.session.ctx.Err() != nil || status.Code(err) == codes.Unavailable {
		return h.wrap(fmt.Errorf("%w: it ended while it was asked", ErrDown))
	}
	return h.wrap(fmt.Errorf("%s: %w", what, rpcError(err)))
}

func (h *Host) down(v *view) error {
	reason := v.status.LastError
	if v.status.Quarantined {
		reason = fmt.Sprintf("in quarantine after %d failures within %s, reload to try again; the last: %s",
			h.options.Restarts.Crashes, h.options.Restarts.Window, reason)
	}
	return h.wrap(fmt.Errorf("%w: %s", ErrDown, reason))
}

func (h *Host) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("plugin %s: %w", h.options.Name, err)
}

// rpcError replaces a status by its message, and by the context's error where it
// stands for one, so that callers need to know nothing of gRPC.
func rpcError(err error) error {
	switch status.Code(err) {
	case codes.DeadlineExceeded:
		return context.DeadlineExceeded
	case codes.Canceled:
		return context.Canceled
	default:
		return errors.New(clip(status.Convert(err).Message()))
	}
}

// maxText bounds what a plugin says in an error or a line of its log, in bytes: it goes
// to the journal and the log of the host.
const maxText = 4096

// clip leaves out the middle of what a plugin says at length, and makes one line of it.
func clip(s string) string {
	s = strings.TrimSpace(s)
	if left := len(s) - maxText; left > 0 {
		s = fmt.Sprintf("%s … %d bytes … %s", s[:maxText/2], left, s[len(s)-maxText/2:])
	}
	return printable(s)
}

// printable replaces what would confuse a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
