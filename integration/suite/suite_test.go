//go:build integration

package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/windvane/windvane/integration/stack"
)

// What the tests of this package share.
var (
	shared *stack.Stack
	shop   *stack.Shop

	prometheus *stack.Prometheus
	program    string // cmd/windvane

	// windvane has the role that deploy/kubernetes/rbac.yaml documents, and no other.
	windvane = stack.User{Name: "windvane"}
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
	shared, shop, err = startShop(ctx, dir)
	if shared != nil {
		defer shared.Stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("the mesh is ready after %v; its logs are in %s\n", time.Since(start).Round(100*time.Millisecond), dir)
	if code = m.Run(); code == 0 {
		_ = os.RemoveAll(dir) // the logs of a failure are kept
	}
	return code
}

// startShop starts the stack with the mesh of the paper, and gives windvane its role.
func startShop(ctx context.Context, dir string) (*stack.Stack, *stack.Shop, error) {
	node := filepath.Join(dir, "node")
	program = filepath.Join(dir, "windvane")
	build := exec.CommandContext(ctx, "go", "build", "-o", dir, "../node", "../../cmd/windvane")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, nil, err
	}
	s, err := stack.Start(ctx, stack.Options{Programs: os.Getenv("WINDVANE_PROGRAMS"), Dir: dir, Users: []stack.User{windvane}})
	if err != nil {
		return s, nil, err
	}
	role, err := os.ReadFile("../../deploy/kubernetes/rbac.yaml")
	if err == nil {
		err = s.Apply(ctx, string(role))
	}
	_, err2 := s.Kubectl(ctx, stack.Admin, "", "create", "rolebinding", "windvane", "--namespace=default", "--clusterrole=windvane-act", "--user=windvane")
	if err := errors.Join(err, err2); err != nil {
		return s, nil, err
	}
	m, err := s.StartShop(ctx, node)
	if err != nil {
		return s, nil, err
	}
	rules, err := os.ReadFile("../../deploy/prometheus/envoy.rules.yml")
	if err != nil {
		return s, nil, err
	}
	prometheus, err = s.StartPrometheus(ctx, m, stack.PrometheusOptions{Rules: string(rules), LookBack: interval, Interval: interval / 5})
	return s, m, err
}
