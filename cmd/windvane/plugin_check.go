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

	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/plugintest/conformance"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/train"
)

// addPluginCheck adds `plugin check`, for those who write a policy.
func addPluginCheck(plugin *kingpin.CmdClause, commands map[string]func() error, stdout io.Writer) {
	c := plugin.Command("check", "Run a policy plugin as the daemon would, and say where it is not as it has to be. Exit code 1: it is not.")
	artefact := c.Flag("artefact", "Directory of the trained artefact that it decides with; its mesh is what the plugin is asked about.").PlaceHolder("DIRECTORY").String()
	settings := c.Flag("settings", "The plugin's settings, a JSON object.").PlaceHolder("JSON").String()
	deadline := c.Flag("deadline", "Time for one decision.").Default("500ms").Duration()
	calls := c.Flag("calls", "Decisions over which its memory is watched.").Default("10000").Int()
	only := c.Flag("only", "A check to run, the start apart; may be given again. There are: "+strings.Join(conformance.Checks(), ", ")+".").PlaceHolder("CHECK").Enums(conformance.Checks()...)
	asJSON := c.Flag("json", "Print the results as JSON.").Bool()
	command := c.Arg("command", "The program, and its arguments; write -- before a program whose arguments begin with a dash.").Required().Strings()
	commands["plugin check"] = func() error {
		o := conformance.Options{Command: slices.Clone(*command), Deadline: *deadline, Calls: *calls, Only: *only, Seed: 1}
		if *calls < 100 || *deadline <= 0 {
			return usageError{fmt.Errorf("plugin check: --calls %d, --deadline %s: want at least 100 calls and more than no time", *calls, *deadline)}
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
	o.Observation = carded(a.Card)
	return nil
}

// carded is an observation of the mesh of an artefact: half of the load that it knows,
// nothing blocked, all traffic of a route at its first destination.
func carded(card train.Card) policy.Observation {
	o := policy.Observation{Mesh: card.Mesh, At: time.Unix(0, 0).UTC(), Knobs: card.Knobs, Limits: policy.Limits{MaxStep: 1, TotalBlocking: 1}}
	target := ""
	for _, k := range card.Knobs {
		value := k.Min
		if k.Kind == policy.Weight {
			if value = 0; k.Target != target {
				target, value = k.Target, 1
			}
		}
		o.Live = append(o.Live, policy.Setting{KnobID: k.KnobID, Value: value})
	}
	for _, s := range card.Services {
		load := (s.Offered.Min + s.Offered.Max) / 2
		o.Services = append(o.Services, policy.Service{Name: s.Service, Value: 1, Objectives: []policy.Objective{
			{Signal: s.Signal, Kind: policy.LatencyObjective, Bound: .1, Budget: .05, Margin: s.Margin},
		}})
		for _, signal := range []policy.Signal{
			{Name: s.Signal, Role: policy.RoleLatency, Value: .05},
			{Name: "offered load", Role: policy.RoleOffered, Value: load},
			{Name: "carried load", Role: policy.RoleCarried, Value: load},
		} {
			signal.Service, signal.Status, signal.At = s.Service, policy.Valid, o.At
			o.State = append(o.State, signal)
		}
	}
	o.State.Sort()
	return o
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
	return declaration(o.Command, stdout)
}

// declaration prints what an operator writes into windvane.toml for the plugin.
func declaration(command []string, stdout io.Writer) error {
	program, err := os.ReadFile(command[0])
	if err != nil {
		return err
	}
	var quoted []string
	for _, c := range command {
		quoted = append(quoted, fmt.Sprintf("%q", c))
	}
	sum := sha256.Sum256(program)
	_, err = fmt.Fprintf(stdout, "For windvane.toml:\n\n[plugin.NAME]\ncommand = [%s]\nsha256 = %q\n",
		strings.Join(quoted, ", "), hex.EncodeToString(sum[:]))
	return err
}
