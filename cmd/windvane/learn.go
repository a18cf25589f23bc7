package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/windvane/windvane/internal/atomicfile"
	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/train"
)

// learning is what `train --policy learned` was asked for.
type learning struct {
	steps  int
	resume bool
}

// checkpointFile is where a training that was stopped goes on from, in the output directory.
const checkpointFile = "learned.checkpoint"

// learn trains a network on the table of a tabular policy. Where it is interrupted, what
// it has learned is kept, and the error says how to go on.
func learn(ctx context.Context, m *rules.Mesh, t *train.Tabular, seed uint64, out string, l learning, p *progress.Meter) (*train.Learned, error) {
	goal, err := train.NewGoal(m, t.Table.Services)
	if err != nil {
		return nil, usageError{err}
	}
	params := train.DefaultPPO()
	params.Steps = l.steps
	training, err := train.NewLearning(goal, t, params, seed)
	if err != nil {
		return nil, usageError{err}
	}
	path := filepath.Join(out, checkpointFile)
	if l.resume {
		saved, err := os.ReadFile(path)
		if err != nil {
			return nil, usageError{fmt.Errorf("train: --resume: %w; leave --resume out to start anew", err)}
		}
		if err := training.Restore(saved); err != nil {
			return nil, usageError{fmt.Errorf("train: %s: %w", path, err)}
		}
	}
	const what = "steps learned"
	p.Count(what, training.Taken(), l.steps)
	err = training.Run(ctx, func(taken, of int) { p.Count(what, taken, of) })
	if errors.Is(err, context.Canceled) {
		if err := keep(out, path, training); err != nil {
			return nil, fmt.Errorf("train: stopped after %d of %d steps, and the checkpoint could not be written: %w", training.Taken(), l.steps, err)
		}
		return nil, fmt.Errorf("train: stopped after %d of %d steps; the same command with --resume goes on from %s", training.Taken(), l.steps, path)
	}
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("train: the checkpoint: %w", err)
	}
	return training.Learned(), nil
}

// keep writes a checkpoint whole or not at all.
func keep(dir, path string, training *train.Learning) error {
	src, err := training.Checkpoint()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, src)
}
