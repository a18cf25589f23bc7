package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/plugintest/conformance"
	"github.com/windvane/windvane/plugins/training"
	"github.com/windvane/windvane/sim/train"
)

// addPluginCheck adds `plugin check`, for those who write a policy.
func addPluginCheck(plugin *kingpin.CmdClause, commands map[string]func() error, stdout io.Writer) {
	c := plugin.Command("check", "Run a policy plugin as the daemon would, and say where it is not as it has to be. Exit code 1: it is not.")
	artefact := c.Flag("artefact", "Directory of the trained artefact that it decides with; its mesh is what the plugin is asked about.").PlaceHolder("DIRECTORY").String()
	settings := c.Flag("settings", "The plugin's settings, a JSON object.").PlaceHolder("JSON").String()
	deadline := c.Flag("deadline", "Time for one decision, as deadline of [plugin.NAME].").Default(config.DefaultDeadline.String()).Duration()
	startTimeout := c.Flag("start-timeout", "Time to start, as start_timeout of [plugin.NAME].").Default(config.DefaultStartTimeout.String()).Duration()
	calls := c.Flag("calls", "Decisions over which its memory is watched.").Default("10000").Int()
	only := c.Flag("only", "A check to run, the start apart; may be given again. There are: "+strings.Join(conformance.Checks(), ", ")+".").PlaceHolder("CHECK").Enums(conformance.Checks()...)
	asJSON := c.Flag("json", "Print the results as JSON.").Bool()
	command := c.Arg("command", "The program, and its arguments; write -- before a program whose arguments begin with a dash.").Required().Strings()
	commands["plugin check"] = func() error {
		o := conformance.Options{Command: slices.Clone(*command), StartTimeout: *startTimeout, Deadline: *deadline, Calls: *calls, Only: *only, Seed: 1}
		if *calls < 100 || *deadline <= 0 || *startTimeout < time.Second {
			return usageError{fmt.Errorf("plugin check: --calls %d, --deadline %s, --start-timeout %s: want at least 100 calls, more than no time, and a second to start",
				*calls, *deadline, *startTimeout)}
		}
		path, err := exec.LookPath(o.Command[0])
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			return usageError{fmt.Errorf("plugin check: %w; name the program that is to be checked", err)}
		}
		o.Command[0] = path
		if err := aboutMesh(&o, *artefact, *settings); err != nil {
			return err
		}
		return checkPlugin(o, *asJSON, stdout)
	}
}

// aboutMesh says what the plugin is asked about and configured with.
func aboutMesh(o *conformance.Options, artefact, settings string) error {
	if settings != "" {
		if !json.Valid([]byte(settings)) {
			return usageError{fmt.Errorf("plugin check: --settings %s: no JSON; want an object such as {\"seed\": 1}", settings)}
		}
		o.Config.Settings = []byte(settings)
	}
	if artefact == "" {
		o.Observation = plugintest.Observation(plugintest.Knobs("a", "b"), .06, 10, 20)
		return nil
	}
	a, err := train.Read(artefact)
	if err != nil {
		return usageError{fmt.Errorf("plugin check: %w", err)}
	}
	o.Config.Card, o.Config.Artefact = a.Text, a.Policy
	o.Observation = training.Observation(a.Card)
	return nil
}

func checkPlugin(o conformance.Options, asJSON bool, stdout io.Writer) error {
	ctx, cancel := interruptible()
	defer cancel()
	if !asJSON {
		_, _ = fmt.Fprintf(stdout, "%s\n", strings.Join(o.Command, " "))
	}
	report, err := conformance.Check(ctx, o, func(r conformance.Result) {
		if !asJSON && r.About != "" {
			_ = r.WriteText(stdout)
		}
	})
	if err != nil {
		return fmt.Errorf("plugin check: %w", err)
	}
	if asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		err = report.WriteText(stdout)
	}
	if err != nil {
		return err
	}
	if report.Failed() > 0 {
		return exitError(exitFailed)
	}
	if asJSON {
		return nil
	}
	return declaration(o, stdout)
}

// declaration prints what an operator writes into windvane.toml for the plugin.
func declaration(o conformance.Options, stdout io.Writer) error {
	program, err := os.ReadFile(o.Command[0])
	if err != nil {
		return err
	}
	var quoted []string
	for _, c := range o.Command {
		quoted = append(quoted, fmt.Sprintf("%q", c))
	}
	sum := sha256.Sum256(program)
	text := fmt.Sprintf("For windvane.toml:\n\n[plugin.NAME]\ncommand = [%s]\nsha256 = %q\n", strings.Join(quoted, ", "), hex.EncodeToString(sum[:]))
	if o.Deadline != config.DefaultDeadline {
		text += fmt.Sprintf("deadline = %q\n", model.Duration(o.Deadline))
	}
	if o.StartTimeout != config.DefaultStartTimeout {
		text += fmt.Sprintf("start_timeout = %q\n", model.Duration(o.StartTimeout))
	}
	_, err = io.WriteString(stdout, text)
	return err
}
