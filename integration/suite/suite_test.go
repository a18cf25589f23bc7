//go:build integration

package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/windvane/windvane/integration/stack"
)

// shared is the stack that the tests of this package share.
var (
	shared  *stack.Stack
	nodeDir string
)

func TestMain(m *testing.M) { os.Exit(withStack(m)) }

func withStack(m *testing.M) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "windvane-suite")
	if err != nil {
		return fail(err)
	}
	nodeDir = dir
	node := filepath.Join(dir, "node")
	build := exec.Command("go", "build", "-o", node, "../node")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	start := time.Now()
	shared, err = stack.Start(ctx, stack.Options{Programs: os.Getenv("WINDVANE_PROGRAMS"), Dir: dir})
	if err != nil {
		return fail(err)
	}
	defer shared.Stop()
	fmt.Printf("the stack is ready after %v; its logs are in %s\n", time.Since(start).Round(100*time.Millisecond), dir)
	code := m.Run()
	if code == 0 {
		_ = os.RemoveAll(dir) // the logs of a failure are kept
	}
	return code
}

func TestItRuns(t *testing.T) {
	out, err := shared.Kubectl(t.Context(), stack.Admin, "", "get", "crd", "-o", "name")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out)
}
