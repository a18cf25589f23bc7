//go:build integration

package suite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/rules"
)

// What is killed in mid-run, while windvane protects an overloaded mesh: what it does then, and
// how soon it goes on when the part is back. Clients see success and the commanded 429,
// node deaths apart.
func TestKilledParts(t *testing.T) {
	before := front(t)
	begin := time.Now()
	stop := offering(t, 200)
	w := startWindvane(t, "faults", rulesText(rules.AuthorityAct))
	protected := func(m api.Mesh) bool { return m.Hold == "" && m.Error == "" && blocked(m) > 0 }
	eventually(t, w, time.Minute, "something shed", protected)

	var nodeDied time.Duration // since the load began
	rows := []string{fmt.Sprintf("%-16s %-28s %8s %8s", "kill -9 of", "windvane", "after", "back")}
	for _, f := range []struct {
		part  string
		kill  func()
		hold  string // what the status then says begins with this; empty: it goes on
		again func() error
	}{
		{"Prometheus", prometheus.Kill, "no_data", func() error { return prometheus.Restart(t.Context()) }},
		{"the API server", shared.Process("kube-apiserver").Kill, "no_live", func() error { return shared.StartAPIServer(t.Context()) }},
		{"istiod", shared.Process("pilot-discovery").Kill, "", func() error { _, err := shared.StartIstiod(t.Context()); return err }},
		{"a node", shop.Kubelet.Nodes("node-v1")[0].Kill, "", func() error { return shop.Kubelet.Await(t.Context(), "node-v1", 1) }},
		{"windvane", w.Kill, "", func() error { return w.Start(t.Context()) }},
	} {
		shed := blocked(eventually(t, w, time.Minute, "protected before the next fault", protected))
		start := time.Now()
		if f.part == "a node" {
			nodeDied = start.Sub(begin)
		}
		f.kill()
		row := fmt.Sprintf("%-16s goes on", f.part)
		if f.hold != "" {
			m := eventually(t, w, 10*interval, f.part+" dead: a hold", func(m api.Mesh) bool { return strings.HasPrefix(m.Hold, f.hold) })
			row = fmt.Sprintf("%-16s %-28.28s %7.1fs", f.part, "holds: "+m.Hold, time.Since(start).Seconds())
			time.Sleep(3 * interval)
		}
		if err := f.again(); err != nil {
			t.Fatal(err)
		}
		if f.hold == "no_data" { // while nothing can be measured nothing is loosened
			if m, err := w.Status(t.Context()); err != nil || blocked(m) < shed-1e-9 {
				t.Errorf("%s dead: %v blocked, %v before; %v", f.part, blocked(m), shed, err)
			}
		}
		start = time.Now()
		eventually(t, w, time.Minute, f.part+" back: goes on", protected)
		rows = append(rows, fmt.Sprintf("%-54s %7.1fs", row, time.Since(start).Seconds()))
	}
	w.Stop(10 * time.Second)
	t.Log("\n" + strings.Join(rows, "\n"))
	for s, answers := range stop() {
		died := 0
		for _, a := range answers {
			switch {
			case a.Status == 200 || a.Status == 429:
			case a.Due > nodeDied-time.Second && a.Due < nodeDied+2*time.Second:
				died++
			default:
				t.Fatalf("%s: after %v an answer of %d, %v", s, a.Due, a.Status, a.Err)
			}
		}
		t.Logf("%s: %d requests; neither answered nor shed: %d, when the node died", s, len(answers), died)
	}
	release(t, w)
	if after := front(t); after != before {
		t.Errorf("spec after release\n%s\nbefore\n%s", after, before)
	}
}

// blocked is the sum of the shares that are blocked.
func blocked(m api.Mesh) float64 {
	sum := 0.0
	for _, s := range m.Services {
		if s.Blocking != nil {
			sum += *s.Blocking
		}
	}
	return sum
}
