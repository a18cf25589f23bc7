package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/doctor"
	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/sim/testbed"
)

// The first steps at a mesh: init, check, doctor; each tells the next, and none of them
// writes to the mesh.
func TestFirstSteps(t *testing.T) {
	start := time.Now().Truncate(time.Second).Add(-time.Minute)
	bed, err := testbed.New(testbed.Options{Mesh: "shop", Graph: overloaded(), Seed: 1003, Rules: prometheus.IstioRules, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bed.Close() }()
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(testbed.Kubeconfig(bed.KubernetesURL())), 0o600); err != nil {
		t.Fatal(err)
	}
	// run runs windvane while the mesh's clock is that of the machine.
	run := func(exit int, args ...string) string {
		t.Helper()
		if err := bed.Advance(time.Since(bed.Now())); err != nil {
			t.Fatal(err)
		}
		c := exec.Command(filepath.Join(built, "windvane"), args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "RUNTIME_DIRECTORY=")
		out, err := c.CombinedOutput()
		code := 0
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			code = failed.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != exit {
			t.Errorf("windvane %s: exit %d, want %d:\n%s", strings.Join(args, " "), code, exit, out)
		}
		return string(out)
	}
	says := func(out string, words ...string) {
		t.Helper()
		for _, w := range words {
			if !strings.Contains(out, w) {
				t.Errorf("no %q in:\n%s", w, out)
			}
		}
	}
	says(run(2, "doctor"), "windvane.toml: no such file")
	first := []string{"init", "--prometheus", bed.PrometheusURL(), "--kubeconfig", kubeconfig, "-o", "first"}
	says(run(0, first...), "wrote first/windvane.toml", "wrote first/rules.d/default.toml", "services: 1, in authority observe", "windvane doctor --config.file first/windvane.toml")
	says(run(1, first...), "first/windvane.toml is there already, and is never overwritten")
	says(run(0, "check", "config", "first/windvane.toml"), "1 meshes")

	file := filepath.Join(dir, "first", "windvane.toml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), `"/var/lib/windvane"`, `"state"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	says(run(0, "doctor", "--config.file", "first/windvane.toml"), "mesh default", "-v shows them", "0 problems", "nothing was changed")
	says(run(0, "doctor", "--config.file", "first/windvane.toml", "-v", "--mesh", "default"), "permissions, api server: all that authority observe needs")
	says(run(2, "doctor", "--config.file", "first/windvane.toml", "--mesh", "defalt"), `did you mean "default"`)
	bed.Fail(testbed.Faults{Prometheus: true})
	var report doctor.Report
	if err := json.Unmarshal([]byte(run(1, "doctor", "--config.file", "first/windvane.toml", "--json")), &report); err != nil || report.Count(doctor.Problem) != 1 || report.Count(doctor.Unknown) == 0 {
		t.Errorf("%v, %+v", err, report)
	}
	for what, n := range bed.Requests() {
		if what != "GET" && what != "review" {
			t.Errorf("the API server was sent %d of %s", n, what)
		}
	}
}
