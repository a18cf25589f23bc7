package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/eval/page"
	"github.com/windvane/windvane/sim/eval/report"
)

// replayFlags are those of `evaluate --replay`.
type replayFlags struct {
	directory, budgets, delays *string
	controllers                *[]string
	runs                       *int
}

func addReplay(c *kingpin.CmdClause) replayFlags {
	var names []string
	for _, controller := range eval.Controllers() {
		names = append(names, controller.Name)
	}
	return replayFlags{
		directory:   c.Flag("replay", "A directory of truths and noise made from the trace of examples/mo1: judge how controllers keep error budgets on it, and nothing else.").PlaceHolder("DIR").String(),
		budgets:     c.Flag("budget", "With --replay or --on emulator: error budgets of every objective. Default: "+replayBudgets+", on the emulator "+emulatorBudgets+".").String(),
		delays:      c.Flag("delay", "With --replay or --on emulator: intervals after which an outcome is known, beyond its own. Default: "+replayDelays+", on the emulator "+emulatorDelays+", which is the daemon's own.").String(),
		controllers: c.Flag("controller", "With --replay: one of "+strings.Join(names, ", ")+"; repeat for more. Default: the first six. On the emulator: all but optimum and fixed, and zero (no margin) and true (no model) beside them; default: zero, integrator, full.").Strings(),
		runs:        c.Flag("runs", "With --replay: runs of 2,000 intervals on each kind of truth.").Default("16").Int(),
	}
}

// The budgets and delays of a replay, where none are asked for.
const (
	replayBudgets = ".01,.02,.05,.10"
	replayDelays  = "0,1,3"
)

// readBudgets reads shares, separated by commas.
func readBudgets(text, fallback string) ([]float64, error) {
	var out []float64
	for item := range strings.SplitSeq(cmp.Or(text, fallback), ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(item), 64)
		if err != nil {
			return nil, usageError{fmt.Errorf("evaluate: --budget %s: want shares such as .02,.05", text)}
		}
		out = append(out, v)
	}
	return out, nil
}

func (f replayFlags) run(rulesFile, data string, seed uint64, a answer) error {
	o := eval.ReplayOptions{Directory: *f.directory, Controllers: *f.controllers, Seed: seed, Runs: *f.runs}
	if *f.runs < 1 || *f.runs > 1000 {
		return usageError{fmt.Errorf("evaluate: --runs %d: want 1 to 1000", *f.runs)}
	}
	var err error
	if o.Budgets, err = readBudgets(*f.budgets, replayBudgets); err != nil {
		return err
	}
	for text := range strings.SplitSeq(cmp.Or(*f.delays, replayDelays), ",") {
		v, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return usageError{fmt.Errorf("evaluate: --delay %s: want intervals such as 0,1,3", *f.delays)}
		}
		o.Delays = append(o.Delays, v)
	}
	var digest string
	if o.Rules, o.Dataset, digest, err = loadData("evaluate", rulesFile, data); err != nil {
		return err
	}
	return judge(a, data+" with "+rulesFile, func(ctx context.Context, progress func(string, int, int)) (eval.ReplayReport, error) {
		o.Progress = progress
		return eval.Replay(ctx, o)
	}, func(r eval.ReplayReport) page.Page {
		return report.Replay(r, seed, about(os.Args[1:], o.Rules.Name, rulesFile, data, digest, o.Dataset.Rows()))
	})
}
