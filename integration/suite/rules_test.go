//go:build integration

package suite

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The unit tests of the shipped rules and alerts, by promtool itself; sim/testbed runs those of
// the rules, too.
func TestShippedRulesByPromtool(t *testing.T) {
	files, err := filepath.Glob("../../deploy/prometheus/*.test.yml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%q, %v", files, err)
	}
	if out, err := exec.CommandContext(t.Context(), shared.Tool("promtool"), append([]string{"test", "rules"}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
