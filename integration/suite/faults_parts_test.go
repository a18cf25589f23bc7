//go:build integration

package suite

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/integration/stack"
)

// aNode is the part with which its clients' requests die.
const aNode = "a node process"

// faults are those that are tried, in turn.
func faults(t *testing.T, w *stack.Windvane) []fault {
	node := shop.Kubelet.Nodes("node-v1")[0]
	return []fault{
		{part: "Prometheus", kill: prometheus.Kill, dead: holds("no_data"), again: func() error { return prometheus.Restart(t.Context()) }},
		{
			part: "the API server", kill: shared.Process("kube-apiserver").Kill, dead: holds("no_live"),
			again: func() error { return shared.StartAPIServer(t.Context()) },
		},
		{
			part: "istiod", kill: shared.Process("pilot-discovery").Kill, dead: goesOn,
			again: func() error { _, err := shared.StartIstiod(t.Context()); return err },
			back:  func(api.Mesh) bool { return told(t) },
		},
		{
			part: aNode, kill: node.Kill, dead: goesOn,
			back: func(api.Mesh) bool {
				now := shop.Kubelet.Nodes("node-v1")
				return len(now) == 1 && now[0].PID() != node.PID()
			},
		},
		{part: "windvane", kill: w.Kill, dead: leavesAll, again: func() error { return w.Start(t.Context()) }},
		alertmanagerKilled(t, w),
		pluginKilled(t, w),
	}
}

// holds waits for a hold, and has it last. While nothing can be measured nothing is loosened.
func holds(reason string) func(*happening) {
	return func(h *happening) {
		m := eventually(h.t, h.w, 10*interval, h.part+" dead: a hold", func(m api.Mesh) bool { return strings.HasPrefix(m.Hold, reason) })
		h.hold, h.state = time.Since(h.killed), "holds (`"+reason+"`): what is in force stays in force"
		shed := blocked(m)
		time.Sleep(3 * interval)
		if m = status(h.t, h.w); reason == "no_data" && blocked(m) < shed-1e-9 {
			h.t.Errorf("%s dead: %v blocked, %v before", h.part, blocked(m), shed)
		}
	}
}

// goesOn waits for cycles that go on as if nothing were.
func goesOn(h *happening) {
	before := status(h.t, h.w).Cycle
	eventually(h.t, h.w, 10*interval, h.part+" dead: three cycles more", func(m api.Mesh) bool {
		if m.Hold != "" || m.Error != "" {
			h.t.Errorf("%s dead: cycle %d holds: %s %s", h.part, m.Cycle, m.Hold, m.Error)
		}
		return m.Cycle >= before+3
	})
	h.state = "goes on"
}

// told reports whether the gateway hears of changes: it waits longer and longer before it asks
// istiod again.
func told(t *testing.T) bool {
	t.Helper()
	text, err := shop.Gateway.Ask(t.Context(), "/stats?filter=control_plane.connected_state")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text) == "control_plane.connected_state: 1"
}

// leavesAll looks that the mesh is left as it is while there is no windvane.
func leavesAll(h *happening) {
	before := front(h.t)
	time.Sleep(3 * interval)
	if after := front(h.t); after != before {
		h.t.Errorf("spec without windvane\n%s\nbefore\n%s", after, before)
	}
	h.state = "what is in force stays in force"
}

// alertRules are two alerts of Prometheus'; one that does not fire asks for what never is.
func alertRules(overload, slow bool) string {
	least := map[bool]string{true: "0", false: "1e9"}
	return fmt.Sprintf(`groups:
- name: overload
  rules:
  - {alert: Overload, expr: 'max_over_time(windvane:offered:rate{service="compute"}[10s]) > %s', labels: {mesh: shop, severity: page}}
- name: slow
  rules:
  - {alert: Slow, expr: 'max_over_time(windvane:latency_seconds:p95{service="compute"}[10s]) > %s', labels: {mesh: shop, severity: ticket}}
`, least[overload], least[slow])
}

// alertmanagerKilled is a fault with an alert that fires before, and goes on, and another that
// begins while Alertmanager is dead: both are known afterwards, as one episode each, and end.
func alertmanagerKilled(t *testing.T, w *stack.Windvane) fault {
	set := func(overload, slow bool) {
		if err := prometheus.SetAlerts(alertRules(overload, slow)); err != nil {
			t.Fatal(err)
		}
	}
	fires := func(m api.Mesh, name string) bool {
		return slices.ContainsFunc(m.Alerts, func(a journal.Alert) bool { return a.Name == name })
	}
	before := 0.0
	return fault{
		part: "Alertmanager",
		before: func() {
			set(true, false)
			eventually(t, w, 30*time.Second, "Prometheus' alert is known", func(m api.Mesh) bool { return fires(m, "Overload") })
			before = missed(t, w)
		},
		kill: shared.Alertmanager.Kill,
		dead: func(h *happening) {
			set(true, true)
			goesOn(h)
			h.state = "goes on; alerts that fire are known"
			if m := status(t, w); !fires(m, "Overload") || fires(m, "Slow") {
				t.Errorf("Alertmanager dead: alerts %+v", m.Alerts)
			}
		},
		again: func() error { return shared.Alertmanager.Restart(t.Context()) },
		back: func(m api.Mesh) bool {
			if !fires(m, "Overload") {
				t.Errorf("cycle %d: an alert that goes on is taken to be over", m.Cycle)
			}
			return fires(m, "Slow")
		},
		after: func() {
			set(false, false)
			eventually(t, w, time.Minute, "both alerts are over", func(m api.Mesh) bool { return len(m.Alerts) == 0 })
			for outcome, want := range map[string]float64{"firing": 2, "resolved": 2, "outdated": 0, "unmatched": 0} {
				if got := metric(t, w, fmt.Sprintf("windvane_alerts_received_total{outcome=%q}", outcome)); got != want {
					t.Errorf("%v alerts %s, want %v", got, outcome, want)
				}
			}
			if n := missed(t, w) - before; n > 0 {
				t.Errorf("Alertmanager dead: %v cycles did not take place", n)
			}
		},
	}
}

// pluginKilled is a fault right before a cycle, which has to be decided without the plugin. One
// that is back by then is killed again: the second wait for a plugin is longer than an interval.
func pluginKilled(t *testing.T, w *stack.Windvane) fault {
	kill := func() {
		if err := syscall.Kill(status(t, w).Plugins[0].PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	before, first := 0.0, uint64(0)
	return fault{
		part: "the plugin of the active policy",
		before: func() {
			m := status(t, w)
			before, first = missed(t, w), m.Cycle
			next := m.At.Add(interval)
			for time.Until(next) < 200*time.Millisecond {
				next = next.Add(interval)
			}
			time.Sleep(time.Until(next) - 100*time.Millisecond)
		},
		kill: kill,
		dead: func(h *happening) {
			for kills := 1; ; kills++ {
				m := eventually(t, w, 10*interval, "a cycle after the plugin's end", func(m api.Mesh) bool { return m.At.After(h.killed) })
				if m.PolicyRole == "fallback" {
					h.hold, h.state = m.At.Sub(h.killed), "the fallback policy, inside the daemon, decides"
					explains(t, w, m)
					return
				}
				if kills == 3 {
					t.Fatalf("the plugin was killed %d times, and the fallback did not decide", kills)
				}
				h.killed = time.Now()
				kill()
			}
		},
		back: func(m api.Mesh) bool { return m.Plugins[0].Up },
		after: func() {
			if n := missed(t, w) - before; n > 0 {
				t.Errorf("the plugin dead: %v cycles did not take place", n)
			}
			last := status(t, w)
			t.Logf("cycles %d to %d; %d starts of the plugin after the first", first, last.Cycle, last.Plugins[0].Restarts)
		},
	}
}

// explains looks that people are told of a cycle that the fallback decided.
func explains(t *testing.T, w *stack.Windvane, m api.Mesh) {
	t.Helper()
	if !strings.Contains(m.FallbackReason, "plugin shed: ") {
		t.Errorf("status says of the plugin: %q", m.FallbackReason)
	}
	out, err := exec.Command(program, "explain", fmt.Sprint(m.Cycle), "--url", w.URL()).CombinedOutput()
	if want := "the active policy did not decide: " + m.FallbackReason; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("explain %d: %v, want it to say %q\n%s", m.Cycle, err, want, out)
	}
}

// leavesNothing stops a daemon: no process of its, nor of its plugins', is left, and no socket.
func leavesNothing(t *testing.T, w *stack.Windvane) {
	if n := len(processes(t, w)); n != 2 {
		t.Errorf("%d processes before the stop, want windvane and its plugin", n)
	}
	w.Stop(10 * time.Second)
	for end := time.Now().Add(5 * time.Second); len(processes(t, w)) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after the stop there are processes %v", processes(t, w))
		}
	}
	left, err := filepath.Glob(filepath.Join(w.Runtime(), "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("after the stop there are %v, %v", left, err)
	}
}

// processes are those whose environment names the daemon's directory for sockets: its own, and
// its plugins'.
func processes(t *testing.T, w *stack.Windvane) (found []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		b, err := os.ReadFile(file) // of others it may not be read, and of some it is gone
		if err == nil && bytes.Contains(b, []byte(w.Runtime())) {
			found = append(found, filepath.Base(filepath.Dir(file)))
		}
	}
	return found
}

// status asks once.
func status(t *testing.T, w *stack.Windvane) api.Mesh {
	t.Helper()
	m, err := w.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}
