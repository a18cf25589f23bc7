package alerts

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// sent is an alert as a test sends it: times in seconds after start, and the part of the
// message that is not about it left out.
type sent struct {
	name, status string
	starts, ends int // ends 0: the zero time
	labels       map[string]string
}

func (s sent) MarshalJSON() ([]byte, error) {
	set := map[string]string{"alertname": s.name}
	maps.Copy(set, s.labels)
	ends := time.Time{}
	if s.ends > 0 {
		ends = start.Add(time.Duration(s.ends) * time.Second)
	}
	return json.Marshal(map[string]any{
		"status": s.status, "fingerprint": "fp-" + s.name, "labels": set, "annotations": map[string]string{"summary": "so it is"},
		"startsAt": start.Add(time.Duration(s.starts) * time.Second), "endsAt": ends, "generatorURL": "http://prometheus/graph",
	})
}

// body is a message of version 4.
func body(t testing.TB, truncated int, alerts ...sent) string {
	t.Helper()
	if alerts == nil {
		alerts = []sent{}
	}
	b, err := json.Marshal(map[string]any{
		"version": "4", "groupKey": `{}:{alertname="x"}`, "truncatedAlerts": truncated, "status": "firing", "receiver": "windvane",
		"groupLabels": map[string]string{}, "commonLabels": map[string]string{}, "commonAnnotations": map[string]string{},
		"externalURL": "http://alertmanager", "notification_reason": "first", "alerts": alerts,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// rig is a receiver with a clock of its own.
type rig struct {
	*Receiver
	registry *prometheus.Registry

	mu    sync.Mutex
	now   time.Time
	woken []string
}

func newRig(t testing.TB, c Config) *rig {
	t.Helper()
	r := &rig{registry: prometheus.NewPedanticRegistry(), now: start}
	r.Receiver = New(Options{
		Registerer: r.registry, Logger: slog.New(slog.DiscardHandler),
		Known: func(r *http.Request) bool { return r.Header.Get("Test-Known") != "" },
		Now: func() time.Time {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.now
		},
		Wake: func(mesh string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.woken = append(r.woken, mesh)
		},
	})
	if c.Expiry == 0 {
		c.Expiry = 15 * time.Minute
	}
	if c.Meshes == nil {
		c.Meshes = []Mesh{{Name: "shop"}}
	}
	r.Configure(c)
	return r
}

// post sends a message from this machine and returns the answer's status.
func (r *rig) post(t testing.TB, text string) int {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/api/v1/alerts", strings.NewReader(text))
	req.RemoteAddr = "127.0.0.1:40000"
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w.Code
}

// counted are the values of a counter by its label, but those that are 0.
func (r *rig) counted(t testing.TB, name string) map[string]float64 {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if v := m.GetCounter().GetValue(); f.GetName() == name && v != 0 {
				label := ""
				for _, l := range m.GetLabel() {
					label = l.GetValue()
				}
				out[label] = v
			}
		}
	}
	return out
}

// names are those of the alerts that fire for the shop, newest first.
func (r *rig) names() string {
	var out []string
	list, more := r.Firing("shop")
	for _, a := range list {
		out = append(out, a.Name)
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("+%d", more))
	}
	return strings.Join(out, " ")
}

func matcher(t testing.TB, kind labels.MatchType, name, value string) *labels.Matcher {
	t.Helper()
	m, err := labels.NewMatcher(kind, name, value)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func writeSecret(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
