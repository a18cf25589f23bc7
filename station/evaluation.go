package station

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/train"
)

// Evaluation runs the closed loops of eval.Emulator through daemons, each in a station of
// its own. Its Run may be called by several goroutines; it is an eval.EmulatorOptions.Daemon.
type Evaluation struct {
	Rules      []byte // the rules file of what is evaluated
	Dir        string // for the stations' files; its path is short. Each is removed at the end of its run
	Executable string // serves the built-in policies; empty: this program

	runs    atomic.Int64
	running sync.WaitGroup
}

// Wait returns when no run is left, which a context that ended has stopped.
func (e *Evaluation) Wait() { e.running.Wait() }

// Run has a daemon control a closed loop. The same run gives the same trace.
func (e *Evaluation) Run(ctx context.Context, r eval.DaemonRun) (_ *eval.DaemonTrace, err error) {
	e.running.Add(1)
	defer e.running.Done()
	dir := filepath.Join(e.Dir, strconv.FormatInt(e.runs.Add(1), 10)) // a short name
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("station: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	object, err := objectOf(r.Loop.Mesh)
	if err != nil {
		return nil, err
	}
	artefact, err := train.Write(filepath.Join(dir, "artefacts"), r.Card, r.Artefact, r.Model)
	if err != nil {
		return nil, err
	}
	if artefact, err = filepath.Rel(dir, artefact); err != nil {
		return nil, err
	}
	text, err := rulesFor(e.Rules, r, artefact)
	if err != nil {
		return nil, fmt.Errorf("station: %s: %w", r.Loop.Mesh.File, err)
	}
	t := newTracer(r)
	s, err := Open(ctx, Options{
		Dir: dir, Emulator: r.Loop.Emulator, Object: object, Interval: r.Loop.Mesh.Interval, Scrape: r.Loop.Scrape,
		From: r.Loop.From + r.Age, Rules: text, Plugins: pluginText(r.Policy), Watch: t.add, Executable: e.Executable,
	})
	if err != nil {
		return nil, err
	}
	err = s.Run(ctx, r.Loop.Intervals)
	status := s.Status()
	if err = errors.Join(err, s.Close(context.WithoutCancel(ctx)), t.err); err != nil {
		return nil, err
	}
	out := &eval.DaemonTrace{Trace: t.trace}
	out.Objectives, err = accountOf(s.State(), status.Meshes[0])
	return out, err
}
