package lease_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/windvane/windvane/daemon/lease"
)

func TestTheLeaseGoesOverAtAStop(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, endA := c.join(t, "a")
	eventually(t, "a holds it", func() bool { return held(a) })
	b, _ := c.join(t, "b")
	eventually(t, "b sees who holds it", func() bool { return b.Holder() == "a" })
	if held(b) {
		t.Fatal("both hold it")
	}
	write := func(l *lease.Lease) error {
		return c.client(t, "writer", l.Fence).Post().AbsPath("/objects").Body([]byte(`{"metadata":{"name":"x"}}`)).Do(t.Context()).Error()
	}
	if err := write(b); !errors.Is(err, lease.ErrNotHeld) {
		t.Errorf("b writes: %v", err)
	}
	if err := write(a); err != nil {
		t.Errorf("a does not write: %v", err)
	}
	endA()
	if held(a) {
		t.Error("a holds what it gave up")
	}
	if err := write(a); !errors.Is(err, lease.ErrNotHeld) {
		t.Errorf("a writes after the stop: %v", err)
	}
	eventually(t, "b takes over", func() bool { return held(b) && b.Holder() == "b" })
}

// A holder that does not reach the API server any more writes nothing by the time that another
// does, though it is told nothing.
func TestNoTwoHold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, _ := c.join(t, "a")
	eventually(t, "a holds it", func() bool { return held(a) })
	b, _ := c.join(t, "b")
	term, _ := a.Term()
	c.mu.Lock()
	c.deaf = "a"
	c.mu.Unlock()
	eventually(t, "b takes over", func() bool {
		other := held(b) // looked at first: a must have been shut before
		if other && held(a) {
			t.Fatal("both hold it")
		}
		return other
	})
	c.mu.Lock()
	c.deaf = "b"
	c.mu.Unlock()
	eventually(t, "a takes over again, in another term", func() bool {
		again, is := a.Term()
		return is && again > term
	})
}

func TestAReadNeedsNoLease(t *testing.T) {
	c := newCluster(t)
	o := c.options(t, "a")
	l, err := lease.New(o)
	if err != nil {
		t.Fatal(err)
	}
	code := 0
	c.client(t, "reader", l.Fence).Get().AbsPath("/objects/x").Do(t.Context()).StatusCode(&code)
	if code != http.StatusNotFound {
		t.Errorf("code %d", code)
	}
	o.Duration /= 2
	if _, err := lease.New(o); err == nil {
		t.Error("a lease of a second")
	}
}
