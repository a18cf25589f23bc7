package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/sim/eval"
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
		controllers: c.Flag("controller", "With --replay: one of "+strings.Join(names, ", ")+"; repeat for more. Default: the first six. On the emulator: those that keep to margins, and zero; default: zero, integrator, full.").Strings(),
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

func (f replayFlags) run(rulesFile, data string, seed uint64, asJSON bool, asHTML string, stdout, stderr io.Writer) error {
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
	html, err := openHTML(asHTML)
	if err != nil {
		return err
	}
	defer html.discard()
	ctx, cancel := interruptible()
	defer cancel()
	p := progress.New("evaluate", stderr)
	defer p.Stop()
	o.Progress = p.Count
	result, err := unlessStopped(ctx, func() (eval.ReplayReport, error) { return eval.Replay(ctx, o) })
	if ctx.Err() != nil {
		return fmt.Errorf("evaluate: %w", errStopped)
	}
	if err != nil {
		// What can fail here is how the directory, rules and data fit each other.
		return usageError{fmt.Errorf("%s with %s: %w", data, rulesFile, err)}
	}
	p.Stop()
	if err := html.write(report.Replay(result, seed, about(os.Args[1:], o.Rules.Name, rulesFile, data, digest, o.Dataset.Rows()))); err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(stdout).Encode(result)
	}
	return result.WriteText(stdout)
}
