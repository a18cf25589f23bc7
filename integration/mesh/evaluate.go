package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/integration/inforce"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/internal/progress"
)

// size is how long an evaluation takes, in intervals.
type size struct {
	switches  int // of all requests to the other side, about a second each
	explore   int
	sweep     sweepSize
	warm      int // before each run
	intervals int // of a run that is judged
	seeds     int
}

var (
	full  = size{switches: 100, explore: 1200, sweep: sweepSize{probe: 20, splits: 2, intervals: 200, tries: 98}, warm: 10, intervals: 600, seeds: 3}
	smoke = size{switches: 5, explore: 45, sweep: sweepSize{intervals: 4, tries: 1}, warm: 3, intervals: 5, seeds: 1}
)

// The controllers, in the order of the table.
const (
	none      = "none"      // what the shop starts with stays
	fixed     = "static"    // the best setting that stays, by the sweep
	threshold = "threshold" // windvane with rules of thresholds, without a model
	tabular   = "tabular"   // windvane with the model that it has learned here
)

var controllers = []string{none, fixed, threshold, tabular}

// addEvaluate adds `evaluate`.
func addEvaluate(app *kingpin.Application, commands map[string]func(context.Context) error, programs *string) {
	c := app.Command("evaluate", "Have windvane explore and learn the mesh, then control it under load that it has not seen, beside no control, the best static setting by a sweep, and thresholds. Takes hours.")
	small := c.Flag("smoke", "Take 3 minutes: that the whole chain works, not what it is worth.").Bool()
	seed := c.Flag("seed", "The first of the seeds of loads and arrivals.").Default("1001").Uint64()
	seeds := c.Flag("seeds", "Runs of each load and controller, each with a seed of its own. Default: 3, or 1.").Int()
	explore := c.Flag("explore", "Seconds of exploration. Default: 1200, or 45.").Int()
	intervals := c.Flag("intervals", "Seconds of each run that is judged. Default: 600, or 5.").Int()
	sweep := c.Flag("sweep", "Seconds of each run of the sweep that is not given up before. Default: 200, or 4.").Int()
	tries := c.Flag("tries", "Settings that the sweep runs, at most. Default: all 98, or 1.").Int()
	asJSON := c.Flag("json", "Write the result to a file, too, anew after each run.").PlaceHolder("FILE").String()
	commands["evaluate"] = func(ctx context.Context) error {
		n := full
		if *small {
			n = smoke
		}
		for _, f := range []struct {
			name  string
			given int
			is    *int
		}{
			{"seeds", *seeds, &n.seeds},
			{"explore", *explore, &n.explore},
			{"intervals", *intervals, &n.intervals},
			{"sweep", *sweep, &n.sweep.intervals},
			{"tries", *tries, &n.sweep.tries},
		} {
			if f.given < 0 {
				return fmt.Errorf("evaluate: --%s %d: want at least 1", f.name, f.given)
			}
			if f.given > 0 {
				*f.is = f.given
			}
		}
		return withMesh(ctx, *programs, func(ctx context.Context, m *stack.Mesh) error {
			return evaluate(ctx, m, n, *seed, *asJSON)
		})
	}
}

// evaluation is one that runs.
type evaluation struct {
	size
	*rig
	file   string // of the result; empty: none
	result *result
	meter  *progress.Meter

	done, of int // intervals
}

func evaluate(ctx context.Context, m *stack.Mesh, n size, seed uint64, file string) (err error) {
	e := &evaluation{size: n, file: file, result: newResult(n, seed), meter: progress.New("mesh", os.Stderr)}
	defer e.meter.Stop()
	runs := n.seeds * len(judged) * len(controllers)
	e.of = n.warm + n.explore + runs*(n.warm+n.intervals) + len(judged)*n.sweep.tries*(n.warm+n.sweep.intervals)
	if n.sweep.probe > 0 {
		e.of += len(judged) * 9 * (n.warm + n.sweep.probe)
	}
	if e.rig, err = newRig(m, e.pass); err != nil {
		return err
	}
	err = e.all(ctx, seed)
	e.meter.Stop()
	if err2 := printResult(os.Stdout, e.result); err2 != nil {
		return errors.Join(err, err2)
	}
	if ctx.Err() != nil {
		return errors.New("stopped before it was done; the table above has what was")
	}
	return err
}

// pass tells of intervals that have passed, and of others that are not needed.
func (e *evaluation) pass(intervals, spared int) {
	e.done += intervals
	e.of -= spared
	e.meter.Count("intervals", e.done, max(e.done, e.of))
}

// judged are the kinds of load that controllers are judged on.
var judged = []string{periodic, crowd}

// all runs the parts. The loads for learning and for the sweeps have seeds of their own.
func (e *evaluation) all(ctx context.Context, seed uint64) error {
	const apart = 1_000_000
	switches, err := inforce.Measure(ctx, e.actuator, e.mesh.Shop, e.switches)
	if err != nil {
		return fmt.Errorf("patch to the last answer under the old rule: %w", err)
	}
	e.result.switched(switches)
	s, err := newScene(exploring, seed+apart, e.warm, e.explore)
	if err != nil {
		return err
	}
	l, err := e.learn(ctx, s)
	if err != nil {
		return err
	}
	e.result.learned(l)
	settings := map[string]*static{}
	for _, kind := range judged {
		if settings[kind], err = e.best(ctx, kind, seed+apart); err != nil {
			return err
		}
		e.result.Static[kind] = settings[kind]
	}
	for k := range e.seeds {
		for _, kind := range judged {
			if s, err = newScene(kind, seed+uint64(k), e.warm, e.intervals); err != nil {
				return err
			}
			for _, controller := range controllers {
				if err := e.judge(ctx, kind, controller, s, settings[kind], l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// best finds the best static setting for a kind of load.
func (e *evaluation) best(ctx context.Context, kind string, seed uint64) (*static, error) {
	s, err := newScene(kind, seed, e.warm, e.sweep.intervals)
	if err != nil {
		return nil, err
	}
	found, err := e.search(ctx, s, e.sweep)
	if err != nil {
		return nil, fmt.Errorf("sweep for %s load: %w", kind, err)
	}
	return found, nil
}

// judge runs a controller on a scene.
func (e *evaluation) judge(ctx context.Context, kind, controller string, s scene, setting *static, l *lesson) error {
	name := fmt.Sprintf("%s-%s-%d", controller, kind, s.seed)
	var rec *record
	var err error
	extra := measured{}
	under := func(w *stack.Windvane) (err error) {
		if rec, err = e.play(ctx, s, nil); err != nil {
			return err
		}
		return extra.read(ctx, w, rec, controller == tabular)
	}
	switch controller {
	case threshold:
		err = e.controlled(ctx, name, shedding, under)
	case tabular:
		err = e.controlled(ctx, name, l.planning(), under)
	default:
		a := initial
		if controller == fixed {
			a = setting.action()
		}
		if err = e.set(ctx, a); err == nil {
			rec, err = e.play(ctx, s, nil)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := e.result.add(kind, controller, s.seed, rec, extra, l); err != nil {
		return err
	}
	return e.keep()
}

// keep writes the result as far as it is there.
func (e *evaluation) keep() error {
	if e.file == "" {
		return nil
	}
	text, err := json.MarshalIndent(e.result, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(e.file, append(text, '\n'), 0o600)
}
