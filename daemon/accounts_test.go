package daemon_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/api"
)

func (r *rig) read(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// objective returns what the status says of a service's first objective.
func (r *rig) objective(service string) api.Objective {
	r.t.Helper()
	for _, s := range r.daemon.Status().Meshes[0].Services {
		if s.Name == service {
			return s.Objectives[0]
		}
	}
	r.t.Fatalf("no service %s", service)
	return api.Objective{}
}

func (r *rig) metrics() string {
	r.t.Helper()
	answer, err := http.Get(r.url + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

const account = "state/budgets/shop.json"

func TestErrorBudgetsSurvive(t *testing.T) {
	r := newRig(t, "observe", thresholdActive)
	r.start()
	r.run(20)
	crashed := r.read(account) // as a crash would have left it a little later
	r.run(10)
	before := r.objective("compute")
	if before.Left == nil || *before.Left >= 0 || before.Burn["5m"] < 1 || before.Burning != "5m and 1h" || before.WindowSeconds != 3600 {
		t.Errorf("compute breaks its bound in most intervals, but its budget is %+v", before)
	}
	metrics := r.metrics()
	for _, want := range []string{
		`windvane_slo_error_budget_remaining_ratio{mesh="shop",service="compute",signal="latency"} -`,
		`windvane_slo_burn_rate{mesh="shop",service="compute",signal="latency",window="3d"} `,
		`windvane_slo_error_budget_burning{mesh="shop",service="compute",signal="latency"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no metric %s", want)
		}
	}
	r.stop()
	stopped := r.read(account)

	// What a crash leaves is completed from the journal.
	r.write(account, crashed)
	r.start()
	r.stop()
	if d := cmp.Diff(stopped, r.read(account)); d != "" || crashed == stopped {
		t.Errorf("account after a crash (-clean stop +crash):\n%s", d)
	}

	r.start()
	if err := r.daemon.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.run(1)
	after := r.objective("compute")
	if after.Left == nil || *after.Left > *before.Left+1 || *after.Left < *before.Left-1 || after.Burning == "" {
		t.Errorf("after a restart and a reload: %+v, before: %+v", after, before)
	}
}

// An account that does not read back is said so, and starts anew; nothing else suffers.
func TestADamagedAccountStartsAnew(t *testing.T) {
	r := newRig(t, "observe", thresholdActive)
	r.write(account, `{"accounts":[{"service":"compute"`)
	r.start()
	if got := r.log.String(); !strings.Contains(got, "budgets/shop.json: unexpected end of JSON input") {
		t.Errorf("log:\n%s", got)
	}
	r.run(3)
	if o := r.objective("compute"); o.Left == nil {
		t.Errorf("after two intervals: %+v", o)
	}
}

func TestASharedBudgetIsReported(t *testing.T) {
	r := newRig(t, "observe", thresholdActive)
	shop := strings.ReplaceAll(r.read("rules.d/shop.toml"), "target = 0.95", `budget = "both"`)
	r.write("rules.d/shop.toml", shop+"\n[[budget]]\nname = \"both\"\ntarget = 0.9\n")
	r.start()
	r.run(10)
	for _, service := range []string{"compute", "information"} {
		if o := r.objective(service); o.Budget != .05 || o.Shared != "both" || o.Left == nil {
			t.Errorf("%s: %+v, want half of the shared budget", service, o)
		}
	}
	budgets := r.daemon.Status().Meshes[0].Budgets
	if len(budgets) != 1 || budgets[0].Name != "both" || budgets[0].Budget != .1 || budgets[0].Left == nil || *budgets[0].Left >= 0 {
		t.Errorf("budgets: %+v, want one that is overspent", budgets)
	}
	if want := `windvane_slo_shared_budget_remaining_ratio{budget="both",mesh="shop"} -`; !strings.Contains(r.metrics(), want) {
		t.Errorf("no metric %s", want)
	}
}
