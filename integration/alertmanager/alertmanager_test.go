//go:build integration

package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/alerts"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/sim/testbed"
)

const secret = "s3cret"

// rig is a daemon that has neither Prometheus nor API server, and an Alertmanager that
// notifies it. The daemon's cycles hold: what is tested is what wakes them.
type rig struct {
	t            *testing.T
	dir          string
	daemon       *daemon.Daemon
	url          string // of the daemon
	alertmanager string // URL

	mu      sync.Mutex
	reports []loop.Report
}

const rulesText = `
mesh = "shop"
interval = "4s"
settle = "200ms"
[signals]
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'
[[service]]
name = "front"
  [[service.route]]
  virtual_service = "default/front"
  http = "front"
  destinations = ["v1", "v2"]
`

const configText = `
rules = ["shop.toml"]
state_directory = "state"
[prometheus.main]
url = "http://127.0.0.1:1"
[kubernetes]
kubeconfig_file = "kubeconfig"
[alerts]
credentials_file = "windvane.secret"
`

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	for name, text := range map[string]string{"shop.toml": rulesText, "windvane.toml": configText, "kubeconfig": testbed.Kubeconfig("http://127.0.0.1:1"), "windvane.secret": secret + "\n"} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + listener.Addr().String()
	r.daemon, err = daemon.New(t.Context(), daemon.Options{
		ConfigFile: filepath.Join(r.dir, "windvane.toml"), Listener: listener, Logger: slog.New(slog.DiscardHandler),
		Watch: func(report loop.Report) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.reports = append(r.reports, report)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.daemon.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.daemon.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	r.startAlertmanager()
	return r
}

// startAlertmanager runs one that notifies the daemon as windvane documents it.
func (r *rig) startAlertmanager() {
	r.t.Helper()
	const documented = "../../deploy/alertmanager/windvane.yml"
	s := stack.New(stack.Options{Programs: os.Getenv("WINDVANE_PROGRAMS"), Dir: r.dir})
	r.t.Cleanup(s.Stop)
	a, err := s.StartAlertmanager(r.t.Context(), documented, stack.Receiver{
		Address: strings.TrimPrefix(r.url, "http://"), Secret: filepath.Join(r.dir, "windvane.secret"),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.alertmanager = a.URL()
	r.t.Cleanup(func() {
		if log, err := os.ReadFile(a.Log); r.t.Failed() {
			r.t.Logf("Alertmanager: %v\n%s", err, log)
		}
	})
	if out, err := exec.Command(s.Tool("amtool"), "check-config", documented).CombinedOutput(); err != nil {
		r.t.Fatalf("amtool check-config: %v\n%s", err, out)
	}
}

func (r *rig) until(what string, most time.Duration, holds func() bool) {
	r.t.Helper()
	begun := time.Now()
	for !holds() {
		if time.Since(begun) > most {
			r.t.Fatalf("after %v: not so: %s", most, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.t.Logf("%s: after %v", what, time.Since(begun).Round(10*time.Millisecond))
}

func (r *rig) get(url string) (int, string) {
	answer, err := http.Get(url)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = answer.Body.Close() }()
	b, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b)
}

func (r *rig) post(url string, body any, header http.Header) int {
	r.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		r.t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// alert has Alertmanager's API take an alert that fires, or with ends one that is over.
func (r *rig) alert(name string, ends bool) {
	r.t.Helper()
	alert := map[string]any{"labels": map[string]string{"alertname": name, "mesh": "shop", "severity": "page"}, "annotations": map[string]string{"summary": "so it is"}}
	if ends {
		alert["endsAt"] = time.Now().UTC()
	}
	if code := r.post(r.alertmanager+"/api/v2/alerts", []any{alert}, nil); code != http.StatusOK {
		r.t.Fatalf("Alertmanager answered %d", code)
	}
}

// cycles are how many there were, and last is what the newest one reported.
func (r *rig) cycles() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.reports)
}

func (r *rig) last() loop.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.reports) == 0 {
		return loop.Report{}
	}
	return r.reports[len(r.reports)-1]
}

// fires reports whether the daemon's status lists an alert.
func (r *rig) fires(name string) bool {
	return slices.ContainsFunc(r.daemon.Status().Meshes[0].Alerts, func(a journal.Alert) bool { return a.Name == name })
}

// fill has as many alerts as there is room for fire or end, by messages of our own.
func (r *rig) fill(n int, status string) int {
	r.t.Helper()
	var list []any
	for i := range n {
		a := map[string]any{
			"status": status, "fingerprint": fmt.Sprint("filler-", i), "labels": map[string]string{"alertname": "Filler", "mesh": "shop"},
			"startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
		}
		if status == "resolved" {
			a["endsAt"] = "2026-01-01T00:01:00Z"
		}
		list = append(list, a)
	}
	return r.post(r.url+"/api/v1/alerts", map[string]any{"version": "4", "alerts": list}, http.Header{"Authorization": {"Bearer " + secret}})
}

// counted reports whether the daemon has answered a message with a code.
func (r *rig) counted(code int) bool {
	_, text := r.get(r.url + "/metrics")
	name := fmt.Sprintf("windvane_alerts_posts_total{code=%q} ", fmt.Sprint(code))
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(value) != "0"
		}
	}
	return false
}

// An alert arrives and wakes the mesh, another is retried until there is room for it, both
// are resolved.
func TestAlertmanagerWakesWindvane(t *testing.T) {
	r := newRig(t)
	n := r.cycles()
	r.until("an interval has begun", 10*time.Second, func() bool { return r.cycles() > n })
	r.alert("Slow", false)
	r.until("a cycle was woken by the alert", 4*time.Second, func() bool {
		i := r.last().Intent
		return i.Woken == loop.WokenByAlert && len(i.Alerts) == 1 && i.Alerts[0].Name == "Slow" && i.Alerts[0].Labels["severity"] == "page"
	})
	if !r.fires("Slow") {
		t.Error("the alert is not in the status")
	}

	if code := r.fill(alerts.Capacity-1, "firing"); code != http.StatusOK {
		t.Fatalf("answered %d", code)
	}
	r.alert("Slower", false)
	r.until("there is no room, and Alertmanager was told", 30*time.Second, func() bool { return r.counted(http.StatusServiceUnavailable) })
	if r.fires("Slower") {
		t.Error("the alert for which there is no room is listed")
	}
	if code := r.fill(alerts.Capacity-1, "resolved"); code != http.StatusOK {
		t.Fatalf("answered %d", code)
	}
	r.until("it is sent again and has arrived", 30*time.Second, func() bool { return r.fires("Slower") })

	r.alert("Slow", true)
	r.alert("Slower", true)
	r.until("both are resolved", 40*time.Second, func() bool { return len(r.daemon.Status().Meshes[0].Alerts) == 0 })
	for _, code := range []int{400, 401, 403, 413} {
		if r.counted(code) {
			t.Errorf("a message of Alertmanager was answered %d", code)
		}
	}
}
