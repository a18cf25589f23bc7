//go:build integration

package suite

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/rules"
)

// leaseDuration is that of the daemons that share a lease.
const leaseDuration = 3 * time.Second

// sharing writes the files of a daemon that shares the lease, as a user of its own with
// windvane's roles, by whose name the audit log tells it.
func sharing(t *testing.T, name string) *stack.Windvane {
	w, err := shared.NewWindvane(stack.WindvaneOptions{
		Name: name, Program: program, User: stack.User{Name: name}, Prometheus: prometheus.URL(), Rules: rulesText(rules.AuthorityAct),
		Plugins: fmt.Sprintf("\n[plugin.shed]\nbuiltin = \"threshold\"\n\n[lease]\nnamespace = \"default\"\nname = \"windvane\"\nduration = %q\n", leaseDuration),
	})
	if err != nil {
		t.Fatal(err)
	}
	impersonate(t, name)
	for _, role := range []string{"windvane-act", "windvane-lease"} {
		if err := shared.Apply(t.Context(), fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: %s-%s, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[2]s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[1]s}]
`, name, role)); err != nil {
			t.Fatal(err)
		}
	}
	start(t, w)
	t.Cleanup(func() { w.Stop(10 * time.Second) })
	return w
}

func start(t *testing.T, w *stack.Windvane) {
	t.Helper()
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// written is a write in the audit log.
type written struct {
	who, what string
	at        time.Time
}

// writtenBy reads what daemons of the names wrote since, but for the lease itself and questions for
// permissions; also what was refused, and what was only tried.
func writtenBy(t *testing.T, since time.Time, names ...string) (out []written) {
	b, err := os.ReadFile(shared.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			At           time.Time `json:"requestReceivedTimestamp"`
			Verb         string    `json:"verb"`
			Impersonated struct {
				Username string `json:"username"`
			} `json:"impersonatedUser"`
			Object struct {
				Resource string `json:"resource"`
			} `json:"objectRef"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if e.At.After(since) && slices.Contains(names, e.Impersonated.Username) && e.Object.Resource != "leases" && !strings.HasPrefix(e.Object.Resource, "selfsubject") {
			out = append(out, written{e.Impersonated.Username, e.Verb + " " + e.Object.Resource, e.At})
		}
	}
	slices.SortFunc(out, func(a, b written) int { return a.at.Compare(b.at) })
	return out
}

func leads(m api.Mesh) bool { return m.Authority == string(rules.AuthorityAct) }

func standsBy(m api.Mesh) bool {
	return m.Authority == string(rules.AuthorityObserve) && slices.ContainsFunc(m.Sources, func(s journal.AuthoritySource) bool { return s.Source == authority.SourceStandby })
}

// kills is how many times the daemon that acts is killed: LEADER_TEST_KILLS, or twice.
func kills(t *testing.T) int {
	n := 2
	if text := os.Getenv("LEADER_TEST_KILLS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("LEADER_TEST_KILLS: %v", err)
		}
	}
	return n
}

// Two daemons share a lease. The one that acts is killed, some times, and once stands still until
// the other acts: there are never two writers, the other goes on within the lease's duration
// and an interval, and the last of them can give back what was there before the first.
func TestLeaderChange(t *testing.T) {
	before, begin := front(t), time.Now()
	stop := offering(t, 200)
	names := []string{"windvane-a", "windvane-b"}
	a := sharing(t, names[0])
	shed := func(m api.Mesh) bool { return leads(m) && blocked(m) > 0 }
	eventually(t, a, time.Minute, "the first sheds", shed)
	b := sharing(t, names[1])
	eventually(t, b, 20*time.Second, "the second stands by", standsBy)

	var gaps []time.Duration
	gap := func(w *stack.Windvane, since time.Time) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(interval / 4) {
			found := writtenBy(t, since, w.Name)
			if len(found) == 0 {
				continue
			}
			took := found[0].at.Sub(since)
			if gaps = append(gaps, took.Round(10*time.Millisecond)); took > leaseDuration+interval {
				t.Errorf("%s writes %v after the other was gone, want at most %v", w.Name, took, leaseDuration+interval)
			}
			return
		}
		t.Errorf("%s wrote nothing", w.Name)
	}
	leader, other := a, b
	want := []string{a.Name}
	for range kills(t) {
		want = append(want, other.Name)
		since := time.Now()
		leader.Kill()
		eventually(t, other, 20*time.Second, "the other leads", shed)
		gap(other, since)
		start(t, leader)
		eventually(t, leader, 20*time.Second, "what was killed stands by", standsBy)
		const held = `windvane_leader{lease="default/windvane"}`
		eventually(t, other, 20*time.Second, held+" tells them apart", func(api.Mesh) bool { return metric(t, other, held) == 1 && metric(t, leader, held) == 0 })
		leader, other = other, leader
	}
	since := time.Now()
	if err := leader.Pause(); err != nil {
		t.Fatal(err)
	}
	eventually(t, other, 20*time.Second, "the other leads", shed)
	gap(other, since)
	if err := leader.Continue(); err != nil {
		t.Fatal(err)
	}
	eventually(t, leader, 20*time.Second, "what stood still stands by", standsBy)
	time.Sleep(3 * interval)
	since = time.Now()
	other.Stop(10 * time.Second)
	eventually(t, leader, 20*time.Second, "the other leads after a stop", shed)
	gap(leader, since)
	leader.Stop(10 * time.Second)
	stop()

	writers := []string{}
	all := writtenBy(t, begin, names...)
	for _, w := range all {
		if len(writers) == 0 || writers[len(writers)-1] != w.who {
			writers = append(writers, w.who)
		}
	}
	t.Logf("%d writes; the other acts %v after each kill -9, the SIGSTOP and a stop", len(all), gaps)
	want = append(want, other.Name, leader.Name) // after SIGSTOP, and after the stop
	if !slices.Equal(writers, want) {
		t.Errorf("writers in turn: %v, want %v", writers, want)
	}
	release(t, leader)
	if after := front(t); after != before {
		t.Errorf("spec after release\n%s\nbefore\n%s", after, before)
	}
}
