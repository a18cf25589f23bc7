package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windvane/windvane/internal/progress"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// tinyTable is a service that may be blocked, and is too slow above 10 requests/s.
func tinyTable(t *testing.T) (*rules.Mesh, *train.Tabular) {
	t.Helper()
	m, err := rules.Parse("rules.toml", []byte(`
mesh = "m"
interval = "5s"
[signals]
by = "service"
offered = 'o'
carried = 'c'
latency = 'l'
[[service]]
name = "a"
  [[service.objective]]
  signal = "latency"
  bound = "100ms"
  target = 0.9
  [service.blocking]
  maximum = 1.0
  levels = 3
`))
	if err != nil {
		t.Fatal(err)
	}
	table := &model.Table{Knobs: m.Knobs(), Services: []string{"a"}, Signals: []string{"latency"}, Loads: [][]float64{{5, 20}}}
	for _, load := range table.Loads[0] {
		for i := range table.Knobs[0].Levels {
			table.Values = append(table.Values, float32(.01*load*(1-table.Knobs[0].Value(i))))
		}
	}
	return m, &train.Tabular{Table: table, Card: train.Card{Policy: "tabular", Knobs: table.Knobs}}
}

// A training that is stopped leaves a checkpoint and says how to go on; one that ends
// leaves none.
func TestStoppedTrainingIsResumed(t *testing.T) {
	m, tabular := tinyTable(t)
	out := filepath.Join(t.TempDir(), "out")
	p := progress.New("train", io.Discard)
	defer p.Stop()
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	do := func(ctx context.Context, resume bool) error {
		_, err := learn(ctx, m, tabular, 1, out, learning{steps: 4096, resume: resume}, p)
		return err
	}
	if err := do(stopped, true); err == nil || !strings.Contains(err.Error(), "leave --resume out") {
		t.Errorf("resuming nothing: %v", err)
	}
	if err := do(stopped, false); err == nil || !strings.Contains(err.Error(), "stopped after 0 of 4096 steps; the same command with --resume") {
		t.Errorf("stopped: %v", err)
	}
	file := filepath.Join(out, checkpointFile)
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	if err := do(context.Background(), true); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the checkpoint of a training that ended is still there")
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := do(context.Background(), true); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged checkpoint: %v", err)
	}
}
