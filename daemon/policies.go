package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/explore"
	"github.com/windvane/windvane/plugins/host"
	"github.com/windvane/windvane/plugins/learned"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/rollout"
	"github.com/windvane/windvane/plugins/search"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/plugins/threshold"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/train"
)

// Builtins are the policies that this binary serves as plugins, `windvane plugin serve NAME`.
func Builtins() map[string]func() policy.Policy {
	return map[string]func() policy.Policy{
		"explore":   func() policy.Policy { return explore.New() },
		"learned":   func() policy.Policy { return learned.New() },
		"rollout":   func() policy.Policy { return rollout.New() },
		"search":    func() policy.Policy { return search.New() },
		"tabular":   func() policy.Policy { return tabular.New() },
		"threshold": func() policy.Policy { return threshold.New() },
	}
}

// BuiltinNames are the names of Builtins, sorted.
func BuiltinNames() []string { return slices.Sorted(maps.Keys(Builtins())) }

// inProcess says which built-in runs inside the daemon: the one that has to answer
// when a plugin does not.
const inProcess = "threshold"

// policies are the policies of one mesh.
type policies struct {
	active   *loop.Decider
	fallback loop.Decider
	shadows  []loop.Decider
	initial  func(service, signal string) margin.Calibration
	plugins  []*plugin
}

// plugin is a policy that runs as a process.
type plugin struct {
	policy string // its name in the rules file
	role   rules.PolicyRole
	host   *host.Host
}

// newPolicies reads what the policies of a mesh are made of. No process is started yet.
func (d *Daemon) newPolicies(ctx context.Context, c *config.Config, m *rules.Mesh) (*policies, error) {
	p := &policies{
		fallback: loop.Decider{Name: inProcess, Policy: threshold.New()},
		initial:  train.Card{}.Initial,
	}
	var errs []error
	for _, ref := range m.Policies {
		errs = append(errs, d.addPolicy(ctx, c, m, ref, p))
	}
	return p, errors.Join(errs...)
}

func (d *Daemon) addPolicy(ctx context.Context, c *config.Config, m *rules.Mesh, ref rules.PolicyRef, p *policies) error {
	declared, _ := c.Plugin(ref.Plugin) // config.Load has checked that it is there
	settings, err := ref.SettingsJSON()
	if err != nil {
		return fmt.Errorf("%s: policy %s: settings: %w", m.File, ref.Name, err)
	}
	conf := policy.Config{Settings: settings}
	var artefact *train.Artefact
	if ref.Artefact != "" {
		if artefact, err = train.Read(ref.Artefact); err != nil {
			return fmt.Errorf("%s: policy %s: %w", m.File, ref.Name, err)
		}
		conf.Card, conf.Artefact = artefact.Text, artefact.Policy
		if ref.Role == rules.RoleActive {
			p.initial = artefact.Card.Initial
		}
	}
	if err := fits(ctx, declared.Builtin, artefact); err != nil {
		return fmt.Errorf("%s: policy %s: %w", m.File, ref.Name, err)
	}
	decider := loop.Decider{Name: ref.Name}
	if declared.Builtin == inProcess {
		t := threshold.New()
		if err := t.Configure(ctx, conf); err != nil {
			return fmt.Errorf("%s: policy %s: %w", m.File, ref.Name, err)
		}
		decider.Policy = t
	} else {
		h := host.New(d.hostOptions(declared, ref, conf))
		p.plugins = append(p.plugins, &plugin{policy: ref.Name, role: ref.Role, host: h})
		decider.Policy = h // which keeps the deadline
	}
	switch ref.Role {
	case rules.RoleActive:
		p.active = &decider
	case rules.RoleFallback:
		if declared.Builtin != inProcess {
			return fmt.Errorf("%s: policy %s: a fallback runs inside the daemon, so that it answers when a plugin does not; use a plugin with builtin = %q",
				m.File, ref.Name, inProcess)
		}
		p.fallback = decider
	case rules.RoleShadow:
		p.shadows = append(p.shadows, decider)
	}
	return nil
}

// fits refuses a built-in policy without the artefact that it decides with, or with that
// of another policy: its plugin would be started again and again, and never decide.
// Tabular and rollout have the same.
func fits(ctx context.Context, builtin string, artefact *train.Artefact) error {
	if builtin == "" {
		return nil
	}
	is, err := Builtins()[builtin]().Describe(ctx)
	if err != nil || !is.Artefact {
		return err
	}
	hint := fmt.Sprintf("`windvane train --policy %s` makes one and prints its directory", builtin)
	if artefact == nil {
		return fmt.Errorf("builtin = %q decides with a trained artefact, and none is named; %s, for artefact = \"…\"", builtin, hint)
	}
	of, table := artefact.Card.Policy, []string{tabular.Name, rollout.Name}
	if of == builtin || slices.Contains(table, of) && slices.Contains(table, builtin) {
		return nil
	}
	return fmt.Errorf("its artefact is of policy %q, and the plugin has builtin = %q; %s", of, builtin, hint)
}

func (d *Daemon) hostOptions(declared config.Plugin, ref rules.PolicyRef, conf policy.Config) host.Options {
	o := host.Options{
		Name: ref.Name, Config: conf, Deadline: declared.Deadline, SocketDir: d.o.RuntimeDirectory,
		SHA256: declared.SHA256, Logger: d.o.Logger, Random: d.o.Random,
	}
	if declared.Builtin != "" {
		o.Path, o.Args = d.o.Executable, append(slices.Clone(d.o.PluginArgs), declared.Builtin)
		return o
	}
	o.Path, o.Args = declared.Command[0], declared.Command[1:]
	return o
}

// start starts the plugins. One that does not start is no reason not to run: it is
// started again, and meanwhile the fallback decides. Nobody waits for a shadow.
func (p *policies) start(ctx context.Context, logger *slog.Logger) {
	over, cancel := context.WithCancel(ctx)
	cancel()
	for _, pl := range p.plugins {
		if pl.role == rules.RoleShadow {
			_ = pl.host.Start(over) // says that it was not waited for
			continue
		}
		if err := pl.host.Start(ctx); err != nil {
			logger.Error("the plugin did not start; the fallback policy decides until it does", "policy", pl.policy, "err", err)
		}
	}
}

func (p *policies) stop(ctx context.Context) {
	for _, pl := range p.plugins {
		pl.host.Stop(ctx)
	}
}
