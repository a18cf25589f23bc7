package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// lesson is what windvane has learned on the mesh.
type lesson struct {
	artefact string // directory
	table    *model.Table
	rows     int // of the dataset
	explored *record
}

const explorer = `
[[policy]]
name = "explorer"
plugin = "explorer"
role = "active"

[policy.settings]
seed = %d
hold = "` + hold + `"
`

// hold is how long a setting that is tried stays: queues outlast an interval.
const hold = "3s"

// learn has windvane explore under load of any height, makes a dataset of its journal, and
// trains the tabular policy by the command that a user has.
func (r *rig) learn(ctx context.Context, s scene) (*lesson, error) {
	l := &lesson{}
	var journal, dir string
	err := r.controlled(ctx, "explore", fmt.Sprintf(explorer, s.seed), func(w *stack.Windvane) (err error) {
		journal, dir = daemon.JournalDirectory(w.State()), filepath.Join(filepath.Dir(w.Dir), "learn")
		l.explored, err = r.play(ctx, s, nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("exploration: %w", err)
	}
	d, err := lifecycle.Collect(journal, r.rules)
	if err != nil {
		return nil, err
	}
	l.rows = d.Rows()
	rulesFile, data, out := filepath.Join(dir, "rules.toml"), filepath.Join(dir, "explored.dataset"), filepath.Join(dir, "artefacts")
	var b bytes.Buffer
	err = errors.Join(d.Write(&b), os.MkdirAll(dir, 0o700), os.WriteFile(rulesFile, []byte(shopRules(rules.AuthorityObserve, "")), 0o600))
	if err := errors.Join(err, os.WriteFile(data, b.Bytes(), 0o600)); err != nil {
		return nil, err
	}
	if text, err := exec.CommandContext(ctx, r.mesh.Program, "train", "--rules", rulesFile, "--dataset", data, "--output", out).CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("windvane train, of %d rows: %w: %s", l.rows, err, text), ctx.Err())
	}
	found, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("windvane train left %q in %s, want one artefact", found, out)
	}
	l.artefact = found[0]
	a, err := train.Read(l.artefact)
	if err != nil {
		return nil, err
	}
	l.table, err = model.DecodeTable(a.Policy)
	return l, err
}

// planning are the policies of windvane's that has learned, at whatever mesh.
func (l *lesson) planning() string {
	return fmt.Sprintf(`
[[policy]]
name = "planner"
plugin = "planner"
role = "active"
artefact = %q

[[policy]]
name = "shed"
plugin = "shed"
role = "fallback"
`, l.artefact)
}
