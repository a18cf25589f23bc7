package lease

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// write sends one through the fence to a transport, and returns what reads the answer.
func write(t *testing.T, l *Lease, next roundTripper) (read func() error, err error) {
	t.Helper()
	q := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/apis/x", strings.NewReader("{}"))
	answer, err := l.Fence(next).RoundTrip(q) //nolint:bodyclose // the caller does
	if err != nil {
		return nil, err
	}
	return answer.Body.Close, nil
}

// What is under way when the lease is lost is cut off, and the lease is not given up before it
// has ended.
func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(*Lease)
	}{
		{"given up", func(l *Lease) { l.fence.close() }},
		{"run out", func(l *Lease) { l.fence.extend(sinceBoot() + 5*time.Millisecond) }},
	} {
		l := &Lease{}
		l.fence.extend(sinceBoot() + time.Hour)
		begun, result := make(chan struct{}), make(chan error, 1)
		var under atomic.Bool
		if c.name == "run out" { // the deadline is that of the time when the write began
			l.fence.extend(sinceBoot() + 20*time.Millisecond)
		}
		go func() {
			_, err := write(t, l, func(q *http.Request) (*http.Response, error) {
				under.Store(true)
				close(begun)
				<-q.Context().Done()
				under.Store(false)
				return nil, q.Context().Err()
			})
			result <- err
		}()
		<-begun
		c.lose(l)
		if c.name == "given up" && under.Load() {
			t.Errorf("%s: close returned while a write was under way", c.name)
		}
		if err := <-result; !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", c.name, err)
		}
		l.fence.close()
	}
}

// A process that stood still is not the holder when it wakes, whatever it did before.
func TestNothingIsWrittenAfterItsTime(t *testing.T) {
	l := &Lease{}
	l.fence.extend(sinceBoot() + time.Millisecond)
	time.Sleep(2 * time.Millisecond)
	_, err := write(t, l, func(*http.Request) (*http.Response, error) { t.Error("it was sent"); return nil, nil })
	if !errors.Is(err, ErrNotHeld) || !strings.Contains(err.Error(), "PATCH /apis/x") {
		t.Errorf("error %v", err)
	}
	before, _ := l.Term()
	l.fence.extend(sinceBoot() + time.Hour)
	l.fence.extend(sinceBoot() + time.Hour)
	if after, held := l.Term(); !held || after != before+1 {
		t.Errorf("term %d after %d, held %v", after, before, held)
	}
}

// A write has ended when its answer was read, not when it began to come.
func TestCloseWaitsForTheAnswer(t *testing.T) {
	l := &Lease{}
	l.fence.extend(sinceBoot() + time.Hour)
	read, err := write(t, l, func(*http.Request) (*http.Response, error) {
		return &http.Response{Body: io.NopCloser(strings.NewReader("{}"))}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { l.fence.close(); close(closed) }()
	for _, held := l.Term(); held; _, held = l.Term() {
		time.Sleep(time.Millisecond)
	}
	select {
	case <-closed:
		t.Error("close has returned before the answer was read")
	default:
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	<-closed
}
