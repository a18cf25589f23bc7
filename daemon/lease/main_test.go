package lease_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/kubernetes/scheme"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/windvane/windvane/daemon/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is an API server that keeps objects, and refuses what is of an older version.
type cluster struct {
	*httptest.Server

	mu      sync.Mutex
	objects map[string]map[string]any // by path
	version int
	deaf    string // requests of this user agent get no answer that helps
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{objects: map[string]map[string]any{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if c.deaf != "" && q.UserAgent() == c.deaf {
		c.refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable")
		return
	}
	var o map[string]any
	if q.Method != http.MethodGet && json.NewDecoder(q.Body).Decode(&o) != nil {
		c.refuse(w, http.StatusBadRequest, "BadRequest")
		return
	}
	at := q.URL.Path
	meta, _ := o["metadata"].(map[string]any)
	if q.Method == http.MethodPost {
		at = path.Join(at, meta["name"].(string))
	}
	stored, found := c.objects[at]
	switch {
	case q.Method == http.MethodPost && found:
		c.refuse(w, http.StatusConflict, "AlreadyExists")
		return
	case q.Method != http.MethodPost && !found:
		c.refuse(w, http.StatusNotFound, "NotFound")
		return
	case q.Method == http.MethodPut && meta["resourceVersion"] != stored["metadata"].(map[string]any)["resourceVersion"]:
		c.refuse(w, http.StatusConflict, "Conflict")
		return
	case q.Method == http.MethodGet:
		o = stored
	default:
		c.version++
		meta["resourceVersion"] = strconv.Itoa(c.version)
		c.objects[at] = o
	}
	_ = json.NewEncoder(w).Encode(o) // who went away needs no answer
}

func (c *cluster) refuse(w http.ResponseWriter, code int, reason string) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": reason})
}

// config is one of a user agent, over a transport.
func (c *cluster) config(t *testing.T, agent string, wrap func(http.RoundTripper) http.RoundTripper) *rest.Config {
	t.Helper()
	config := &rest.Config{Host: c.URL, UserAgent: agent, Timeout: time.Second, QPS: -1}
	config.ContentType = "application/json"
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	config.Transport = transport
	if wrap != nil {
		config.Transport = wrap(transport)
	}
	return config
}

func (c *cluster) client(t *testing.T, agent string, wrap func(http.RoundTripper) http.RoundTripper) rest.Interface {
	t.Helper()
	r, err := rest.UnversionedRESTClientFor(c.config(t, agent, wrap))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (c *cluster) options(t *testing.T, identity string) lease.Options {
	t.Helper()
	client, err := coordination.NewForConfig(c.config(t, identity, nil))
	if err != nil {
		t.Fatal(err)
	}
	return lease.Options{
		Client: client, Namespace: "ns", Name: "windvane", Identity: identity, Duration: lease.Least,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// join returns a daemon's part in the lease, and what ends it.
func (c *cluster) join(t *testing.T, identity string) (*lease.Lease, func()) {
	t.Helper()
	l, err := lease.New(c.options(t, identity))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx) })
	end := sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(end)
	return l, end
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in 20 seconds: %s", what)
		}
	}
}

func held(l *lease.Lease) bool { _, h := l.Term(); return h }
