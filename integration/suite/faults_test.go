//go:build integration

package suite

import (
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/integration/loadgen"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/rules"
)

var update = flag.Bool("update", false, "write the table of TestKilledParts into docs/ways-out.md anew")

// fault is a part that is killed in mid-run.
type fault struct {
	part   string
	before func() // waits for what has to be so first; nil: nothing
	kill   func()
	dead   func(*happening)    // waits for what windvane does then, and says so
	again  func() error        // starts it again; nil: windvane does
	back   func(api.Mesh) bool // beside going on as before; nil: that is all
	after  func()              // looks at what came of it; nil: nothing
}

// happening is a fault as it happens.
type happening struct {
	fault
	t      *testing.T
	w      *stack.Windvane
	killed time.Time
	state  string        // what windvane does meanwhile
	hold   time.Duration // how long after the kill it did
	goesOn time.Duration // how long after the part was back; without again after the kill

	from, to time.Duration // since the load began
	failed   int           // requests with neither an answer nor the commanded 429
	last     time.Duration // how long after the kill the last of them was due
}

// What is killed in mid-run, while windvane protects an overloaded mesh with a policy in a
// process of its own: what it does then, and how soon it goes on when the part is back.
// Clients see success and the commanded 429, node deaths apart; nothing is left behind.
func TestKilledParts(t *testing.T) {
	before := front(t)
	begin := time.Now()
	stop := offering(t, 200)
	w := run(t, stack.WindvaneOptions{
		Name: "faults", Rules: rulesText(rules.AuthorityAct), Alerted: &shared.Alertmanager.Receiver,
		Plugins: fmt.Sprintf("\n[plugin.shed]\ncommand = [%q, \"plugin\", \"serve\", \"threshold\"]\n", program),
	})
	protected := func(m api.Mesh) bool {
		return m.Hold == "" && m.Error == "" && m.PolicyRole == "active" && blocked(m) > 0
	}
	kept := func(m api.Mesh) bool {
		return protected(m) && objectives(m, func(_ api.Service, o api.Objective) bool { return *o.Value <= o.Bound })
	}
	var all []*happening
	for _, f := range faults(t, w) {
		h := &happening{fault: f, t: t, w: w}
		all = append(all, h)
		eventually(t, w, time.Minute, "protected before the next fault", kept)
		if f.before != nil {
			f.before()
		}
		h.from, h.killed = time.Since(begin), time.Now()
		f.kill()
		f.dead(h)
		since := h.killed
		if f.again != nil {
			if err := f.again(); err != nil {
				t.Fatal(err)
			}
			since = time.Now()
		}
		eventually(t, w, time.Minute, f.part+" back: goes on", func(m api.Mesh) bool { return protected(m) && (f.back == nil || f.back(m)) })
		h.goesOn, h.to = time.Since(since), time.Since(begin)
		t.Logf("%s: from %v to %v", f.part, h.from, h.to)
		if f.after != nil {
			f.after()
		}
	}
	leavesNothing(t, w)
	count(t, all, stop())
	text := table(all)
	t.Log("\n" + text)
	release(t, w)
	if after := front(t); after != before {
		t.Errorf("spec after release\n%s\nbefore\n%s", after, before)
	}
	if *update && !t.Failed() {
		write(t, text)
	}
}

// underWay is how long before a kill a request may have left that it cuts off.
const underWay = 500 * time.Millisecond

// count gives each fault the requests that failed while it happened. Those of a node die with
// it.
func count(t *testing.T, all []*happening, answers map[string][]loadgen.Answer) {
	for s, list := range answers {
		for _, a := range list {
			if a.Status == 200 || a.Status == 429 || a.Due < all[0].from-underWay { // before there was protection
				continue
			}
			known := false
			for _, h := range slices.Backward(all) {
				if after := a.Due - h.from; after > -underWay && a.Due < h.to {
					h.failed++
					known = h.part == aNode && after < 2*time.Second
					h.last = max(h.last, after)
					break
				}
			}
			if !known {
				t.Errorf("%s: after %v an answer of %d, %v", s, a.Due, a.Status, a.Err)
			}
		}
		t.Logf("%s: %d requests", s, len(list))
	}
}

// table is that of docs/ways-out.md.
func table(all []*happening) string {
	var b strings.Builder
	b.WriteString("| `kill -9` of | state reached | time to hold | time to recover | requests that failed |\n|---|---|---|---|---|\n")
	for _, h := range all {
		hold, back := "-", fmt.Sprintf("%.1f s after the part is back", h.goesOn.Seconds())
		if h.hold > 0 {
			hold = fmt.Sprintf("%.1f s", h.hold.Seconds())
		}
		switch {
		case h.part == aNode: // windvane has nothing to recover from
			back = fmt.Sprintf("%.1f s after the kill no request fails", h.last.Seconds())
		case h.again == nil:
			back = fmt.Sprintf("%.1f s after the kill", h.goesOn.Seconds())
		}
		_, _ = fmt.Fprintf(&b, "| %s | %s | %s | %s | %d |\n", h.part, h.state, hold, back, h.failed)
	}
	return b.String()
}

// write puts the table into the page, in place of the one that is there.
func write(t *testing.T, table string) {
	const file = "../../docs/ways-out.md"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(page), "| `kill -9` of |")
	_, tail, ended := strings.Cut(rest, "\n\n")
	if !found || !ended {
		t.Fatalf("%s has no table of what was killed, with text behind it", file)
	}
	if err := os.WriteFile(file, []byte(head+table+"\n"+tail), 0o600); err != nil {
		t.Fatal(err)
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

// missed is how many cycles did not take place.
func missed(t *testing.T, w *stack.Windvane) float64 {
	n := metric(t, w, `windvane_loop_missed_total{mesh="shop"}`)
	if math.IsNaN(n) {
		return 0
	}
	return n
}
