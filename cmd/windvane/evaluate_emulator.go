package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/eval/page"
	"github.com/windvane/windvane/sim/eval/report"
)

// What `evaluate` can judge on.
const (
	onDataset  = "dataset"
	onEmulator = "emulator"
)

// The budgets and delays on the emulator, where none are asked for.
const (
	emulatorBudgets = ".05"
	emulatorDelays  = "daemon"
)

// emulatorFlags are those of `evaluate --on emulator`.
type emulatorFlags struct{ on, graph *string }

func addEmulator(c *kingpin.CmdClause) emulatorFlags {
	return emulatorFlags{
		on: c.Flag("on", "What to judge on: a dataset, or an emulated mesh that no model knows, through a fault and a growth of the load. On one core, "+
			"the built-in mesh takes a minute for its oracle, two seconds for each seed and half a second for each run; examples/six, ten seconds for each seed and as many for each run.").Default(onDataset).Enum(onDataset, onEmulator),
		graph: c.Flag("graph", "With --on emulator: the mesh (TOML), such as examples/six/graph.toml, with the rules for it. Default: a built-in one of two services.").PlaceHolder("FILE").String(),
	}
}

func (f emulatorFlags) run(shared replayFlags, rulesFile, data string, seed uint64, seeds int, a answer) error {
	o := eval.EmulatorOptions{Controllers: *shared.controllers, Seed: seed, Runs: seeds}
	if data != "" || *shared.directory != "" {
		return usageError{errors.New("evaluate: --on emulator learns from the emulator alone: leave out --dataset and --replay")}
	}
	var err error
	if o.Budgets, err = readBudgets(*shared.budgets, emulatorBudgets); err != nil {
		return err
	}
	for text := range strings.SplitSeq(cmp.Or(*shared.delays, emulatorDelays), ",") {
		d, err := eval.ParseDelay(strings.TrimSpace(text))
		if err != nil {
			return usageError{fmt.Errorf("evaluate: --delay: %w", err)}
		}
		o.Delays = append(o.Delays, d)
	}
	if o.Graph, o.Rules, err = f.load(rulesFile); err != nil {
		return usageError{err}
	}
	return judge(a, "evaluate", func(ctx context.Context, progress func(string, int, int)) (eval.EmulatorReport, error) {
		o.Progress = progress
		return eval.Emulator(ctx, o)
	}, func(r eval.EmulatorReport) page.Page {
		return report.Emulator(r, about(os.Args[1:], o.Rules.Name, rulesFile, "", "", 0))
	})
}

func (f emulatorFlags) load(rulesFile string) (eval.Graph, *rules.Mesh, error) {
	switch {
	case *f.graph == "" && rulesFile == "":
		return eval.SmallGraph()
	case *f.graph == "" || rulesFile == "":
		return eval.Graph{}, nil, errors.New("evaluate: --graph and --rules go together: the mesh, and what is promised on it")
	}
	m, err := rules.Load(rulesFile)
	if err != nil {
		return eval.Graph{}, nil, err
	}
	g, err := eval.LoadGraph(*f.graph)
	return g, m, err
}
