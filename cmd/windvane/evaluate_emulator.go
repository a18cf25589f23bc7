package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/eval/page"
	"github.com/windvane/windvane/sim/eval/report"
	"github.com/windvane/windvane/station"
)

// What `evaluate` can judge on.
const (
	onDataset  = "dataset"
	onEmulator = "emulator"
)

// What can control the emulated mesh.
const (
	throughLoop   = "loop"
	throughDaemon = "daemon"
)

// youngest samples are those of rules that are evaluated just before the daemon asks.
const youngest = "0s"

// The budgets and delays on the emulator, where none are asked for.
const (
	emulatorBudgets = ".05"
	emulatorDelays  = "daemon"
)

// emulatorFlags are those of `evaluate --on emulator`.
type emulatorFlags struct {
	on, graph, through, ages *string
	intervals                *int
}

func addEmulator(c *kingpin.CmdClause) emulatorFlags {
	return emulatorFlags{
		on: c.Flag("on", "What to judge on: a dataset; an emulated mesh that no model knows, through a fault and a growth of the load; or exploring such a mesh. On one core, "+
			"the built-in mesh takes a minute for its oracle, two seconds for each seed and half a second for each run; examples/six, ten seconds for each seed and as many for each run.").Default(onDataset).Enum(onDataset, onEmulator, onExploration),
		graph: c.Flag("graph", "With --on emulator: the mesh (TOML), such as examples/six/graph.toml, with the rules for it. Default: a built-in one of two services.").PlaceHolder("FILE").String(),
		through: c.Flag("through", "With --on emulator: what controls the mesh. The loop is the daemon's cycle without a network; the daemon is windvane as it is shipped, with "+
			"its Prometheus client, journal, guard, actuator and plugin process, on the same requests, and stands beside the loop. Ten seconds for each run of it on one core.").Default(throughLoop).Enum(throughLoop, throughDaemon),
		ages: c.Flag("sample-age", "With --through daemon: how old the newest samples are at its cycles, below the interval: a Prometheus evaluates its rules when it does, not when windvane "+
			"asks. Several with commas between them.").Default(youngest).String(),
		intervals: c.Flag("intervals", "With --on emulator: length of each phase, in intervals; half of it after the fault. The bars are for the default.").Default("1000").Int(),
	}
}

func (f emulatorFlags) run(shared replayFlags, rulesFile, data string, seed uint64, seeds int, a answer) (err error) {
	o := eval.EmulatorOptions{Controllers: *shared.controllers, Seed: seed, Runs: seeds, Intervals: *f.intervals}
	if *f.intervals < 2 || *f.intervals > 100000 {
		return usageError{fmt.Errorf("evaluate: --intervals %d: want 2 to 100000", *f.intervals)}
	}
	if data != "" || *shared.directory != "" {
		return usageError{errors.New("evaluate: --on emulator learns from the emulator alone: leave out --dataset and --replay")}
	}
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
	var text []byte
	if o.Graph, o.Rules, text, err = f.load(rulesFile); err != nil {
		return usageError{err}
	}
	if *f.through == throughDaemon {
		daemons, remove, failed := newDaemons(text)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, remove()) }()
		o.Daemon = daemons.Run
		if o.Ages, err = readAges(*f.ages); err != nil {
			return err
		}
	} else if *f.ages != youngest {
		return usageError{errors.New("evaluate: --sample-age is for --through daemon")}
	}
	return judge(a, "evaluate", func(ctx context.Context, progress func(string, int, int)) (eval.EmulatorReport, error) {
		o.Progress = progress
		return eval.Emulator(ctx, o)
	}, func(r eval.EmulatorReport) page.Page {
		return report.Emulator(r, about(os.Args[1:], o.Rules.Name, rulesFile, "", "", 0))
	})
}

// readAges reads durations, separated by commas.
func readAges(text string) ([]time.Duration, error) {
	var out []time.Duration
	for item := range strings.SplitSeq(text, ",") {
		v, err := time.ParseDuration(strings.TrimSpace(item))
		if err != nil {
			return nil, usageError{fmt.Errorf("evaluate: --sample-age %s: want durations such as 0s,2s", text)}
		}
		out = append(out, v)
	}
	return out, nil
}

// newDaemons makes what runs closed loops through daemons. Their files lie in memory
// where the system says so (TMPDIR): they are of no use afterwards, and their journals wait
// for the disk in every cycle. Remove waits for what was stopped.
func newDaemons(rulesText []byte) (daemons *station.Evaluation, remove func() error, err error) {
	dir, err := os.MkdirTemp("", "wv")
	if err != nil {
		return nil, nil, fmt.Errorf("evaluate: %w", err)
	}
	daemons = &station.Evaluation{Rules: rulesText, Dir: dir}
	return daemons, func() error {
		daemons.Wait()
		return os.RemoveAll(dir)
	}, nil
}

// load reads the mesh and its rules, with the text of these.
func (f emulatorFlags) load(rulesFile string) (eval.Graph, *rules.Mesh, []byte, error) {
	switch {
	case *f.graph == "" && rulesFile == "":
		g, m, err := eval.SmallGraph()
		return g, m, eval.SmallRules(), err
	case *f.graph == "" || rulesFile == "":
		return eval.Graph{}, nil, nil, errors.New("evaluate: --graph and --rules go together: the mesh, and what is promised on it")
	}
	text, err := rules.ReadFile(rulesFile)
	if err != nil {
		return eval.Graph{}, nil, nil, err
	}
	m, err := rules.Parse(rulesFile, text)
	if err != nil {
		return eval.Graph{}, nil, nil, err
	}
	g, err := eval.LoadGraph(*f.graph)
	return g, m, text, err
}
