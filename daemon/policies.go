package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
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
	declared []*declared
	fallback loop.Decider
	plugins  []*plugin
}

// declared is a policy that the rules file declares: ready to decide, whatever its role.
type declared struct {
	rules.PolicyRef
	kind     string // name of a built-in policy, or the command's program
	digest   string // of all that makes it the policy that it is
	policy   policy.Policy
	plugin   *plugin         // nil: it runs inside the daemon
	artefact *train.Artefact // without what is in its files but the card; nil: it needs none
	path     string          // of that
}

// plugin is a policy that runs as a process.
type plugin struct {
	policy string // its name in the rules file
	host   *host.Host
	begun  bool // it was told to start
}

// ArtefactDirectory is where artefacts lie below a state directory that are named without one.
func ArtefactDirectory(state string) string { return filepath.Join(state, "artefacts") }

// newPolicies reads what the policies of a mesh are made of. No process is started yet.
func (d *Daemon) newPolicies(ctx context.Context, c *config.Config, m *rules.Mesh) (*policies, error) {
	p := &policies{fallback: loop.Decider{Name: inProcess, Policy: threshold.New()}}
	var errs []error
	for _, ref := range m.Policies {
		if err := d.addPolicy(ctx, c, ref, p); err != nil {
			errs = append(errs, fmt.Errorf("%s: policy %s: %w", m.File, ref.Name, err))
		}
	}
	return p, errors.Join(errs...)
}

func (d *Daemon) addPolicy(ctx context.Context, c *config.Config, ref rules.PolicyRef, p *policies) error {
	plug, _ := c.Plugin(ref.Plugin) // config.Load has checked that it is there
	settings, err := ref.SettingsJSON()
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	x := &declared{PolicyRef: ref, kind: plug.Builtin}
	if x.kind == "" {
		x.kind = plug.Command[0]
	}
	conf := policy.Config{Settings: settings}
	if ref.Artefact != "" {
		x.path = train.Find(ref.Artefact, ArtefactDirectory(c.StateDirectory))
		artefact, err := train.Read(x.path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w; in %s there is none of that name either", err, ArtefactDirectory(c.StateDirectory))
		}
		if err != nil {
			return err
		}
		conf.Card, conf.Artefact = artefact.Text, artefact.Policy
		artefact.Policy, artefact.Model = nil, nil // the latter is large, and not needed
		x.artefact = artefact
	}
	if err := fits(ctx, plug.Builtin, x.artefact); err != nil {
		return err
	}
	x.digest = digestPolicy(plug, ref.Role, settings, x.artefact)
	p.declared = append(p.declared, x)
	if plug.Builtin != inProcess {
		h := host.New(d.hostOptions(plug, ref, conf))
		x.policy, x.plugin = h, &plugin{policy: ref.Name, host: h} // which keeps the deadline
		p.plugins = append(p.plugins, x.plugin)
		if ref.Role == rules.RoleFallback {
			return fmt.Errorf("a fallback runs inside the daemon, so that it answers when a plugin does not; use a plugin with builtin = %q", inProcess)
		}
		return nil
	}
	t := threshold.New()
	if err := t.Configure(ctx, conf); err != nil {
		return err
	}
	if x.policy = t; ref.Role == rules.RoleFallback {
		p.fallback = loop.Decider{Name: ref.Name, Policy: t}
	}
	return nil
}

// digestPolicy tells a policy from what it would be with another role in the file, artefact,
// settings or program.
func digestPolicy(plug config.Plugin, role rules.PolicyRole, settings []byte, artefact *train.Artefact) string {
	name := ""
	if artefact != nil {
		name = artefact.Name()
	}
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%q %q %q %q %q %q", role, plug.Builtin, plug.Command, plug.SHA256, settings, name)
	return hex.EncodeToString(sum.Sum(nil))
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
		Name: ref.Name, Config: conf, Deadline: declared.Deadline, StartTimeout: declared.StartTimeout, SocketDir: d.o.RuntimeDirectory,
		SHA256: declared.SHA256, Logger: d.o.Logger, Random: d.o.Random,
	}
	if declared.Builtin != "" {
		o.Path, o.Args = d.o.Executable, append(slices.Clone(d.o.PluginArgs), declared.Builtin)
		return o
	}
	o.Path, o.Args = declared.Command[0], declared.Command[1:]
	return o
}
