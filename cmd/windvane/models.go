package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/sim/eval"
)

// addModels adds the flag of `evaluate --models`.
func addModels(c *kingpin.CmdClause) *bool {
	return c.Flag("models", "Compare system models in place of policies: on a dataset with configurations and loads held out; on an emulated mesh after a fault, by how live correction mends them.").Bool()
}

// textReport is a report that a person can read; as JSON, a program.
type textReport interface{ WriteText(w io.Writer) error }

// compareModels is `evaluate --models`.
func compareModels(on emulatorFlags, rulesFile, data string, seed uint64, seeds int, asJSON bool, stdout, stderr io.Writer) error {
	ctx, cancel := interruptible()
	defer cancel()
	p := progress.New("evaluate", stderr)
	defer p.Stop()
	var report textReport
	var err error
	switch {
	case *on.on == onEmulator && data != "":
		return usageError{errors.New("evaluate: --on emulator learns from the emulator alone: leave out --dataset")}
	case *on.on == onEmulator:
		o := eval.FaultOptions{Seed: seed, Seeds: seeds, Progress: p.Count}
		if o.Graph, o.Rules, _, err = on.load(rulesFile); err != nil {
			return usageError{err}
		}
		report, err = unlessStopped(ctx, func() (textReport, error) { return eval.ModelFaults(ctx, o) })
	case rulesFile == "" || data == "":
		return usageError{errors.New("evaluate: --models wants --rules and --dataset, or --on emulator")}
	default:
		o := eval.ModelOptions{Seed: seed, Seeds: seeds, Progress: p.Count}
		if o.Rules, o.Dataset, _, err = loadData("evaluate", rulesFile, data); err != nil {
			return err
		}
		report, err = unlessStopped(ctx, func() (textReport, error) { return eval.Models(ctx, o) })
	}
	if ctx.Err() != nil {
		return fmt.Errorf("evaluate: %w", errStopped)
	}
	if err != nil {
		// What can fail here is how rules, data and graph fit each other.
		return usageError{fmt.Errorf("evaluate: %w", err)}
	}
	p.Stop()
	if asJSON {
		return json.NewEncoder(stdout).Encode(report)
	}
	return report.WriteText(stdout)
}
