package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/train"
	"github.com/windvane/windvane/station"
)

// Options are what the demo is run with.
type Options struct {
	Seed       uint64
	Lengths    Lengths
	Speed      float64 // virtual seconds per second; 0: as fast as possible
	Dir        string  // an empty directory for all files
	Address    string  // of the autopilot's HTTP server; empty: none
	Executable string  // that serves the built-in policies; empty: this program
	Screen     *Screen // where the story is told

	// Done is called at the end, while the autopilot's daemon still runs, with its
	// state directory and the address of its HTTP server; nil: nothing is.
	Done func(r *Result, stateDirectory, url string)

	levels int // of each service's blocking; 0: blockingLevels
}

// Result is what `windvane demo --json` prints.
type Result struct {
	Seed        uint64             `json:"seed"`
	WallSeconds float64            `json:"wall_seconds"`
	BudgetRatio map[string]float64 `json:"budget_ratio"` // by service: allowed share of bad intervals
	Rows        []Row              `json:"rows"`
}

// WorseThanNothing names the services that the autopilot left worse off than no control.
func (r *Result) WorseThanNothing() []string {
	violated := map[string]map[string]float64{}
	for _, row := range r.Rows {
		if row.Phase == PhaseAll {
			if violated[row.Service] == nil {
				violated[row.Service] = map[string]float64{}
			}
			violated[row.Service][row.Controller] = row.ViolatedRatio
		}
	}
	var out []string
	for _, row := range r.Rows {
		v := violated[row.Service]
		if row.Phase == PhaseAll && row.Controller == ControllerTabular && v[ControllerTabular] > v[ControllerNone] {
			out = append(out, row.Service)
		}
	}
	return out
}

// show is a demo that runs.
type show struct {
	Options
	scenario *Scenario
	mesh     *rules.Mesh
	tallies  map[string]*tally // by controller
	static   *Static
	start    time.Time // wall
	result   *Result
}

// Run shows the demo. The same seed and lengths give the same rows.
func Run(ctx context.Context, o Options) (*Result, error) {
	s, err := newShow(o)
	if err != nil {
		return nil, err
	}
	if err := s.play(ctx); err != nil {
		return nil, err
	}
	return s.result, nil
}

func newShow(o Options) (*show, error) {
	scenario, err := NewScenario(o.Seed, o.Lengths)
	if err != nil {
		return nil, err
	}
	mesh, err := ParseRules(RulesOptions{Authority: rules.AuthorityObserve, Directory: o.Dir, levels: o.levels})
	if err != nil {
		return nil, err
	}
	s := &show{Options: o, scenario: scenario, mesh: mesh, tallies: map[string]*tally{}, start: time.Now()}
	for _, c := range Controllers {
		s.tallies[c] = newTally(scenario, mesh.Knobs())
	}
	return s, nil
}

// play tells the story: the autopilot's station first observes and explores alone,
// then acts, side by side with the others on the same load.
func (s *show) play(ctx context.Context) (err error) {
	s.Screen.Title(s.scenario)
	pilot, err := s.open(ctx, ControllerTabular, 0, s.observing(), nil, s.Address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pilot.Close(context.WithoutCancel(ctx))) }()
	s.Screen.Address(pilot.URL())

	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { // needs no station: it is ready when part 3 begins
		var err error
		s.static, err = BestStatic(inner, s.scenario, s.mesh)
		return err
	})
	if err := s.observe(ctx, pilot); err != nil {
		return err
	}
	artefact, err := s.learn(ctx, pilot)
	if err != nil {
		return err
	}
	if err := s.Screen.Wait(group.Wait, "search the best single static setting, in hindsight"); err != nil {
		return err
	}
	s.Screen.Static(s.static)
	return s.act(ctx, pilot, artefact)
}

func (s *show) observing() RulesOptions {
	return RulesOptions{Authority: rules.AuthorityObserve, Policies: []rules.PolicyRef{{Name: "rules", Plugin: "rules", Role: rules.RoleActive}}}
}

// open opens a controller's station at a time of the scenario.
func (s *show) open(ctx context.Context, controller string, from time.Duration, o RulesOptions, static *Static, address string) (*station.Station, error) {
	o.levels = s.levels
	options := station.Options{
		Dir: s.dirOf(controller), Emulator: s.scenario.Emulator(), Object: MeshName, Interval: Interval, Scrape: Scrape,
		From: from, Rules: Rules(o), Plugins: pluginsText, Watch: s.tallies[controller].add,
		Address: address, Executable: s.Executable,
	}
	if s.Speed > 0 {
		options.Pace = time.Duration(Interval.Seconds() / s.Speed * float64(time.Second))
	}
	if static != nil {
		var err error
		if options.Emulator.Initial, err = eval.Settings(options.Emulator.Graph, s.mesh, static.Action); err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
	}
	if err := os.MkdirAll(options.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	opened, err := station.Open(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return opened, nil
}

// dirOf is where a controller's station has its files.
func (s *show) dirOf(controller string) string { return filepath.Join(s.Dir, controller) }

// advance lets n cycles of a station happen.
func advance(ctx context.Context, st *station.Station, n int) error {
	if err := st.Run(ctx, n); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// reload has a station's daemon read other rules.
func (s *show) reload(ctx context.Context, st *station.Station, o RulesOptions) error {
	o.levels = s.levels
	if err := st.Reload(ctx, Rules(o)); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// observe is part 1.
func (s *show) observe(ctx context.Context, pilot *station.Station) error {
	s.Screen.Part(1, "authority observe: windvane watches, and writes nothing")
	t := s.tallies[ControllerTabular]
	if err := s.Screen.Follow(t, s.scenario.Lengths.Observe, "observe", func() error {
		return advance(ctx, pilot, s.scenario.Lengths.Observe)
	}); err != nil {
		return err
	}
	for _, service := range s.mesh.PolicyServices() {
		s.Screen.Observed(t.row(PhaseObserve, ControllerNone, service.Name, PhaseObserve), Budget)
	}
	return nil
}

// learn is part 2. It ends one interval before part 3, whose first interval begins
// with the trained policy's first decision.
func (s *show) learn(ctx context.Context, pilot *station.Station) (string, error) {
	s.Screen.Part(2, "a bounded exploration under the guard, then training")
	err := s.reload(ctx, pilot, RulesOptions{Authority: rules.AuthorityAct, Policies: []rules.PolicyRef{
		{Name: "explorer", Plugin: "explorer", Role: rules.RoleActive, Settings: map[string]any{"seed": int64(s.Seed)}},
	}})
	if err != nil {
		return "", err
	}
	n := s.scenario.Lengths.Explore - 1
	if err := s.Screen.Follow(s.tallies[ControllerTabular], n, "explore", func() error { return advance(ctx, pilot, n) }); err != nil {
		return "", err
	}
	var trained *train.Tabular
	var artefact string
	err = s.Screen.Wait(func() error {
		var err error
		trained, artefact, err = s.train(pilot)
		return err
	}, "fit the model, train the policy")
	if err != nil {
		return "", err
	}
	s.Screen.Learned(trained)
	return artefact, nil
}

// train fits the model and the policy on what the daemon has recorded.
func (s *show) train(pilot *station.Station) (*train.Tabular, string, error) {
	journal := daemon.JournalDirectory(pilot.State())
	d, err := lifecycle.Collect(journal, s.mesh)
	if err != nil {
		return nil, "", err
	}
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		return nil, "", err
	}
	// Kept beside the daemon's files: `windvane train` and `windvane evaluate` read it.
	if err := os.WriteFile(filepath.Join(s.dirOf(ControllerTabular), "explored.dataset"), b.Bytes(), 0o600); err != nil {
		return nil, "", fmt.Errorf("demo: %w", err)
	}
	sum := sha256.Sum256(b.Bytes())
	t, err := train.EnumerateTabular(s.mesh, d, hex.EncodeToString(sum[:]), s.Seed)
	if err != nil {
		return nil, "", fmt.Errorf("demo: %w", err)
	}
	table, err := t.Table.Encode()
	if err != nil {
		return nil, "", err
	}
	system, err := t.Model.Encode()
	if err != nil {
		return nil, "", err
	}
	artefact, err := train.Write(filepath.Join(s.dirOf(ControllerTabular), "artefacts"), t.Card, table, system)
	return t, artefact, err
}

// act is part 3.
func (s *show) act(ctx context.Context, pilot *station.Station, artefact string) error {
	n := s.scenario.Lengths.Act
	s.Screen.Part(3, fmt.Sprintf("authority act: %d intervals of load never seen, a burst, a node that loses a third of its capacity", n))
	if err := s.handOver(ctx, pilot, artefact); err != nil {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return advance(inner, pilot, n+1) })
	for _, controller := range []string{ControllerNone, ControllerStatic, ControllerThreshold} {
		group.Go(func() error { return s.compare(inner, controller) })
	}
	if err := s.Screen.Compare(s.tallies, n, group.Wait); err != nil {
		return err
	}
	s.result = s.sum()
	if s.Done != nil {
		s.Done(s.result, pilot.State(), pilot.URL())
	}
	return nil
}

// handOver has the trained policy decide, in a process of its own.
func (s *show) handOver(ctx context.Context, pilot *station.Station, artefact string) error {
	relative, err := filepath.Rel(s.dirOf(ControllerTabular), artefact)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return s.reload(ctx, pilot, RulesOptions{Authority: rules.AuthorityAct, Policies: []rules.PolicyRef{
		{Name: "planner", Plugin: "planner", Role: rules.RoleActive, Artefact: relative},
		{Name: "rules", Plugin: "rules", Role: rules.RoleFallback},
	}})
}

// compare runs a controller of its own on part 3's load.
func (s *show) compare(ctx context.Context, controller string) (err error) {
	o, static := s.observing(), (*Static)(nil)
	switch controller {
	case ControllerStatic:
		static = s.static
	case ControllerThreshold:
		o.Authority = rules.AuthorityAct
	}
	st, err := s.open(ctx, controller, s.scenario.Act()-Interval, o, static, "")
	if err != nil {
		return err
	}
	err = advance(ctx, st, s.scenario.Lengths.Act+1)
	return errors.Join(err, st.Close(context.WithoutCancel(ctx)))
}

// sum makes the result from the tallies.
func (s *show) sum() *Result {
	r := &Result{Seed: s.Seed, WallSeconds: time.Since(s.start).Seconds(), BudgetRatio: map[string]float64{}}
	phases := []string{PhaseSinusoid, PhaseBurst, PhaseFault}
	services := s.mesh.PolicyServices()
	for _, service := range services {
		r.BudgetRatio[service.Name] = service.Objectives[0].Budget
	}
	for _, phase := range append(phases, PhaseAll) {
		of := []string{phase}
		if phase == PhaseAll {
			of = phases
		}
		for _, c := range Controllers {
			for _, service := range services {
				r.Rows = append(r.Rows, s.tallies[c].row(phase, c, service.Name, of...))
			}
		}
	}
	return r
}
