package daemon_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

const plannerActive = `
[[policy]]
name = "planner"
plugin = "planner"
role = "active"
artefact = "%s"

[[policy]]
name = "simple"
plugin = "rules"
role = "fallback"
`

// artefact writes a table that knows roughly how the shop answers, and returns its directory.
func (r *rig) artefact() string { return r.predicting(predicted) }

// predicting is an artefact that predicts so many seconds.
func (r *rig) predicting(predicted func(a policy.Action, compute, information float64) float32) string {
	r.t.Helper()
	m, err := rules.Load(r.dir + "/rules.d/shop.toml")
	if err != nil {
		r.t.Fatal(err)
	}
	tb := &model.Table{
		Knobs: m.Knobs(), Services: []string{"compute", "information"}, Signals: []string{"latency", "latency"},
		Loads: [][]float64{{1, 60}, {1, 60}},
	}
	grid, err := policy.Grid(tb.Knobs)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, x := range tb.Loads[0] {
		for _, y := range tb.Loads[1] {
			for _, a := range grid {
				tb.Values = append(tb.Values, predicted(a, x, y), predicted(a, x, y))
			}
		}
	}
	b, err := tb.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	dir, err := train.Write(r.dir+"/artefacts", train.Card{Policy: "tabular", Mesh: "shop", Services: []train.ServiceCard{
		{Service: "compute", Signal: "latency", Margin: .1, Spread: .2}, {Service: "information", Signal: "latency", Margin: .1, Spread: .2},
	}}, b, []byte("no model"))
	if err != nil {
		r.t.Fatal(err)
	}
	return dir
}

// predicted grows with the load of the fuller node.
func predicted(a policy.Action, compute, information float64) float32 {
	node := map[string]float64{}
	for service, load := range map[string]float64{"compute": compute, "information": information} {
		b, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: service})
		for _, v := range []string{"v1", "v2"} {
			w, _ := a.Get(policy.KnobID{Kind: policy.Weight, Target: "default/shop/" + service, Part: v})
			node[v] += load * (1 - b) * w
		}
	}
	return float32(.1 + .25*max(node["v1"]/25, node["v2"]/50))
}

// waitFor polls until the condition holds.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestKilledPluginIsReplacedByTheFallbackAndComesBack(t *testing.T) {
	r := newRig(t, "act", "")
	r.rules("act", strings.Replace(plannerActive, "%s", r.artefact(), 1))
	r.start()
	acted := r.run(10)
	last := acted[len(acted)-1]
	if last.Intent.Policy != "planner" || last.Intent.PolicyRole != journal.RoleActive {
		t.Fatalf("policy %q (%s) decides, want the planner; log:\n%s", last.Intent.Policy, last.Intent.FallbackReason, r.log)
	}
	if last.Control[0].Counted == 0 {
		t.Error("no interval of the planner moved the debt")
	}
	blocked := r.testbed.Settings().Blocking

	plugin := r.daemon.Status().Meshes[0].Plugins[0]
	if !plugin.Up || plugin.PID == 0 {
		t.Fatalf("plugin %+v", plugin)
	}
	if err := syscall.Kill(plugin.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the daemon notices", func() bool {
		p := r.daemon.Status().Meshes[0].Plugins[0]
		return !p.Up || p.PID != plugin.PID
	})
	next := r.run(1)[0]
	if next.Intent.PolicyRole != journal.RoleFallback && next.Intent.Policy != "planner" {
		t.Errorf("after the kill: %q (%s) decided", next.Intent.Policy, next.Intent.PolicyRole)
	}
	if next.Intent.PolicyRole == journal.RoleFallback && next.Intent.FallbackReason == "" {
		t.Error("the journal does not say why the fallback decided")
	}
	if got := r.testbed.Settings().Blocking; got[0] < blocked[0]-.4 || got[1] < blocked[1]-.4 {
		t.Errorf("protection fell from %v to %v when the plugin died", blocked, got)
	}
	waitFor(t, "the plugin comes back", func() bool {
		p := r.daemon.Status().Meshes[0].Plugins[0]
		return p.Up && p.PID != plugin.PID && p.Restarts == 1
	})
	if back := r.run(1)[0]; back.Intent.Policy != "planner" {
		t.Errorf("after its restart the planner does not decide: %+v", back.Intent.FallbackReason)
	}
}

func TestPluginThatDoesNotStartLeavesTheFallback(t *testing.T) {
	r := newRig(t, "act", "")
	r.write("windvane.toml", strings.Replace(readFile(t, r.dir+"/windvane.toml"), `builtin = "tabular"`, `command = ["/bin/false"]`, 1))
	r.rules("act", `
[[policy]]
name = "planner"
plugin = "planner"
role = "active"
`)
	r.start()
	report := r.run(1)[0]
	if report.Intent.PolicyRole != journal.RoleFallback || !strings.Contains(report.Intent.FallbackReason, "planner") {
		t.Errorf("role %s, reason %q", report.Intent.PolicyRole, report.Intent.FallbackReason)
	}
	if !strings.Contains(r.log.String(), "the plugin did not start") {
		t.Errorf("the log does not say so:\n%s", r.log)
	}
}

func TestHTTP(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.start()
	r.run(3)
	get := func(path string) (int, string) {
		t.Helper()
		answer, err := http.Get(r.url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		var b strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := answer.Body.Read(buf)
			b.Write(buf[:n])
			if err != nil {
				return answer.StatusCode, b.String()
			}
		}
	}
	for path, want := range map[string]string{
		"/-/healthy": "healthy", "/-/ready": "ready",
		"/metrics": `windvane_loop_iterations_total{mesh="shop",outcome=`,
	} {
		if code, body := get(path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.200s", path, code, body)
		}
	}
	code, body := get("/api/v1/status")
	var s api.Status
	if err := json.Unmarshal([]byte(body), &s); code != http.StatusOK || err != nil {
		t.Fatalf("status: %d %v %s", code, err, body)
	}
	m := s.Meshes[0]
	if m.Name != "shop" || m.Cycle != 3 || len(m.Services) != 2 || m.Services[0].Offered == nil || m.Services[0].Objectives[0].Status != "valid" {
		t.Errorf("status %s", body)
	}
	var text strings.Builder
	if err := s.WriteText(&text); err != nil || !strings.Contains(text.String(), "mesh shop   authority act") {
		t.Errorf("status as text: %v\n%s", err, text.String())
	}
	if code, _ := get("/-/reload"); code != http.StatusMethodNotAllowed {
		t.Errorf("GET /-/reload: %d, want 405", code)
	}
	if code, _ := get("/nothing"); code != http.StatusNotFound {
		t.Errorf("/nothing: %d, want 404", code)
	}
}

func TestReload(t *testing.T) {
	r := newRig(t, "act", thresholdActive)
	r.start()
	r.run(3)
	r.write("rules.d/shop.toml", "mesh = \"shop\"\ncolour = 1\n")
	post := func(origin string) int {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/-/reload", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if origin != "" {
			q.Header.Set("Origin", origin)
		}
		answer, err := r.local().Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if code := post(""); code != http.StatusInternalServerError {
		t.Errorf("reload of a bad file: %d, want 500", code)
	}
	if s := r.daemon.Status(); !strings.Contains(s.ReloadError, "colour") || s.Meshes[0].Authority != "act" {
		t.Errorf("after a bad reload: error %q, authority %s; want the old configuration", s.ReloadError, s.Meshes[0].Authority)
	}
	if report := r.run(1)[0]; report.Intent.Cycle != 4 {
		t.Errorf("cycle %d after a bad reload, want 4", report.Intent.Cycle)
	}
	r.rules("observe", thresholdActive)
	if code := post("https://example.org"); code != http.StatusForbidden {
		t.Errorf("reload by a web page: %d, want 403", code)
	}
	if code := post(""); code != http.StatusOK {
		t.Errorf("reload: %d, want 200", code)
	}
	if report := r.run(1)[0]; report.Intent.Cycle != 5 || report.Intent.Authority != "observe" {
		t.Errorf("cycle %d with authority %s, want 5 with observe", report.Intent.Cycle, report.Intent.Authority)
	}
}
