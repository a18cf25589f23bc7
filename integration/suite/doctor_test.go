//go:build integration

package suite

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/doctor"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/rules"
)

// doctor and init at a real API server with the shipped role, a real Prometheus and a
// real VirtualService.
func TestDoctorAndInit(t *testing.T) {
	actuator(t) // which gives back what the daemon sets, if it has to
	offering(t, 50)
	w := startWindvane(t, "examined", rulesText(rules.AuthorityAct))
	eventually(t, w, 20*time.Second, "all signals measured", func(m api.Mesh) bool {
		return m.Cycle > 5 && objectives(m, func(api.Service, api.Objective) bool { return true })
	})
	w.Stop(10 * time.Second)

	report := examine(t, w)
	for _, f := range report.Findings {
		t.Logf("%-8s %s, %s: %s", f.Status, f.Check, f.Object, f.What)
	}
	for _, check := range []string{"prometheus", "clock", "api server", "query", "permissions", "route", "owner", "retries", "gitops", "journal"} {
		found := of(report, check)
		if len(found) == 0 {
			t.Errorf("no finding of %s", check)
		}
		for _, f := range found {
			if f.Status != doctor.OK {
				t.Errorf("%+v", f)
			}
		}
	}

	kubectl(t, "annotate", "virtualservice", "front", "argocd.argoproj.io/tracking-id=shop")
	defer kubectl(t, "annotate", "virtualservice", "front", "argocd.argoproj.io/tracking-id-")
	// In this namespace windvane has no role.
	if err := w.SetRules(strings.Replace(rulesText(rules.AuthorityAct), `"default/front"`, `"kube-system/front"`, 1)); err != nil {
		t.Fatal(err)
	}
	report = examine(t, w)
	if found := of(report, "gitops"); len(found) != 1 || !strings.Contains(found[0].Do, "ignoreDifferences") {
		t.Errorf("gitops: %+v", found)
	}
	if found := of(report, "permissions"); len(found) == 0 || found[len(found)-1].Status != doctor.Problem || !strings.Contains(found[len(found)-1].Do, "verbs: [get, patch]") {
		t.Errorf("permissions: %+v", found)
	}

	admin, err := shared.Kubeconfig(stack.Admin)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, err := exec.Command(program, "init", "--prometheus", prometheus.URL(), "--kubeconfig", admin, "-n", "default", "-o", dir).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "check", "config", filepath.Join(dir, "windvane.toml")).CombinedOutput(); err != nil {
		t.Errorf("check config: %v\n%s", err, out)
	}
}

func of(report doctor.Report, check string) []doctor.Finding {
	return slices.DeleteFunc(slices.Clone(report.Findings), func(f doctor.Finding) bool { return f.Check != check })
}

// examine runs doctor; that it found problems is no error.
func examine(t *testing.T, w *stack.Windvane) doctor.Report {
	t.Helper()
	report, _ := diagnose(t, w)
	return report
}

func kubectl(t *testing.T, args ...string) {
	t.Helper()
	if out, err := shared.Kubectl(t.Context(), stack.Admin, "", args...); err != nil {
		t.Errorf("kubectl %v: %v\n%s", args, err, out)
	}
}
