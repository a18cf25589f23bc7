package lease

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot is a clock that goes on while the process is stopped, and while the machine is
// suspended, which Go's monotonic clock does not.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(err) // there is no such error with a clock that every Linux has
	}
	return time.Duration(t.Nano())
}

// fence lets writes begin until a time, and ends those under way then.
type fence struct {
	mu     sync.Mutex
	term   uint64             // how many times it was opened
	until  time.Duration      // since boot; 0: it is closed
	ctx    context.Context    // of the writes under way
	cancel context.CancelFunc // of ctx; nil: there were none since it was closed
	under  sync.WaitGroup     // writes under way
}

func (f *fence) state() (term uint64, open bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.term, f.left() > 0
}

// left is how long it is still open. The caller holds the mutex.
func (f *fence) left() time.Duration { return f.until - sinceBoot() }

func (f *fence) extend(until time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left() <= 0 {
		f.term++
	}
	f.until = until
}

// close ends the writes under way, and returns when they have ended.
func (f *fence) close() {
	f.mu.Lock()
	f.until = 0
	if f.cancel != nil {
		f.cancel()
		f.cancel = nil
	}
	f.mu.Unlock()
	f.under.Wait()
}

// enter begins a write, if one may begin. The context ends with the fence.
func (f *fence) enter(ctx context.Context) (_ context.Context, leave func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.left()
	if left <= 0 {
		return nil, nil, false
	}
	if f.cancel == nil {
		//nolint:forbidigo // it ends with close
		f.ctx, f.cancel = context.WithCancel(context.Background())
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	undo := context.AfterFunc(f.ctx, cancel)
	f.under.Add(1)
	return ctx, sync.OnceFunc(func() { undo(); cancel(); f.under.Done() }), true
}

// Fence returns a transport whose writes, which is all that is no GET or HEAD, need the lease.
func (l *Lease) Fence(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(q *http.Request) (*http.Response, error) {
		if q.Method == http.MethodGet || q.Method == http.MethodHead {
			return next.RoundTrip(q)
		}
		ctx, leave, ok := l.fence.enter(q.Context())
		if !ok {
			if q.Body != nil {
				_ = q.Body.Close() // as a transport has to, and nothing was read
			}
			return nil, fmt.Errorf("%s %s: %w", q.Method, q.URL.Path, ErrNotHeld)
		}
		answer, err := next.RoundTrip(q.WithContext(ctx))
		if err != nil {
			leave()
			return nil, err
		}
		answer.Body = &body{answer.Body, leave}
		return answer, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

// body ends a write when its answer was read.
type body struct {
	io.ReadCloser
	leave func()
}

// Close closes the body.
func (b *body) Close() error {
	defer b.leave()
	return b.ReadCloser.Close()
}
