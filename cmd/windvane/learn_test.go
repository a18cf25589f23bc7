package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
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

// interrupter sends this process an interrupt when a training is spoken of, as a person
// would press Ctrl-C then.
type interrupter struct{ said bytes.Buffer }

func (i *interrupter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("steps learned")) {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			return 0, err
		}
	}
	return i.said.Write(p)
}

// An interrupted training says how to go on, and goes on from there.
func TestInterruptedTrainingGoesOn(t *testing.T) {
	examples, out := filepath.Join("..", "..", "examples", "scaling"), filepath.Join(t.TempDir(), "out")
	data := filepath.Join(t.TempDir(), "scaling.dataset")
	var discarded bytes.Buffer
	if code := run([]string{"import", "trace", filepath.Join(examples, "trace.csv"), "--mapping", filepath.Join(examples, "mapping.toml"), "-o", data}, &discarded, &discarded); code != exitOK {
		t.Fatal(discarded.String())
	}
	stopped := regexp.MustCompile(`train: stopped after (\d+) of 1000000000 steps; the same command with --resume goes on from .*learned\.checkpoint`)
	command := []string{"train", "--rules", filepath.Join(examples, "rules.toml"), "--dataset", data, "--policy", "learned", "--steps", "1000000000", "-o", out}
	before := 0
	for range 2 {
		i := &interrupter{}
		if code := run(command, &discarded, i); code != exitFailed {
			t.Errorf("exit code %d, want %d", code, exitFailed)
		}
		m := stopped.FindStringSubmatch(i.said.String())
		if m == nil {
			t.Fatalf("said %q", i.said.String())
		}
		if steps, err := strconv.Atoi(m[1]); err != nil || steps <= before {
			t.Errorf("stopped after %s steps, before after %d (%v)", m[1], before, err)
		} else {
			before = steps
		}
		if _, err := os.Stat(filepath.Join(out, checkpointFile)); err != nil {
			t.Fatal(err)
		}
		command = append(command, "--resume")
	}
}
