package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/plugins/plugintest/conformance"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/plugins/training"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/train"
)

// trainPlugin is what `train` was asked for of a plugin.
type trainPlugin struct {
	config            string
	command           []string
	settings          string
	deadline, timeout time.Duration
	startTimeout      time.Duration
	ofModel           bool
}

func addTrainPlugin(c *kingpin.CmdClause) *trainPlugin {
	f := &trainPlugin{}
	c.Flag("config.file", "The daemon's windvane.toml, for a policy of one's own: a [[policy]] of the rules file with its settings, or a [plugin.NAME], whose command trains.").StringVar(&f.config)
	c.Flag("settings", "With a command: the plugin's settings, a JSON object.").PlaceHolder("JSON").StringVar(&f.settings)
	c.Flag("deadline", "With a command: time for one decision, when what was trained is checked and judged.").Default(config.DefaultDeadline.String()).DurationVar(&f.deadline)
	c.Flag("start-timeout", "With a command: time to start, as start_timeout of [plugin.NAME].").Default(config.DefaultStartTimeout.String()).DurationVar(&f.startTimeout)
	c.Flag("timeout", "For a plugin's training, after which it is ended.").Default("1h").DurationVar(&f.timeout)
	c.Flag("model", "Have a plugin's simulator ask the fitted model in each step, not its table: slower, for grids that are too large for a table.").BoolVar(&f.ofModel)
	c.Arg("command", "In place of --policy: the program of a plugin that trains, and its arguments; write -- before them.").StringsVar(&f.command)
	return f
}

// declared is a plugin to train, and where its artefact is to lie.
type declared struct {
	training.Plugin
	timeout time.Duration
	ofModel bool
	table   string // its name in windvane.toml; empty: it has none yet
	store   string // the daemon's directory of artefacts; empty: not known
}

// find returns the built-in policy of a name, or the plugin that is to be trained. It fills
// in where the artefact is to lie by default.
func (f *trainPlugin) find(name string, out *string, m *rules.Mesh) (builtin string, plugin *declared, err error) {
	if f.timeout <= 0 || f.deadline <= 0 || f.startTimeout < time.Second {
		return "", nil, fmt.Errorf("--timeout %s, --deadline %s, --start-timeout %s: want more than no time, and a second to start", f.timeout, f.deadline, f.startTimeout)
	}
	if f.settings != "" && (len(f.command) == 0 || !json.Valid([]byte(f.settings))) {
		return "", nil, fmt.Errorf("--settings %s: want a JSON object such as {\"steps\": 1000}, and with it a command; a [[policy]] has its settings in the rules file", f.settings)
	}
	switch {
	case len(f.command) > 0 && (name != "" || f.config != ""):
		return "", nil, errors.New("a command is trained in place of --policy and --config.file: leave them out, it says itself what its policy is called")
	case len(f.command) > 0:
		plugin, err = f.commanded()
	case f.config != "":
		builtin, plugin, err = f.declared(name, out, m)
	case name == "":
		builtin = tabular.Name
	default:
		builtin = name
	}
	switch {
	case err != nil:
		return "", nil, err
	case plugin == nil && !slices.Contains(trainable, builtin):
		return "", nil, fmt.Errorf("no policy %q can be trained; %s; for one of your own name the windvane.toml that declares it with --config.file, or its program after --",
			builtin, rules.Suggest(builtin, trainable))
	case plugin == nil && f.ofModel:
		return "", nil, errors.New("--model is for plugins; without a table, train --policy search")
	case *out == "":
		return "", nil, errors.New("--output is missing: say in which directory the artefact is to lie")
	}
	if plugin != nil {
		plugin.timeout, plugin.ofModel = f.timeout, f.ofModel
	}
	return builtin, plugin, nil
}

func (f *trainPlugin) commanded() (*declared, error) {
	path, err := exec.LookPath(f.command[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; name the program that is to be trained", err)
	}
	p := training.Plugin{Name: filepath.Base(path), Command: slices.Clone(f.command), Settings: []byte(f.settings), Deadline: f.deadline, StartTimeout: f.startTimeout}
	p.Command[0] = path
	return &declared{Plugin: p}, nil
}

// declared looks for a policy in the rules file, then for a plugin in windvane.toml.
func (f *trainPlugin) declared(name string, out *string, m *rules.Mesh) (builtin string, plugin *declared, err error) {
	c, err := config.Load(f.config, daemon.BuiltinNames())
	if err != nil {
		return "", nil, err
	}
	store := daemon.ArtefactDirectory(c.StateDirectory)
	if *out == "" {
		*out = store
	}
	var settings []byte
	var known []string
	table := name
	for _, ref := range m.Policies {
		known = append(known, ref.Name)
		if ref.Name == name {
			table = ref.Plugin
			if settings, err = ref.SettingsJSON(); err != nil {
				return "", nil, err
			}
		}
	}
	plug, ok := c.Plugin(table)
	switch {
	case ok && plug.Builtin != "":
		return plug.Builtin, nil, nil
	case ok:
		p := training.Plugin{Name: table, Command: plug.Command, SHA256: plug.SHA256, Settings: settings, Deadline: plug.Deadline, StartTimeout: plug.StartTimeout}
		return "", &declared{Plugin: p, table: table, store: store}, nil
	case table != name:
		return "", nil, fmt.Errorf("policy %s of %s: there is no [plugin.%s] in %s", name, m.File, table, f.config)
	case name == "":
		return tabular.Name, nil, nil
	case slices.Contains(trainable, name):
		return name, nil, nil
	}
	for _, p := range c.Plugins {
		known = append(known, p.Name)
	}
	slices.Sort(known)
	return "", nil, fmt.Errorf("there is no [[policy]] %q in %s, no [plugin.%s] in %s, and no built-in policy of that name; %s",
		name, m.File, name, f.config, rules.Suggest(name, slices.Concat(slices.Compact(known), trainable)))
}

// train has the plugin train, and writes what comes of it.
func (x *declared) train(from lesson, out string, stdout, stderr io.Writer) error {
	ctx, cancel := interruptible()
	defer cancel()
	p := progress.New("train", stderr)
	defer p.Stop()
	result, l, err := x.learn(ctx, from, p)
	if ctx.Err() != nil {
		err = fmt.Errorf("train: %w; nothing was written", errStopped)
	}
	if err != nil {
		return err
	}
	p.Note("writing the artefact")
	system, err := l.Model.Encode()
	if err != nil {
		return err
	}
	dir, err := train.Write(out, result.Card, result.Artefact, system)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	p.Stop()
	if err := describe(stdout, result.Card, dir); err != nil {
		return err
	}
	return x.report(stdout, result, l, dir)
}

// learn asks the plugin first: what it lacks is not told after a fit.
func (x *declared) learn(ctx context.Context, from lesson, p *progress.Meter) (*training.Result, *training.Lesson, error) {
	p.Note("starting the plugin")
	is, err := training.Ask(ctx, x.Plugin, daemon.BuiltinNames())
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("train: %w", err)}
	}
	p.Note(from.fitting())
	l, err := unlessStopped(ctx, func() (*training.Lesson, error) {
		return training.Fit(from.rules, from.dataset, from.digest, from.seed, x.ofModel)
	})
	if err != nil {
		return nil, nil, from.misfit(err)
	}
	result, err := training.Run(ctx, x.Plugin, is, l, x.timeout, p)
	if err != nil {
		err = fmt.Errorf("train: nothing was written: %w", err)
	}
	return result, l, err
}

// report says how the policy did, and what comes next.
func (x *declared) report(w io.Writer, r *training.Result, l *training.Lesson, dir string) error {
	var b strings.Builder
	names := make([]string, 0, len(r.Checks))
	for _, c := range r.Checks {
		names = append(names, c.Check)
	}
	fmt.Fprintf(&b, "\nchecked: %s\n", strings.Join(names, ", "))
	if r.Report == nil {
		fmt.Fprintf(&b, "not judged: %v\n", l.Untried)
	} else {
		fmt.Fprintf(&b, "judged on the model that it was trained on, with %d decisions:\n\n", r.Asked)
		if err := r.Report.WriteRows(&b); err != nil {
			return err
		}
	}
	if r.Missed > 0 {
		fmt.Fprintf(&b, "\n%d decisions had no answer, and the settings were held, as the fallback would not: %v\n", r.Missed, r.Failure)
	}
	table, name := x.table, filepath.Base(dir)
	if table == "" {
		table = "NAME"
		b.WriteByte('\n')
		if err := declaration(conformance.Options{Command: x.Command, Deadline: x.Deadline, StartTimeout: x.StartTimeout}, &b); err != nil {
			return err
		}
	}
	artefact := name
	if same, err := filepath.Abs(filepath.Dir(dir)); err != nil || x.store == "" || !sameDirectory(same, x.store) {
		if artefact, err = filepath.Abs(dir); err != nil {
			return err
		}
	}
	fmt.Fprintf(&b, "\nFor the rules file, and then a reload; `windvane policy promote %s --reason …` has it decide:\n\n[[policy]]\nname = %q\nplugin = %q\nrole = \"candidate\"\nartefact = %q\n",
		name, name, table, artefact)
	if len(x.Settings) > 0 {
		fmt.Fprintf(&b, "# and its settings, which are %s\n", x.Settings)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sameDirectory compares where two paths lead.
func sameDirectory(a, b string) bool {
	absolute, err := filepath.Abs(b)
	return err == nil && filepath.Clean(a) == filepath.Clean(absolute)
}
