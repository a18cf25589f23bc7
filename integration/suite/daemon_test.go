//go:build integration

package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/integration/loadgen"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/load"
)

// interval of the loop, and the look-back of its signals.
const interval = time.Second

// bounds are those of the objectives: about twice what a request takes where none waits.
var bounds = map[string]time.Duration{"information": 30 * time.Millisecond, "compute": 80 * time.Millisecond}

// rulesText declares the shop, controlled by thresholds.
func rulesText(authority rules.Authority) string {
	return stack.Rules(stack.RulesOptions{Authority: authority, Interval: interval, Bounds: bounds, Policies: threshold})
}

const threshold = `
[[policy]]
name = "shed"
plugin = "shed"
role = "active"
`

// startWindvane starts a daemon over the shared Prometheus; it ends with the test.
func startWindvane(t *testing.T, name, rules string) *stack.Windvane {
	t.Helper()
	return run(t, stack.WindvaneOptions{Name: name, Rules: rules, Plugins: "\n[plugin.shed]\nbuiltin = \"threshold\"\n"})
}

// run starts a daemon as startWindvane does, with options of its own.
func run(t *testing.T, o stack.WindvaneOptions) *stack.Windvane {
	t.Helper()
	o.Program, o.User, o.Prometheus = program, windvane, prometheus.URL()
	w, err := shared.NewWindvane(o)
	if err != nil {
		t.Fatal(err)
	}
	start(t, w)
	t.Cleanup(func() { w.Stop(10 * time.Second) })
	return w
}

// offering offers both services a load until the test ends, or the returned function is called.
// That returns what their clients saw.
func offering(t *testing.T, rate float64) func() map[string][]loadgen.Answer {
	out := map[string][]loadgen.Answer{}
	var mu sync.Mutex
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for k, s := range stack.Services {
		all.Go(func() {
			answers := loadgen.Run(ctx, loadgen.Options{URL: shop.URL(s), Load: load.Constant(rate), For: time.Hour, Seed: uint64(k), Timeout: 10 * time.Second})
			mu.Lock()
			defer mu.Unlock()
			out[s] = answers
		})
	}
	end := sync.OnceFunc(func() { cancel(); all.Wait() })
	t.Cleanup(end)
	return func() map[string][]loadgen.Answer { end(); return out }
}

// eventually asks for the status until it is as it should be.
func eventually(t *testing.T, w *stack.Windvane, within time.Duration, what string, is func(api.Mesh) bool) api.Mesh {
	t.Helper()
	var last api.Mesh
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(interval / 4) {
		m, err := w.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if last = m; is(m) {
			return m
		}
	}
	text, _ := json.MarshalIndent(last, "", " ")
	t.Fatalf("not after %v: %s\n%s", within, what, text)
	return last
}

// metric is a sample of the daemon's metrics, by its name and labels as /metrics has them; NaN:
// there is none.
func metric(t *testing.T, w *stack.Windvane, sample string) float64 {
	t.Helper()
	text, err := w.Ask(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, sample+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	return math.NaN()
}

// objectives is whether each objective was measured, and is as it should be.
func objectives(m api.Mesh, is func(api.Service, api.Objective) bool) bool {
	for _, s := range m.Services {
		for _, o := range s.Objectives {
			if o.Value == nil || !is(s, o) {
				return false
			}
		}
	}
	return len(m.Services) > 0
}

func TestObserveWritesNothing(t *testing.T) {
	before := writes(t)
	stop := offering(t, 100)
	w := startWindvane(t, "observing", rulesText(rules.AuthorityObserve))
	eventually(t, w, 20*time.Second, "all signals measured, as offered", func(m api.Mesh) bool {
		return m.Cycle > 5 && objectives(m, func(s api.Service, _ api.Objective) bool {
			return s.Offered != nil && *s.Offered > 70 && *s.Offered < 130
		})
	})
	for _, command := range [][]string{
		{"status", "--url", w.URL()}, {"explain", "--state-directory", w.State()}, {"check", "config", w.Config()}, {"journal", "verify", "--state-directory", w.State()},
	} {
		if out, err := exec.Command(program, command...).CombinedOutput(); err != nil {
			t.Errorf("windvane %s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	w.Stop(10 * time.Second)
	for s, answers := range stop() {
		for _, a := range answers {
			if a.Status != 200 {
				t.Fatalf("%s: an answer of %d, %v", s, a.Status, a.Err)
			}
		}
	}
	if after := writes(t); after != before {
		t.Errorf("%d writes of windvane's in the audit log, %d before", after, before)
	}
}

// writes counts those of windvane's in the API server's audit log.
func writes(t *testing.T) int {
	b, err := os.ReadFile(shared.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte(`"username":"`+windvane.Name+`"`))
}

// Twice of what the nodes can carry: windvane sheds with the commanded 429 and nothing
// else, the latency comes below its bound, and release puts back what was there.
func TestActsUnderOverloadAndReleases(t *testing.T) {
	before := front(t)
	stop := offering(t, 230)
	w := startWindvane(t, "acting", rulesText(rules.AuthorityAct))
	eventually(t, w, 20*time.Second, "an objective broken", func(m api.Mesh) bool {
		return slices.ContainsFunc(m.Services, func(s api.Service) bool {
			return slices.ContainsFunc(s.Objectives, func(o api.Objective) bool { return o.Value != nil && *o.Value > o.Bound })
		})
	})
	held := eventually(t, w, time.Minute, "both objectives kept with something shed", func(m api.Mesh) bool {
		shed := slices.ContainsFunc(m.Services, func(s api.Service) bool { return s.Blocking != nil && *s.Blocking > 0 })
		return shed && objectives(m, func(_ api.Service, o api.Objective) bool { return *o.Value <= o.Bound })
	})
	t.Logf("both objectives kept in cycle %d", held.Cycle)
	w.Stop(10 * time.Second)
	for s, answers := range stop() {
		shed := 0
		for _, a := range answers {
			switch a.Status {
			case 200:
			case 429:
				shed++
			default:
				t.Fatalf("%s: an answer of %d, %v", s, a.Status, a.Err)
			}
		}
		t.Logf("%s: %d requests, %d of them shed", s, len(answers), shed)
	}
	release(t, w)
	if after := front(t); after != before {
		t.Errorf("spec after release\n%s\nbefore\n%s", after, before)
	}
}

func release(t *testing.T, w *stack.Windvane) {
	if out, err := exec.Command(program, "release", "--config.file", w.Config()).CombinedOutput(); err != nil {
		t.Fatalf("release: %v\n%s", err, out)
	}
}

// front is the spec of the VirtualService, as the API server has it.
func front(t *testing.T) string {
	text, err := shared.Kubectl(t.Context(), stack.Admin, "", "get", "virtualservice", "front", "-o", "jsonpath={.spec}")
	if err != nil {
		t.Fatal(err)
	}
	return text
}
