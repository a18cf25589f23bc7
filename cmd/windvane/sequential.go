package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/sim/eval"
)

// sequential is `evaluate --sequential`.
func sequential(rulesFile, data string, o eval.Options, asJSON bool, stdout, stderr io.Writer) error {
	var err error
	if o.Rules, o.Dataset, _, err = loadData("evaluate", rulesFile, data); err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	p := progress.New("evaluate", stderr)
	defer p.Stop()
	o.Progress = p.Count
	report, err := unlessStopped(ctx, func() (eval.SequentialReport, error) { return eval.Sequential(ctx, o) })
	if ctx.Err() != nil {
		return fmt.Errorf("evaluate: %w", errStopped)
	}
	if err != nil {
		// What can fail here is how rules and data fit each other.
		return usageError{fmt.Errorf("%s with %s: %w", data, rulesFile, err)}
	}
	p.Stop()
	if asJSON {
		return json.NewEncoder(stdout).Encode(report)
	}
	return report.WriteText(stdout)
}
