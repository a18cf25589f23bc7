//go:build integration

package suite

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/windvane/windvane/integration/stack"
)

// What the tests of this package share.
var (
	shared *stack.Mesh
	shop   *stack.Shop

	prometheus *stack.Prometheus
	program    string // cmd/windvane

	windvane = stack.Autopilot
)

func TestMain(m *testing.M) { os.Exit(withStack(m)) }

func withStack(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "windvane-suite")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	start := time.Now()
	shared, err = stack.StartMesh(ctx, stack.MeshOptions{
		Programs: os.Getenv("WINDVANE_PROGRAMS"), Dir: dir, Interval: interval, Nodes: stack.SmallNodes, Alertmanager: true,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer shared.Stop()
	shop, prometheus, program = shared.Shop, shared.Prometheus, shared.Program
	fmt.Printf("the mesh is ready after %v; its logs are in %s\n", time.Since(start).Round(100*time.Millisecond), dir)
	if code = m.Run(); code == 0 {
		_ = os.RemoveAll(dir) // the logs of a failure are kept
	}
	return code
}
