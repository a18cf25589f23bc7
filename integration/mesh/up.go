package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/rules"
)

// addUp adds `up`.
func addUp(app *kingpin.Application, commands map[string]func(context.Context) error, programs *string) {
	app.Command("up", "Keep a mesh up until Ctrl-C, and say how to work with it.")
	commands["up"] = func(ctx context.Context) error {
		return withMeshes(ctx, *programs, 1, func(ctx context.Context, all []*stack.Mesh) error {
			m := all[0]
			w, err := m.NewWindvane(stack.WindvaneOptions{
				Name: "windvane-shop", Program: m.Program, User: stack.Autopilot, Prometheus: m.Prometheus.URL(),
				Rules: shopRules(rules.AuthorityAct, shedding), Plugins: plugins,
			})
			if err != nil {
				return err
			}
			if err := describe(os.Stdout, m, w); err != nil {
				return err
			}
			<-ctx.Done()
			_, _ = fmt.Fprintln(os.Stderr, "ending the mesh")
			return nil
		})
	}
}

// describe says where everything is, and what to type.
func describe(out io.Writer, m *stack.Mesh, w *stack.Windvane) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	admin, err := m.Kubeconfig(stack.Admin)
	if err != nil {
		return err
	}
	var b strings.Builder
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	say("The mesh is up. Ctrl-C ends it, and removes its files.\n")
	for _, s := range stack.Services {
		say("  %-12s %s", s, m.Shop.URL(s))
	}
	say("  %-12s http://%s", "Envoy", m.Shop.Gateway.Admin)
	say("  %-12s %s", "Prometheus", m.Prometheus.URL())
	say("  %-12s %s", "logs", filepath.Dir(w.Dir))
	say("\nwindvane, with the role of deploy/kubernetes/rbac.yaml; rules.toml beside its configuration has the policies:")
	say("  %s run --config.file %s --web.listen-address %s", w.Program, w.Config(), w.Address)
	say("  %s status --url %s", w.Program, w.URL())
	say("  %s explain --url %s", w.Program, w.URL())
	say("  %s release --config.file %s   # once it has ended: puts back what was there", w.Program, w.Config())
	say("\nload, each in a terminal of its own; the shop answers about 390 requests/s in all:")
	for _, s := range stack.Services {
		say("  %s load --url %s --rate 140 --amplitude 80 --period 90s", self, m.Shop.URL(s))
	}
	say("\nwhat the mesh is told:\n  %s --kubeconfig %s get virtualservice front -o yaml", m.Tool("kubectl"), admin)
	_, err = io.WriteString(out, b.String())
	return err
}
