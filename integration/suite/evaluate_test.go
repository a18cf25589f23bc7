//go:build integration

package suite

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The evaluation's whole chain at a mesh of its own, in short: explore, collect, train,
// sweep, and a run of each controller. What it is worth shows in hours, not here.
func TestEvaluationSmoke(t *testing.T) {
	dir := t.TempDir()
	command, file := filepath.Join(dir, "mesh"), filepath.Join(dir, "result.json")
	if out, err := exec.Command("go", "build", "-o", command, "../mesh").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), command, "evaluate", "--smoke", "--json", file).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var result struct {
		Failures map[string]int
		Explored struct{ Rows int }
		Static   map[string]any
		Rows     []struct {
			Load, Controller, Service      string
			Offered, Carried, Shed, Failed int
		}
		Stages []any `json:"loop_seconds"`
	}
	if err := json.Unmarshal(text, &result); err != nil {
		t.Fatal(err)
	}
	if len(result.Rows) != 2*4*2 || len(result.Static) != 2 || result.Explored.Rows < 20 || len(result.Stages) < 5 {
		t.Errorf("a part is missing in\n%s", text)
	}
	// What is explored may be too much for the shop, for longer than requests wait: whose turn
	// it is goes by the time of day.
	delete(result.Failures, "exploring: status 504")
	if result.Failures == nil || len(result.Failures) > 0 {
		t.Errorf("clients got something but 200 and the commanded 429: %v", result.Failures)
	}
	offered := map[string]int{}
	for _, r := range result.Rows {
		if r.Offered == 0 || r.Carried == 0 || r.Offered != r.Carried+r.Shed+r.Failed {
			t.Errorf("%+v", r)
		}
		key := r.Load + " " + r.Service
		if n, seen := offered[key]; seen && n != r.Offered {
			t.Errorf("%s under %s: %d requests were offered, %d under another controller", key, r.Controller, r.Offered, n)
		}
		offered[key] = r.Offered
	}
}
