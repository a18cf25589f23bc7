package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/sync/errgroup"

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
	meshes := c.Flag("meshes", "Meshes to work at side by side, each of about half a core.").Default("1").Int()
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
		if *meshes < 1 {
			return fmt.Errorf("evaluate: --meshes %d: want at least 1", *meshes)
		}
		return withMeshes(ctx, *programs, *meshes, func(ctx context.Context, all []*stack.Mesh) error {
			return evaluate(ctx, all, n, *seed, *asJSON)
		})
	}
}

// evaluation is one that runs.
type evaluation struct {
	size
	seed  uint64
	file  string    // of the result; empty: none
	rigs  chan *rig // that are free
	meter *progress.Meter

	mu       sync.Mutex
	result   *result
	done, of int // intervals
}

func evaluate(ctx context.Context, meshes []*stack.Mesh, n size, seed uint64, file string) error {
	e := &evaluation{
		size: n, seed: seed, file: file, rigs: make(chan *rig, len(meshes)),
		result: newResult(n, seed, len(meshes)), meter: progress.New("mesh", os.Stderr),
	}
	defer e.meter.Stop()
	runs := n.seeds * len(judged) * len(controllers)
	e.of = n.warm + n.explore + runs*(n.warm+n.intervals) + len(judged)*n.sweep.tries*(n.warm+n.sweep.intervals)
	if n.sweep.probe > 0 {
		e.of += len(judged) * 9 * (n.warm + n.sweep.probe)
	}
	for _, m := range meshes {
		r, err := newRig(m, e.pass)
		if err != nil {
			return err
		}
		e.rigs <- r
	}
	err := e.all(ctx)
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
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done += intervals
	e.of -= spared
	e.meter.Count("intervals", e.done, max(e.done, e.of))
}

// judged are the kinds of load that controllers are judged on.
var judged = []string{periodic, crowd}

// apart keeps the loads for learning and for the sweeps from those that are judged.
const apart = 1_000_000

// job is a part of an evaluation, at a mesh of its own while it lasts.
type job func(context.Context, *rig) error

// each does jobs in their order, as many at a time as there are meshes.
func (e *evaluation) each(ctx context.Context, jobs []job) error {
	running, ctx := errgroup.WithContext(ctx)
	for _, do := range jobs {
		r := <-e.rigs
		running.Go(func() error {
			defer func() { e.rigs <- r }()
			return do(ctx, r)
		})
	}
	return running.Wait()
}

// all learns and sweeps, and then judges.
func (e *evaluation) all(ctx context.Context) error {
	var l *lesson
	settings := make([]*static, len(judged))
	jobs := []job{func(ctx context.Context, r *rig) (err error) { l, err = e.learn(ctx, r); return err }}
	for i, kind := range judged {
		jobs = append(jobs, func(ctx context.Context, r *rig) (err error) { settings[i], err = e.best(ctx, r, kind); return err })
	}
	if err := e.each(ctx, jobs); err != nil {
		return err
	}
	jobs = nil
	for k := range e.seeds {
		for i, kind := range judged {
			s, err := newScene(kind, e.seed+uint64(k), e.warm, e.intervals)
			if err != nil {
				return err
			}
			jobs = append(jobs, func(ctx context.Context, r *rig) error {
				for _, controller := range controllers {
					if err := e.judge(ctx, r, kind, controller, s, settings[i], l); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	return e.each(ctx, jobs)
}

// learn measures how soon a patch is in force, and has windvane learn.
func (e *evaluation) learn(ctx context.Context, r *rig) (*lesson, error) {
	switches, err := inforce.Measure(ctx, r.actuator, r.mesh.Shop, e.switches)
	if err != nil {
		return nil, fmt.Errorf("patch to the last answer under the old rule: %w", err)
	}
	s, err := newScene(exploring, e.seed+apart, e.warm, e.explore)
	if err != nil {
		return nil, err
	}
	l, err := r.learn(ctx, s)
	if err != nil {
		return nil, err
	}
	return l, e.tell(func(to *result) error {
		to.switched(switches)
		to.learned(l)
		return nil
	})
}

// best finds the best static setting for a kind of load.
func (e *evaluation) best(ctx context.Context, r *rig, kind string) (*static, error) {
	s, err := newScene(kind, e.seed+apart, e.warm, e.sweep.intervals)
	if err != nil {
		return nil, err
	}
	found, err := r.search(ctx, s, e.sweep)
	if err != nil {
		return nil, fmt.Errorf("sweep for %s load: %w", kind, err)
	}
	return found, e.tell(func(to *result) error {
		to.Static[kind] = found
		return nil
	})
}

// judge runs a controller on a scene.
func (e *evaluation) judge(ctx context.Context, r *rig, kind, controller string, s scene, setting *static, l *lesson) error {
	name := fmt.Sprintf("%s-%s-%d", controller, kind, s.seed)
	var rec *record
	var err error
	extra := measured{}
	under := func(w *stack.Windvane) (err error) {
		if rec, err = r.play(ctx, s, nil); err != nil {
			return err
		}
		return extra.read(ctx, w, rec, controller == tabular)
	}
	switch controller {
	case threshold:
		err = r.controlled(ctx, name, shedding, under)
	case tabular:
		err = r.controlled(ctx, name, l.planning(), under)
	default:
		a := initial
		if controller == fixed {
			a = setting.action()
		}
		if err = r.set(ctx, a); err == nil {
			rec, err = r.play(ctx, s, nil)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return e.tell(func(to *result) error { return to.add(kind, controller, s.seed, rec, extra, l) })
}

// tell adds to the result, and writes it as far as it is there.
func (e *evaluation) tell(add func(*result) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := add(e.result); err != nil || e.file == "" {
		return err
	}
	text, err := json.MarshalIndent(e.result, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(e.file, append(text, '\n'), 0o600)
}
