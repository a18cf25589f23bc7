package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/sim/eval"
)

// onExploration is another thing that `evaluate` can judge.
const onExploration = "exploration"

// explorationFlags are those of `evaluate --on exploration`, beside those of the emulator.
type explorationFlags struct {
	explored  *int
	allowance *float64
}

func addExploration(c *kingpin.CmdClause) explorationFlags {
	return explorationFlags{
		explored: c.Flag("explored", "With --on exploration: how many intervals are explored, as --intervals of `collect --explore`.").Default("300").Int(),
		allowance: c.Flag("allowance", "With --on exploration: violated intervals of each objective that exploring may cost beyond what the mesh would have had anyway, "+
			"as --allowance of `collect --explore`.").Default("15").Float64(),
	}
}

func (f explorationFlags) run(e emulatorFlags, shared replayFlags, rulesFile, data string, seed uint64, seeds int, a answer) error {
	switch {
	case data != "" || *shared.directory != "" || len(*shared.controllers) > 0 || *shared.delays != "":
		return usageError{errors.New("evaluate: --on exploration explores the emulator, under the daemon's controller and delay: leave out --dataset, --replay, --controller and --delay")}
	case a.html != "":
		return usageError{errors.New("evaluate: --on exploration has no page: leave out --html")}
	case *e.intervals < 2 || *e.intervals > 100000:
		return usageError{fmt.Errorf("evaluate: --intervals %d: want 2 to 100000", *e.intervals)}
	}
	budgets, err := readBudgets(*shared.budgets, emulatorBudgets)
	if err != nil {
		return err
	}
	if len(budgets) != 1 {
		return usageError{errors.New("evaluate: --on exploration judges one --budget")}
	}
	o := eval.ExplorationOptions{Budget: budgets[0], Explored: *f.explored, Allowance: *f.allowance, Intervals: *e.intervals, Seed: seed, Runs: seeds}
	if o.Graph, o.Rules, _, err = e.load(rulesFile); err != nil {
		return usageError{err}
	}
	return judge(a, "evaluate", func(ctx context.Context, progress func(string, int, int)) (eval.ExplorationReport, error) {
		o.Progress = progress
		return eval.Exploration(ctx, o)
	}, nil)
}
