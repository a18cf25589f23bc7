package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/plugins/learned"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/rollout"
	"github.com/windvane/windvane/plugins/search"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// addTrain adds `train`.
func addTrain(app *kingpin.Application, commands map[string]func() error, stdout, stderr io.Writer) {
	c := app.Command("train", "Learn a mesh from a dataset, and write a policy's artefact with a card that says what it is worth.")
	rulesFile := c.Flag("rules", "The mesh's rules file (TOML).").Required().String()
	data := c.Flag("dataset", "A dataset, such as `collect` and `import trace` write.").Required().String()
	name := c.Flag("policy", "The policy to train: "+strings.Join(trainable, ", ")+"; with --config.file also one that the rules file or windvane.toml names. Default: "+tabular.Name+".").String()
	seed := c.Flag("seed", "Draws the configurations that are held out of a fit, and what a network or a plugin is trained on.").Default("1").Uint64()
	out := c.Flag("output", "Directory in which the artefact gets a directory of its own. Default: with --config.file artefacts in its state_directory.").Short('o').String()
	steps := c.Flag("steps", "Of a network's training.").Default(strconv.Itoa(train.DefaultPPO().Steps)).Int()
	resume := c.Flag("resume", "Go on with a network's training that was stopped.").Bool()
	from := addTrainPlugin(c)
	commands["train"] = func() error {
		if *steps < 1 {
			return usageError{fmt.Errorf("train: --steps %d: want at least 1", *steps)}
		}
		m, d, digest, err := loadData("train", *rulesFile, *data)
		if err != nil {
			return err
		}
		lesson := lesson{m, d, digest, *seed, *data + " with " + *rulesFile}
		builtin, plugin, err := from.find(*name, out, m)
		if err != nil {
			return usageError{fmt.Errorf("train: %w", err)}
		}
		if plugin != nil {
			return plugin.train(lesson, *out, stdout, stderr)
		}
		return trainPolicy(lesson, builtin, *out, learning{*steps, *resume}, stdout, stderr)
	}
}

// trainable are the policies that `train` knows.
var trainable = []string{tabular.Name, rollout.Name, search.Name, learned.Name}

func trainPolicy(from lesson, name, out string, l learning, stdout, stderr io.Writer) error {
	ctx, cancel := interruptible()
	defer cancel()
	p := progress.New("train", stderr)
	defer p.Stop()
	p.Note(from.fitting())
	t, err := from.train(ctx, name, out, l, p)
	if err != nil {
		return err
	}
	p.Note("writing the artefact")
	system, err := t.model.Encode()
	if err != nil {
		return err
	}
	dir, err := train.Write(out, t.card, t.artefact, system)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	p.Stop()
	return describe(stdout, t.card, dir)
}

// trained is what becomes an artefact's directory.
type trained struct {
	card     train.Card
	artefact []byte
	model    *model.System
}

// lesson is what a policy is trained on.
type lesson struct {
	rules   *rules.Mesh
	dataset *dataset.Dataset
	digest  string // of the dataset's file
	seed    uint64
	files   string // for errors
}

// fitting says what is done first.
func (f lesson) fitting() string {
	return fmt.Sprintf("fitting and cross-validating %d rows", f.dataset.Rows())
}

// misfit is for what can fail in a fit: how rules and data fit each other.
func (f lesson) misfit(err error) error {
	if errors.Is(err, errStopped) {
		return fmt.Errorf("train: %w; nothing was written", err)
	}
	return usageError{fmt.Errorf("train: %s: %w", f.files, err)}
}

func (f lesson) train(ctx context.Context, name, out string, l learning, p *progress.Meter) (*trained, error) {
	if name == search.Name {
		s, err := unlessStopped(ctx, func() (*train.Searched, error) {
			return train.FitSearched(f.rules, f.dataset, f.digest, f.seed)
		})
		if err != nil {
			return nil, f.misfit(err)
		}
		artefact, err := s.Model.Encode()
		return &trained{s.Card, artefact, s.Model}, err
	}
	t, err := unlessStopped(ctx, func() (*train.Tabular, error) {
		return train.EnumerateTabular(f.rules, f.dataset, f.digest, f.seed)
	})
	if err != nil {
		return nil, f.misfit(err)
	}
	if name == learned.Name {
		network, err := learn(ctx, f.rules, t, f.seed, out, l, p)
		if err != nil {
			return nil, err
		}
		artefact, err := network.Artefact.Encode()
		return &trained{network.Card, artefact, t.Model}, err
	}
	t.Card.Policy = name // rollout has the table of tabular
	artefact, err := t.Table.Encode()
	return &trained{t.Card, artefact, t.Model}, err
}

// loadData reads what training and judging start from, and the dataset's digest.
// Every error is the user's.
func loadData(command, rulesFile, data string) (*rules.Mesh, *dataset.Dataset, string, error) {
	m, err := rules.Load(rulesFile)
	if err != nil {
		return nil, nil, "", usageError{err}
	}
	src, err := os.ReadFile(data)
	if err != nil {
		return nil, nil, "", usageError{fmt.Errorf("%s: dataset: %w; make one with `windvane collect`, or `windvane import trace`", command, err)}
	}
	d, err := dataset.Read(data, bytes.NewReader(src))
	if err != nil {
		return nil, nil, "", usageError{err}
	}
	sum := sha256.Sum256(src)
	return m, d, hex.EncodeToString(sum[:]), nil
}

// describe says what was learned.
func describe(w io.Writer, c train.Card, dir string) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	lines := []string{
		fmt.Sprintf("learned mesh %s from %d rows of %d configurations", c.Mesh, c.Data.Rows, c.Data.Configurations),
	}
	if p := c.Plugin; p != nil {
		lines = append(lines, fmt.Sprintf("policy %s %s: %s", c.Policy, p.Version, p.Summary))
	}
	lines = append(lines, "",
		"service\tR2, configurations held out\tR2, loads held out\tspread\tfirst margin\toffered load\ttable at",
	)
	for _, s := range c.Services {
		var loads []string
		for _, l := range s.Loads {
			loads = append(loads, fmt.Sprintf("%.3g", l))
		}
		if n := len(loads); n > 6 {
			loads = []string{loads[0], loads[1], "…", loads[n-1]}
		}
		at := "no table"
		if len(loads) > 0 {
			at = strings.Join(loads, " ") + "/s"
		}
		lines = append(lines, fmt.Sprintf("%s\t%.2f\t%s\t%.1f %%\t%.1f %%\t%.3g to %.3g/s\t%s",
			s.Service, s.R2, r2(s.R2Loads), 100*s.Spread, 100*s.Margin, s.Offered.Min, s.Offered.Max, at))
	}
	for _, s := range c.BestStatic {
		lines = append(lines, "", "best static setting, objective "+s.Objective+"\t"+staticFigures(s))
		lines = append(lines, settings(s.Action)...)
	}
	if c.Plugin != nil {
		lines = append(lines, judgements(c.Plugin.Judged)...)
	}
	lines = append(lines, "", "artefact\t"+dir)
	for _, l := range lines {
		if _, err := fmt.Fprintln(out, l); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	return out.Flush()
}

// judgements say how a plugin's policy did on the model that it was trained on.
func judgements(all []train.Judgement) []string {
	out := []string{""}
	for _, j := range all {
		line := fmt.Sprintf("judged, %s load: carries %.3f of the offered load", j.Load, j.Carried)
		if j.Reward != nil {
			line += fmt.Sprintf(", has %.3f of the best reward", *j.Reward)
		}
		var violated []string
		for _, s := range slices.Sorted(maps.Keys(j.Violated)) {
			violated = append(violated, fmt.Sprintf("%s %.1f %%", s, 100*j.Violated[s]))
		}
		if len(violated) > 0 {
			line += ", violates " + strings.Join(violated, ", ")
		}
		out = append(out, line)
	}
	return out
}

// r2 is nil where the data have too few loads to hold one out.
func r2(v *float64) string {
	if v == nil {
		return "not known"
	}
	return fmt.Sprintf("%.2f", *v)
}

func staticFigures(s train.Static) string {
	text := fmt.Sprintf("carries %.3f of the offered load", s.Carried)
	if s.Reward != nil {
		text += fmt.Sprintf(", has %.3f of the best reward", *s.Reward)
	}
	if s.Objective == train.ObjectiveBudget && !s.Feasible {
		text += ", exceeds a budget (none keeps them all)"
	}
	return text
}

// settings lists an action, the weights of a target in one line.
func settings(a policy.Action) []string {
	var out []string
	for i, s := range a {
		if s.Kind == policy.Weight && i > 0 && a[i-1].Target == s.Target && a[i-1].Kind == policy.Weight {
			out[len(out)-1] += fmt.Sprintf(", %s %.3g", s.Part, s.Value)
			continue
		}
		line := fmt.Sprintf("  %s of %s\t", s.Kind, s.Target)
		if s.Part != "" {
			line += s.Part + " "
		}
		out = append(out, line+fmt.Sprintf("%.3g", s.Value))
	}
	return out
}
