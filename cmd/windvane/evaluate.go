package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/eval/page"
	"github.com/windvane/windvane/sim/eval/report"
	"github.com/windvane/windvane/sim/train"
)

// addEvaluate adds `evaluate`.
func addEvaluate(app *kingpin.Application, commands map[string]func() error, stdout, stderr io.Writer) {
	c := app.Command("evaluate", "Judge policies on a model of a dataset, and on configurations that they have not seen.")
	rulesFile := c.Flag("rules", "The mesh's rules file (TOML).").String()
	data := c.Flag("dataset", "A dataset, such as `collect` and `import trace` write.").String()
	policies := c.Flag("policy", "A policy: optimum, tabular, rollout, learned, threshold, static, random, none (no control), or the directory of an artefact; repeat for more. The optimum and the best static setting always come along. Default: all but learned, which takes seconds to train for each seed, and rollout, which differs from tabular only where the guard limits steps.").Strings()
	seed := c.Flag("seed", "The first seed of the runs.").Default("1").Uint64()
	seeds := c.Flag("seeds", "Number of runs, each with a seed, a split and a piece of noise of its own.").Default("4").Int()
	replay := addReplay(c)
	emulator := addEmulator(c)
	exploring := addExploration(c)
	rows := c.Flag("rows", "Judge on configurations held out, beside the rest, policies that have learned from only so many rows of the others, drawn at random.").Int()
	sequentially := c.Flag("sequential", "Judge, on the reward alone, where an action is in force an interval later and a knob moves one level at a time: value iteration, PPO, rollout, the myopic tabular policy, and the best static setting.").Bool()
	models := addModels(c)
	asJSON := c.Flag("json", "Print JSON.").Bool()
	asHTML := c.Flag("html", "Write a page with plots to a file, too: for people, without script, complete in itself.").PlaceHolder("FILE").String()
	commands["evaluate"] = func() error {
		a := answer{*asJSON, *asHTML, stdout, stderr}
		if *seeds < 1 || *seeds > 1000 {
			return usageError{fmt.Errorf("evaluate: --seeds %d: want 1 to 1000", *seeds)}
		}
		if *emulator.through == throughDaemon && (*emulator.on != onEmulator || *models) {
			return usageError{errors.New("evaluate: --through daemon wants --on emulator, and no --models: that is where there is something to control")}
		}
		if *models {
			if len(*policies) > 0 || *rows != 0 || *sequentially || *replay.directory != "" || *asHTML != "" {
				return usageError{errors.New("evaluate: --models compares models in place of policies, and has no page: leave out --policy, --rows, --sequential, --replay and --html")}
			}
			return compareModels(emulator, *rulesFile, *data, *seed, *seeds, *asJSON, stdout, stderr)
		}
		if *emulator.on != onDataset && (len(*policies) > 0 || *rows != 0 || *sequentially) {
			return usageError{fmt.Errorf("evaluate: --on %s judges on an emulated mesh: leave out --policy, --rows and --sequential", *emulator.on)}
		}
		if *emulator.on == onExploration {
			return exploring.run(emulator, replay, *rulesFile, *data, *seed, *seeds, a)
		}
		if *emulator.on == onEmulator {
			return emulator.run(replay, *rulesFile, *data, *seed, *seeds, a)
		}
		if *rulesFile == "" || *data == "" {
			return usageError{errors.New("evaluate: want --rules and --dataset, or --on emulator")}
		}
		if *replay.directory != "" {
			return replay.run(*rulesFile, *data, *seed, a)
		}
		if *rows < 0 {
			return usageError{fmt.Errorf("evaluate: --rows %d: want at least 1", *rows)}
		}
		o := eval.Options{Seed: *seed, Seeds: *seeds, SampleRows: *rows}
		if *sequentially {
			if *asHTML != "" {
				return usageError{errors.New("evaluate: --sequential has no page: leave out --html")}
			}
			return sequential(*rulesFile, *data, o, a)
		}
		return evaluate(*rulesFile, *data, *policies, o, a)
	}
}

func evaluate(rulesFile, data string, policies []string, o eval.Options, a answer) error {
	var err error
	if o.Policies, o.Artefacts, err = subjects(policies); err != nil {
		return usageError{err}
	}
	var digest string
	if o.Rules, o.Dataset, digest, err = loadData("evaluate", rulesFile, data); err != nil {
		return err
	}
	return judge(a, data+" with "+rulesFile, func(ctx context.Context, progress func(string, int, int)) (eval.Report, error) {
		o.Progress = progress
		return eval.Evaluate(ctx, o)
	}, func(r eval.Report) page.Page {
		return report.Evaluation(r, about(os.Args[1:], o.Rules.Name, rulesFile, data, digest, o.Dataset.Rows()))
	})
}

// subjects tells names from directories. An artefact is judged as it is, and what it
// was made by is judged beside it on configurations held out.
func subjects(policies []string) (names []string, artefacts map[string]*train.Artefact, err error) {
	if len(policies) == 0 {
		return eval.Quick(), nil, nil
	}
	artefacts = map[string]*train.Artefact{}
	for _, p := range policies {
		if slices.Contains(eval.Names(), p) {
			names = append(names, p)
			continue
		}
		if info, err := os.Stat(p); err != nil || !info.IsDir() {
			return nil, nil, fmt.Errorf("evaluate: --policy %s is neither a policy nor the directory of an artefact; %s", p, rules.Suggest(p, eval.Names()))
		}
		a, err := train.Read(p)
		if err != nil {
			return nil, nil, fmt.Errorf("evaluate: %w", err)
		}
		if judged := []string{eval.Tabular, eval.Rollout, eval.Learned}; !slices.Contains(judged, a.Card.Policy) {
			return nil, nil, fmt.Errorf("evaluate: artefact %s is of policy %q; only those of %s are judged; `windvane train` judges what a plugin trains, and its card has the figures", p, a.Card.Policy, strings.Join(judged, ", "))
		}
		name := filepath.Base(filepath.Clean(p))
		if _, ok := artefacts[name]; ok {
			return nil, nil, fmt.Errorf("evaluate: two artefacts are called %s; give them different names", name)
		}
		artefacts[name] = a
	}
	return names, artefacts, nil
}
