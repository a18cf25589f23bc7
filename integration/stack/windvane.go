package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/windvane/windvane/daemon/api"
)

// Windvane is a daemon beside the mesh: the program as it is shipped, with a directory of
// its own below the stack's.
type Windvane struct {
	*Process

	Dir     string // with windvane.toml, rules.toml and the directory state
	Address string
	Program string

	s *Stack
}

// WindvaneOptions are what a daemon is given.
type WindvaneOptions struct {
	Name       string
	Program    string // of cmd/windvane
	User       User   // whose rights it has
	Prometheus string // URL
	Rules      string // the rules file
	Plugins    string // the [plugin] tables of windvane.toml

	Alerted *Receiver // whom an Alertmanager notifies; nil: nobody
}

// NewWindvane writes the files of a daemon. It does not run yet.
func (s *Stack) NewWindvane(o WindvaneOptions) (*Windvane, error) {
	kubeconfig, err := s.Kubeconfig(o.User)
	if err != nil {
		return nil, err
	}
	w := &Windvane{Dir: s.path(o.Name), Address: freeAddress(), Program: o.Program, s: s}
	config := fmt.Sprintf("rules = [\"rules.toml\"]\nstate_directory = %q\n\n[prometheus.main]\nurl = %q\n\n[kubernetes]\nkubeconfig_file = %q\n%s",
		w.State(), o.Prometheus, kubeconfig, o.Plugins)
	if o.Alerted != nil {
		w.Address = o.Alerted.Address
		config += fmt.Sprintf("\n[alerts]\ncredentials_file = %q\n", o.Alerted.Secret)
	}
	return w, errors.Join(
		os.MkdirAll(w.State(), 0o700),
		os.MkdirAll(w.Runtime(), 0o700),
		os.WriteFile(w.Config(), []byte(config), 0o600),
		w.SetRules(o.Rules))
}

// State is the daemon's state_directory.
func (w *Windvane) State() string { return filepath.Join(w.Dir, "state") }

// Runtime is the directory of its sockets, and of its plugins'.
func (w *Windvane) Runtime() string { return filepath.Join(w.Dir, "run") }

// Config is its windvane.toml.
func (w *Windvane) Config() string { return filepath.Join(w.Dir, "windvane.toml") }

// SetRules writes the rules file. A running daemon does not read it before Reload.
func (w *Windvane) SetRules(text string) error {
	return os.WriteFile(filepath.Join(w.Dir, "rules.toml"), []byte(text), 0o600)
}

// Start runs the daemon, and returns when it is ready.
func (w *Windvane) Start(ctx context.Context) (err error) {
	w.Process, err = w.s.Run(filepath.Base(w.Dir), w.Program, []string{"RUNTIME_DIRECTORY=" + w.Runtime()}, "run", "--config.file", w.Config(), "--web.listen-address", w.Address)
	if err != nil {
		return err
	}
	return w.await(ctx, func(ctx context.Context) error {
		_, err := w.Ask(ctx, "/-/ready")
		return err
	})
}

// URL is where it answers.
func (w *Windvane) URL() string { return "http://" + w.Address }

// Ask returns what the daemon answers to a GET, as of /metrics.
func (w *Windvane) Ask(ctx context.Context, path string) (string, error) {
	return get(ctx, w.URL()+path)
}

// Status asks the daemon.
func (w *Windvane) Status(ctx context.Context) (api.Mesh, error) {
	text, err := w.Ask(ctx, "/api/v1/status")
	if err != nil {
		return api.Mesh{}, err
	}
	var s api.Status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return api.Mesh{}, err
	}
	if len(s.Meshes) != 1 {
		return api.Mesh{}, fmt.Errorf("%d meshes, want 1", len(s.Meshes))
	}
	return s.Meshes[0], nil
}
