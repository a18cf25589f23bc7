package daemon_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/testbed"
)

// event is a line of the table: what is wrong, and what the person at the screen sees.
type event struct {
	what    string
	fault   fault
	hold    string       // the state that is to be reached; empty: the fallback decides
	kind    observe.Kind // of the signals' problem; empty: there is none
	failed  string       // what failed, as status begins to say; empty: nothing did
	sees    string       // in the metrics, beside
	quick   bool         // it is one of those that are tried each time
	patient bool         // windvane waits for its time to be over, in each cycle: one is enough

	plugin bool                  // the policy is a process, and not the test's
	begin  func(pid int, r *rig) // has it happen to the plugin
	end    func(pid int, r *rig)
}

func events(exe string) []event {
	noData := string(guard.NoData)
	prometheus := func(f func(http.ResponseWriter, *http.Request, func() reply)) fault { return fault{prometheus: f} }
	kubernetes := func(f func(http.ResponseWriter, *http.Request, func() reply)) fault { return fault{kubernetes: f} }
	return []event{
		{what: "Prometheus is down", quick: true, fault: prometheus(down), hold: noData, kind: observe.KindError, sees: "`windvane_prometheus_last_success_timestamp_seconds` stands still"},
		{what: "Prometheus does not answer in time", fault: prometheus(slow), hold: noData, kind: observe.KindTimeout, patient: true},
		{what: "Prometheus answers 503", fault: prometheus(refusal(http.StatusServiceUnavailable, `{"status":"error","errorType":"unavailable","error":"starting"}`)), hold: noData, kind: observe.KindError},
		{what: "values are NaN", quick: true, fault: prometheus(rewrites(values("NaN"))), hold: noData, kind: observe.KindNaN},
		{what: "answers are empty", fault: prometheus(rewrites(func(v *vector, _ bool) { v.Data.Result = []sample{} })), hold: noData, kind: observe.KindAbsent},
		{what: "two series for a service", fault: prometheus(rewrites(twice)), hold: noData, kind: observe.KindDuplicate},
		{what: "samples are old", quick: true, fault: prometheus(rewrites(stale)), hold: noData, kind: observe.KindStale},
		{what: "answers are partial (warnings)", fault: prometheus(rewrites(func(v *vector, _ bool) { v.Warnings = []string{"a store is gone"} })), hold: noData, kind: observe.KindPartial},
		{what: "windvane's clock is an hour ahead", fault: fault{clock: time.Hour}, hold: noData, kind: observe.KindAbsent},
		{what: "windvane's clock is an hour behind", quick: true, fault: fault{clock: -time.Hour}, hold: noData, kind: observe.KindAbsent},
		{what: "the API server is down", quick: true, fault: kubernetes(down), hold: loop.HoldNoLive, failed: "read the settings in force"},
		{what: "the API server does not answer in time", fault: kubernetes(slow), hold: loop.HoldNoLive, failed: "read the settings in force", patient: true},
		{what: "every write conflicts (409)", quick: true, fault: kubernetes(onWrites(http.StatusConflict, "Conflict")), hold: loop.HoldRefused, failed: "prepare"},
		{what: "writes are forbidden (403)", fault: kubernetes(onWrites(http.StatusForbidden, "Forbidden")), hold: loop.HoldRefused, failed: "prepare"},
		{what: "the disk is full", quick: true, fault: fault{full: true}, hold: loop.HoldJournal, failed: "record the intent", sees: "`windvane_journal_append_failures_total`"},
		{
			what: "the policy's plugin hangs", plugin: true, patient: true,
			begin: func(pid int, _ *rig) { _ = syscall.Kill(pid, syscall.SIGSTOP) },
			end:   func(pid int, _ *rig) { _ = syscall.Kill(pid, syscall.SIGCONT) },
		},
		{
			what: "the policy's plugin answers garbage", plugin: true,
			begin: func(_ int, r *rig) { r.write("garbage", "") },
			end:   func(_ int, r *rig) { _ = os.Remove(filepath.Join(r.dir, "garbage")) },
		},
		{
			what: "the policy's plugin is dead", sees: "`windvane_plugin_up` 0", plugin: true,
			begin: func(pid int, r *rig) {
				_ = os.Remove(filepath.Join(r.dir, "plugin"))
				_ = syscall.Kill(pid, syscall.SIGKILL)
				waitFor(r.t, "the plugin is down", func() bool { return !r.daemon.Status().Meshes[0].Plugins[0].Up })
			},
			end: func(_ int, r *rig) {
				if err := os.Symlink(exe, filepath.Join(r.dir, "plugin")); err != nil {
					r.t.Fatal(err)
				}
				waitFor(r.t, "the plugin is up", func() bool { return r.daemon.Status().Meshes[0].Plugins[0].Up })
			},
		},
	}
}

// outcome is what a daemon made of an event.
type outcome struct {
	until     int // cycles until it was in its state, from 1
	recovered int // cycles until all was as before when it was over, from 1
	writes    int // while it lasted
	loosened  bool
}

// Protection is in force, then something fails while the policy wants to take it away:
// nothing is written, no blocking is lowered, and when all is well again windvane goes on.
// docs/ways-out.md has the table: -update writes it. FAULT_TEST_ALL=1 tries every line of it.
func TestFaultMatrix(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all, every := events(exe), *update || os.Getenv("FAULT_TEST_ALL") != ""
	var lines []string
	var plugins *gate // one for all events of plugins: a process takes long to start
	for n, e := range all {
		if !e.quick && !every {
			continue
		}
		g := plugins
		if g == nil {
			g = newGate(t, n, e, exe)
		}
		if e.plugin {
			plugins = g
		}
		got := e.pass(g)
		if got.loosened {
			t.Errorf("%s: blocking was lowered", e.what)
		}
		if e.hold != "" && got.writes > 0 {
			t.Errorf("%s: %d writes", e.what, got.writes)
		}
		lines = append(lines, e.line(got))
	}
	if t.Failed() {
		return
	}
	const file = "../docs/ways-out.md"
	page, real, _ := strings.Cut(readFile(t, file), waysOutReal)
	want := waysOutHead + strings.Join(lines, "")
	if *update {
		if err := os.WriteFile(file, []byte(want+waysOutReal+real), 0o600); err != nil {
			t.Fatal(err)
		}
		page = want
	}
	if every && page != want {
		t.Error("docs/ways-out.md is not what happens: `go test ./daemon -run TestFaultMatrix -update` writes it")
	}
	for _, line := range lines {
		if !strings.Contains(page, line) {
			t.Errorf("docs/ways-out.md does not say what happens (`go test ./daemon -run TestFaultMatrix -update` writes it): %s", line)
		}
	}
}

// newGate starts a daemon for an event.
func newGate(t *testing.T, n int, e event, exe string) *gate {
	t.Helper()
	policies := thresholdActive
	if e.plugin {
		policies = plannerPlain
	}
	r := newRig(t, "act", "cooldown = \"0s\"\nchanges_per_hour = 6000\n"+policies)
	g := &gate{rig: r, policy: &wish{}}
	server := httptest.NewServer(g)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	t.Cleanup(server.Close)
	r.write("kubeconfig", testbed.Kubeconfig(server.URL))
	text := strings.Replace(fmt.Sprintf(configText, server.URL), `"state"`, fmt.Sprintf(`"state-%d"`, n), 1)
	if e.patient {
		text = strings.ReplaceAll(text, `"1m"`, `"1s"`)
	}
	var active policy.Policy = g.policy
	if e.plugin {
		active = nil
		plugin := filepath.Join(r.dir, "plugin")
		if err := os.Symlink(exe, plugin); err != nil {
			t.Fatal(err)
		}
		text = strings.Replace(text, `builtin = "tabular"`, fmt.Sprintf("command = [%q, %q, %q]", plugin, "moody", filepath.Join(r.dir, "garbage")), 1)
	}
	r.write("windvane.toml", text)
	r.resumed = make(chan struct{}, 1)
	d, err := daemon.NewDecided(t.Context(), daemon.Options{
		ConfigFile: filepath.Join(r.dir, "windvane.toml"), RuntimeDirectory: r.sockets, Logger: slog.New(slog.NewTextHandler(r.log, nil)), Clock: g,
		Watch: func(report loop.Report) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.reports = append(r.reports, report)
		},
	}, g.disk(), active)
	if err == nil {
		r.daemon = d
		err = d.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return g
}

// plannerPlain is the plugin that the plugin events are about.
const plannerPlain = `
[[policy]]
name = "planner"
plugin = "planner"
role = "active"
`

// pass has protection put in force, the event happen, and end.
func (e event) pass(g *gate) outcome {
	r := g.rig
	for cycle := 0; ; cycle++ {
		b := r.testbed.Settings().Blocking
		if b[0] >= .2 && b[1] >= .2 {
			break
		}
		if cycle == 20 {
			r.t.Fatalf("no protection is in force after 20 cycles: %v\n%s", b, r.log)
		}
		r.run(1)
	}
	before := r.testbed.Settings().Blocking
	g.policy.none.Store(true)
	g.set(e.fault)
	pid := 0
	if e.plugin {
		pid = r.daemon.Status().Meshes[0].Plugins[0].PID
	}
	if e.begin != nil {
		e.begin(pid, r)
	}
	cycles := 3
	if e.patient {
		cycles = 1
	}
	var out outcome
	for cycle := range cycles {
		report := r.run(1)[0]
		fallback := report.Intent.PolicyRole == "fallback" && report.Intent.Hold == ""
		switch reached := e.hold != "" && report.Intent.Hold == e.hold || e.hold == "" && fallback; {
		case reached && out.until == 0:
			out.until = cycle + 1
			e.shown(r, report)
		case reached:
		case out.until > 0 || cycle+1 == cycles && out.until == 0:
			r.t.Errorf("%s, cycle %d: hold %q, role %s, error %v; want hold %q", e.what, cycle+1, report.Intent.Hold, report.Intent.PolicyRole, report.Err, e.hold)
		}
		for s, b := range r.testbed.Settings().Blocking {
			out.loosened = out.loosened || b < before[s]-1e-9
		}
	}
	_, out.writes = g.current()
	g.set(fault{})
	if e.end != nil {
		e.end(pid, r)
	}
	for out.recovered = 1; ; out.recovered++ {
		report := r.run(1)[0]
		if report.Intent.PolicyRole == "active" && report.Intent.Hold == "" && report.Err == nil {
			if !e.plugin && !report.Intent.Act {
				r.t.Errorf("%s: it does not act although all is well again", e.what)
			}
			return out
		}
		if out.recovered == 20 {
			r.t.Fatalf("%s: not well again after 20 cycles: hold %q, error %v", e.what, report.Intent.Hold, report.Err)
		}
	}
}

const waysOutHead = `# Ways out: what windvane does when something fails

Protection is never loosened because something is missing. Each line was measured: the daemon acts on an emulated
mesh with a share of all requests refused, something fails while the policy wants to admit them all, and then it ends.
In none of them was anything written but by the fallback policy, on signals that were there; in none was less refused
than before. A cooldown was not set; it can add to the time to recover. docs/reason-codes.md explains the reasons of a hold.
Generated by ` + "`go test ./daemon -run TestFaultMatrix -update`" + `.

| what fails | what windvane does | how soon | what you see: ` + "`windvane status`" + `, metrics | how it recovers |
|---|---|---|---|---|
`

// waysOutReal is the heading behind the table: what follows is of integration/suite.
const waysOutReal = "\n## On a real mesh\n"

// shown holds what the table says that a person sees against what there is to see.
func (e event) shown(r *rig, report loop.Report) {
	r.t.Helper()
	if e.kind != "" && !slices.ContainsFunc(report.Problems, func(p observe.Problem) bool { return p.Kind == e.kind }) {
		r.t.Errorf("%s: problems %v, want one that is %s", e.what, report.Problems, e.kind)
	}
	m := r.daemon.Status().Meshes[0]
	if !strings.Contains(m.Error, e.failed) || e.failed == "" && e.hold != "" && m.Error != "" {
		r.t.Errorf("%s: status says %q, want it to say %q", e.what, m.Error, e.failed)
	}
	if (m.FallbackReason != "") != (e.hold == "") {
		r.t.Errorf("%s: status says %q of the active policy", e.what, m.FallbackReason)
	}
}

// seen is what the table says of that.
func (e event) seen() string {
	var out []string
	switch {
	case e.hold == "":
		out = append(out, "`the active policy did not decide: …`", "`windvane_policy_fallbacks_total`")
	case e.kind != "":
		out = append(out, fmt.Sprintf("`signal: … is %s`", e.kind), fmt.Sprintf("`windvane_signal_problems_total{kind=%q}`", e.kind))
	default:
		out = append(out, fmt.Sprintf("`failed: %s: …`", e.failed), fmt.Sprintf("`windvane_holds_total{reason=%q}`", e.hold))
	}
	if e.sees != "" {
		out = append(out, e.sees)
	}
	return strings.Join(out, "; ")
}

func (e event) line(o outcome) string {
	first := "the first cycle"
	if o.recovered > 1 {
		first = fmt.Sprintf("cycle %d", o.recovered)
	}
	does := fmt.Sprintf("holds (`%s`): what is in force stays in force", e.hold)
	back := "by itself, in " + first + " after it ended"
	if e.hold == "" {
		does = "the fallback policy `threshold`, inside the daemon, decides"
		back = "by itself, in " + first + " after the plugin answers again; windvane starts one that has ended"
	}
	soon := "in the same cycle"
	if e.patient {
		soon += ", when the time for an answer is over"
	}
	if o.until > 1 {
		soon = fmt.Sprintf("in cycle %d", o.until)
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", e.what, does, soon, e.seen(), back)
}
