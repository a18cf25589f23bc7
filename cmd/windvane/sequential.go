package main

import (
	"context"

	"github.com/windvane/windvane/sim/eval"
)

// sequential is `evaluate --sequential`.
func sequential(rulesFile, data string, o eval.Options, a answer) error {
	var err error
	if o.Rules, o.Dataset, _, err = loadData("evaluate", rulesFile, data); err != nil {
		return err
	}
	return judge(a, data+" with "+rulesFile, func(ctx context.Context, progress func(string, int, int)) (eval.SequentialReport, error) {
		o.Progress = progress
		return eval.Sequential(ctx, o)
	}, nil) // which has no page
}
