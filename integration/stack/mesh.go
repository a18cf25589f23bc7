package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// module is this repository's.
const module = "github.com/windvane/windvane"

// Autopilot is windvane's user: it has the role that deploy/kubernetes/rbac.yaml documents,
// and no other.
var Autopilot = User{Name: "windvane"}

// MeshOptions are what a whole mesh is made of.
type MeshOptions struct {
	Programs string // the directory that integration/tools/build.sh prints
	Dir      string // for data, logs and files; it has to exist
	Interval time.Duration
	Nodes    Nodes

	Alertmanager bool // notifies the windvane that its Receiver is given to
}

// Mesh is a whole one: the stack with the shop on it, measured by a Prometheus with
// windvane's own rules, five times an interval.
type Mesh struct {
	*Stack

	Shop         *Shop
	Prometheus   *Prometheus
	Alertmanager *Alertmanager // nil: there is none
	Program      string        // cmd/windvane
}

// StartMesh builds what belongs to this repository, and starts all but windvane. On an
// error nothing is left running. The working directory has to be in the repository.
func StartMesh(ctx context.Context, o MeshOptions) (_ *Mesh, err error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m %s: %w; run this in the repository", module, err)
	}
	deploy := filepath.Join(strings.TrimSpace(string(root)), "deploy")
	build := exec.CommandContext(ctx, "go", "build", "-o", o.Dir, module+"/integration/node", module+"/cmd/windvane")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	m := &Mesh{Program: filepath.Join(o.Dir, "windvane")}
	if m.Stack, err = Start(ctx, Options{Programs: o.Programs, Dir: o.Dir, Users: []User{Autopilot}}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.Stop()
		}
	}()
	if err := m.bind(ctx, filepath.Join(deploy, "kubernetes", "rbac.yaml")); err != nil {
		return nil, err
	}
	if m.Shop, err = m.StartShop(ctx, filepath.Join(o.Dir, "node"), o.Nodes); err != nil {
		return nil, err
	}
	rules, err := os.ReadFile(filepath.Join(deploy, "prometheus", "envoy.rules.yml"))
	if err != nil {
		return nil, err
	}
	measured := PrometheusOptions{Rules: string(rules), LookBack: o.Interval, Interval: o.Interval / 5}
	if o.Alertmanager {
		receiver := Receiver{Address: freeAddress(), Secret: m.path("windvane.secret")}
		if err := os.WriteFile(receiver.Secret, []byte("s3cret\n"), 0o600); err != nil {
			return nil, err
		}
		if m.Alertmanager, err = m.StartAlertmanager(ctx, filepath.Join(deploy, "alertmanager", "windvane.yml"), receiver); err != nil {
			return nil, err
		}
		measured.Alertmanager = m.Alertmanager.Address
	}
	m.Prometheus, err = m.StartPrometheus(ctx, m.Shop, measured)
	return m, err
}

// bind gives windvane its role.
func (m *Mesh) bind(ctx context.Context, file string) error {
	role, err := os.ReadFile(file)
	if err == nil {
		err = m.Apply(ctx, string(role))
	}
	_, err2 := m.Kubectl(ctx, Admin, "", "create", "rolebinding", "windvane", "--namespace=default", "--clusterrole=windvane-act", "--user="+Autopilot.Name)
	return errors.Join(err, err2)
}
