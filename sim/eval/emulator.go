package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/search"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/train"
)

// EmulatorOptions say what Emulator judges.
type EmulatorOptions struct {
	Graph       Graph
	Rules       *rules.Mesh
	Budgets     []float64 // of every objective
	Delays      []Delay
	Controllers []string // of EmulatorControllers; none: the default ones
	Seed        uint64   // of the first run
	Runs        int
	Intervals   int // of each phase, and half of it after the fault; 0: 1,000

	// Daemon, if not nil, controls the mesh in further runs of the full controller, which
	// stand beside those of ClosedLoop.
	Daemon func(ctx context.Context, r DaemonRun) (*DaemonTrace, error)
	Ages   []time.Duration // of the newest samples at the daemon's cycles, each below the interval; none: 0

	// Progress is told how many of what are done; not by two goroutines at a time; may be nil.
	Progress func(what string, done, of int)

	phases  []emulatorPhase // nil: as Intervals says
	samples int             // that are learned from; 0: samplesPerService for each
}

// samplesPerService intervals at random settings and loads are learned from.
const samplesPerService = 1500

// emulatorQuantile is that of the recording rules' latency.
const emulatorQuantile = .95

// Delay says what a decision knows: see ClosedLoop. DelayDaemon is the daemon's own;
// Delay 0 and more know the load that is to come and all outcomes but those of so many
// intervals, as Replay counts them.
type Delay int

// DelayDaemon knows the last outcome, and a load that is one interval old.
const DelayDaemon Delay = -1

func (d Delay) String() string {
	if d == DelayDaemon {
		return "daemon"
	}
	return strconv.Itoa(int(d))
}

// MarshalText writes "daemon" or the number of intervals.
func (d Delay) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// ParseDelay reads what String writes.
func ParseDelay(text string) (Delay, error) {
	if text == "daemon" {
		return DelayDaemon, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 100 {
		return 0, fmt.Errorf("delay %q: want daemon, or intervals from 0 to 100", text)
	}
	return Delay(n), nil
}

// ControllerZero plans on the model's mean, whatever is measured.
const ControllerZero = "zero"

// EmulatorControllers lists what Emulator knows, the default ones first: those of
// Replay that follow what is measured, and one that has no margin.
func EmulatorControllers() []Controller {
	zero := margin.Defaults()
	zero.Min, zero.Max, zero.Lag, zero.Forget = 0, 0, 0, 0
	out := []Controller{{Name: ControllerZero, About: "no margin: the model's mean is planned on, whatever is measured", params: zero}}
	for _, c := range Controllers() {
		if !c.planned && !c.frozen {
			out = append(out, c)
		}
	}
	return append(out, Controller{
		Name: ControllerTrue, About: "the default with the emulator's own mean latencies in place of a model, of the faulty mesh while it is", params: margin.Defaults(), step: replayStep,
	})
}

// defaultEmulatorControllers are so many of the first.
const defaultEmulatorControllers = 3

// Emulator judges controllers of error budgets on an emulated mesh, by the daemon's
// cycle and arithmetic: through a normal phase, a fault, the time after it, and a
// growth of the load beyond what was learned. Run i has seed Seed+i: its policy is
// learned from random settings and loads of its own, its load is sinusoids or steps by
// turns. The same options give the same report.
func Emulator(ctx context.Context, o EmulatorOptions) (EmulatorReport, error) {
	e, err := newEmulation(o)
	if err != nil {
		return EmulatorReport{}, fmt.Errorf("emulator: %w", err)
	}
	r, err := e.judge(ctx)
	if err != nil {
		return EmulatorReport{}, fmt.Errorf("emulator: %w", err)
	}
	return r, nil
}

// emulation is what all runs share.
type emulation struct {
	EmulatorOptions
	controllers []Controller
	mesh        emulator.Graph // of Graph, with buckets
	wiring      wiring
	knobs       []policy.Knob
	axes        []policy.Axis
	blockings   [][]float64 // by knob: every product of the blocking axes, the other knobs 0
	services    []policy.Service
	names       []string
	goal        *train.Goal
	policy      string
	truth       learnt // of ControllerTrue
	trials      []trial
}

func newEmulation(o EmulatorOptions) (*emulation, error) {
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	if o.phases == nil {
		o.phases = phasesOf(cmp.Or(o.Intervals, emulatorIntervals))
	}
	e := &emulation{EmulatorOptions: o, knobs: o.Rules.Knobs(), services: o.Rules.PolicyServices(), policy: tabular.Name}
	if e.samples == 0 {
		e.samples = samplesPerService * len(e.services)
	}
	for _, b := range o.Budgets {
		if !(b > 0 && b < 1) {
			return nil, fmt.Errorf("budget %v: want a share between 0 and 1", b)
		}
	}
	if len(o.Budgets) == 0 || len(o.Delays) == 0 || o.Runs < 1 {
		return nil, errors.New("want budgets, delays, and at least one run")
	}
	if o.Intervals < 0 || o.Intervals == 1 {
		return nil, fmt.Errorf("phases of %d intervals: want at least 2", o.Intervals)
	}
	var err error
	if e.controllers, err = pick(o.Controllers, EmulatorControllers(), defaultEmulatorControllers); err != nil {
		return nil, err
	}
	for _, s := range e.services {
		e.names = append(e.names, s.Name)
	}
	if e.goal, err = train.NewGoal(o.Rules, e.names); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(e.goal.Bound, func(b float64) bool { return !math.IsInf(b, 1) }) {
		return nil, errNoBounds
	}
	e.mesh = o.Graph.measurable(o.Rules)
	if e.wiring, err = wire(e.mesh, e.knobs, e.services); err != nil {
		return nil, err
	}
	if err = e.span(); err != nil {
		return nil, err
	}
	if err := e.canPrice(); err != nil {
		return nil, err
	}
	return e, e.plan()
}

// trial is what is tried in every run.
type trial struct {
	budget, delay, controller int
	daemon                    bool // Daemon controls the mesh, not ClosedLoop
	age                       time.Duration
}

// plan lists the trials.
func (e *emulation) plan() error {
	if len(e.Ages) == 0 {
		e.Ages = []time.Duration{0}
	}
	for _, age := range e.Ages {
		if age < 0 || age >= e.Rules.Interval {
			return fmt.Errorf("samples that are %v old: want 0 or more, and less than the interval of %v", age, e.Rules.Interval)
		}
	}
	daemons := 0
	for budget := range e.Budgets {
		for delay, d := range e.Delays {
			for controller, c := range e.controllers {
				e.trials = append(e.trials, trial{budget: budget, delay: delay, controller: controller})
				if e.Daemon == nil || d != DelayDaemon || c.Name != ControllerFull {
					continue
				}
				for _, age := range e.Ages {
					e.trials = append(e.trials, trial{budget: budget, delay: delay, controller: controller, daemon: true, age: age})
					daemons++
				}
			}
		}
	}
	if e.Daemon != nil && daemons == 0 {
		return fmt.Errorf("the daemon runs controller %s, with its own delay; have both among what is judged", ControllerFull)
	}
	return nil
}

// canPrice refuses controllers that the policy has nothing for.
func (e *emulation) canPrice() error {
	for _, c := range e.controllers {
		if c.priced && e.policy == search.Name {
			return fmt.Errorf("controller %s prices violations; this mesh has too many settings for the policy that can, and is searched", c.Name)
		}
	}
	return nil
}

// span lists the settings that there are, as far as they can be listed.
func (e *emulation) span() error {
	var err error
	if e.axes, err = policy.Axes(e.knobs); err != nil {
		return err
	}
	size := 1
	e.blockings = [][]float64{make([]float64, len(e.knobs))}
	for _, axis := range e.axes {
		if size *= len(axis.Values); size > mostActions {
			e.policy, e.blockings = search.Name, nil
			return nil
		}
		if e.knobs[axis.First].Kind != policy.Blocking {
			continue
		}
		var next [][]float64
		for _, before := range e.blockings {
			for _, values := range axis.Values {
				b := slices.Clone(before)
				b[axis.First] = values[0]
				next = append(next, b)
			}
		}
		e.blockings = next
	}
	return nil
}

// pick returns controllers by their names, the first n without any.
func pick(names []string, all []Controller, n int) ([]Controller, error) {
	if len(names) == 0 {
		return all[:n], nil
	}
	var out []Controller
	for _, name := range names {
		i := slices.IndexFunc(all, func(c Controller) bool { return c.Name == name })
		if i < 0 {
			var known []string
			for _, c := range all {
				known = append(known, c.Name)
			}
			return nil, fmt.Errorf("no controller %q; %s", name, rules.Suggest(name, known))
		}
		out = append(out, all[i])
	}
	return out, nil
}

// each does n jobs on all cores.
func (e *emulation) each(ctx context.Context, what string, n int, job func(i int) error) error {
	errs := make([]error, n)
	var group sync.WaitGroup
	var mu sync.Mutex
	done, free := 0, make(chan struct{}, runtime.GOMAXPROCS(0))
	e.Progress(what, 0, n)
	for i := range n {
		free <- struct{}{}
		group.Go(func() {
			defer func() { <-free }()
			if errs[i] = ctx.Err(); errs[i] == nil {
				errs[i] = job(i)
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			e.Progress(what, done, n)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// judge learns, finds the optimum and runs everything.
func (e *emulation) judge(ctx context.Context) (EmulatorReport, error) {
	c := e.newChances()
	if c == nil && e.runs(ControllerTrue) {
		return EmulatorReport{}, fmt.Errorf("controller %s needs what the oracle is made of, and there is none here: %s", ControllerTrue, c.describe(e))
	}
	known := make([]learnt, e.Runs)
	err := e.each(ctx, "learning, seed", e.Runs, func(i int) error {
		var err error
		known[i], err = e.learn(e.Seed + uint64(i))
		return err
	})
	if err != nil {
		return EmulatorReport{}, err
	}
	best := make([][][]float64, e.Runs) // [run][phase][budget]: value per interval
	if c != nil {
		if err := e.measure(ctx, c); err != nil {
			return EmulatorReport{}, err
		}
		if e.runs(ControllerTrue) {
			if e.truth, err = e.learnTruth(c); err != nil {
				return EmulatorReport{}, err
			}
		}
		if err := e.each(ctx, "solving for the oracle, seed", e.Runs, func(i int) error {
			var err error
			best[i], err = e.best(c, e.Seed+uint64(i))
			return err
		}); err != nil {
			return EmulatorReport{}, err
		}
	}
	results, err := e.runAll(ctx, known)
	if err != nil {
		return EmulatorReport{}, err
	}
	return e.report(c, best, results), nil
}

// runAll runs every trial with every seed, [run][trial].
func (e *emulation) runAll(ctx context.Context, known []learnt) ([][]result, error) {
	results := make([][]result, e.Runs)
	for i := range results {
		results[i] = make([]result, len(e.trials))
	}
	for _, daemon := range []bool{false, true} {
		what := "running"
		var these []int // trials
		for k, of := range e.trials {
			if of.daemon == daemon {
				these = append(these, k)
			}
		}
		if len(these) == 0 {
			continue
		}
		if daemon {
			what = "running through the daemon"
		}
		if err := e.each(ctx, what, e.Runs*len(these), func(i int) error {
			var err error
			run, k := i/len(these), these[i%len(these)]
			results[run][k], err = e.run(ctx, known[run], e.Seed+uint64(run), e.trials[k])
			return err
		}); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// runs reports whether a controller is among those that are tried.
func (e *emulation) runs(controller string) bool {
	return slices.ContainsFunc(e.controllers, func(c Controller) bool { return c.Name == controller })
}

// best is the oracle's value per interval, by phase and budget.
func (e *emulation) best(c *chances, seed uint64) ([][]float64, error) {
	s, err := e.Graph.newScenario(e.mesh, e.Rules.Interval, e.phases, seed)
	if err != nil {
		return nil, err
	}
	var out [][]float64
	for _, p := range e.phases {
		w := e.optimum(c, s, p.name)
		var values []float64
		for _, b := range e.Budgets {
			values = append(values, w.value(e.budgets(b))/float64(p.intervals))
		}
		out = append(out, values)
	}
	return out, nil
}
