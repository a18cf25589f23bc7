package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/testbed"
)

// epoch is the virtual time at which every demo starts.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// station is an emulated mesh with a daemon of its own that controls it, in
// lock-step: virtual time passes only when the daemon has completed its cycle and
// is allowed another one.
type station struct {
	scenario *Scenario
	dir      string
	testbed  *testbed.Testbed
	daemon   *daemon.Daemon
	log      *os.File
	url      string        // of the daemon's HTTP server; empty: it has none
	pace     time.Duration // least wall time of a cycle
	watch    func(step)

	permits chan struct{} // a cycle each
	steps   chan error    // a completed cycle each
	last    time.Time     // wall time at which the last cycle began
}

// step is one completed cycle of a station.
type step struct {
	report loop.Report
	totals []emulator.Totals // since the step before, in the order of the graph
}

// stationOptions say which part of the scenario a station is for.
type stationOptions struct {
	scenario   *Scenario
	dir        string // of its files, its own
	from       time.Duration
	initial    policy.Action // in force at the start; nil: the scenario's
	rules      RulesOptions
	address    string // of the daemon's HTTP server; empty: none
	executable string
	speed      float64 // virtual seconds per second; 0: as fast as possible
	watch      func(step)
}

const configText = `# windvane.toml of a demo station.
rules = [%q]
state_directory = "state"

# Deadlines are far away: time is virtual, and no slow machine shall change a result.
[prometheus.main]
url = %q
timeout = "2m"

[kubernetes]
kubeconfig_file = "kubeconfig"
timeout = "2m"

[plugin.planner]
builtin = "tabular"
deadline = "2m"

[plugin.explorer]
builtin = "explore"
deadline = "2m"

[plugin.rules]
builtin = "threshold"
`

const kubeconfigText = `apiVersion: v1
kind: Config
clusters: [{name: demo, cluster: {server: %q}}]
contexts: [{name: demo, context: {cluster: demo, user: nobody}}]
current-context: demo
users: [{name: nobody, user: {}}]
`

// openStation builds the mesh, lets the time before its start pass, and starts the daemon.
func openStation(ctx context.Context, o stationOptions) (_ *station, err error) {
	s := &station{
		scenario: o.scenario, dir: o.dir, watch: o.watch,
		permits: make(chan struct{}), steps: make(chan error, 1),
	}
	if o.speed > 0 {
		s.pace = time.Duration(Interval.Seconds() / o.speed * float64(time.Second))
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("demo: %w", err), s.close(context.WithoutCancel(ctx)))
		}
	}()
	if err := s.openTestbed(o); err != nil {
		return nil, err
	}
	if err := s.testbed.Advance(o.from); err != nil {
		return nil, err
	}
	s.testbed.Take()
	if s.log, err = os.Create(filepath.Join(s.dir, "windvane.log")); err != nil {
		return nil, err
	}
	if err := s.writeFiles(o.rules); err != nil {
		return nil, err
	}
	return s, s.startDaemon(ctx, o)
}

func (s *station) openTestbed(o stationOptions) error {
	options := s.scenario.Emulator()
	if o.initial != nil {
		m, err := ParseRules(o.rules)
		if err != nil {
			return err
		}
		if options.Initial, err = eval.Settings(options.Graph, m, o.initial); err != nil {
			return err
		}
	}
	var err error
	s.testbed, err = testbed.New(testbed.Options{
		Mesh: MeshName, Graph: options.Graph, Seed: options.Seed, Initial: options.Initial, SettleSeconds: options.SettleSeconds,
		Rules: prometheus.IstioRules, Start: epoch, ScrapeInterval: Scrape,
	})
	return err
}

func (s *station) startDaemon(ctx context.Context, o stationOptions) error {
	var listener net.Listener
	if o.address != "" {
		var err error
		if listener, err = net.Listen("tcp", o.address); err != nil {
			return fmt.Errorf("web.listen-address: %w", err)
		}
		s.url = "http://" + listener.Addr().String()
	}
	d, err := daemon.New(ctx, daemon.Options{
		ConfigFile: filepath.Join(s.dir, "windvane.toml"), Listener: listener, RuntimeDirectory: s.dir,
		Executable: o.executable, Logger: slog.New(slog.NewTextHandler(s.log, nil)), Clock: s, Watch: s.completed,
	})
	if err != nil {
		return err
	}
	s.daemon = d
	return d.Start(ctx)
}

func (s *station) writeFiles(o RulesOptions) error {
	config := fmt.Sprintf(configText, RulesFile, s.testbed.PrometheusURL())
	for name, text := range map[string]string{
		"windvane.toml": config,
		"kubeconfig":    fmt.Sprintf(kubeconfigText, s.testbed.KubernetesURL()),
		RulesFile:       string(Rules(o)),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// rules replaces the mesh's rules file and lets the daemon reload it, as a person would.
func (s *station) rules(ctx context.Context, o RulesOptions) error {
	if err := os.WriteFile(filepath.Join(s.dir, RulesFile), Rules(o), 0o600); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return s.daemon.Reload(ctx)
}

// Next implements daemon.Clock: it waits for a permit, then lets an interval pass.
func (s *station) Next(ctx context.Context, _ string, interval time.Duration) (time.Time, error) {
	select {
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case _, ok := <-s.permits:
		if !ok {
			return time.Time{}, io.EOF
		}
	}
	if wait := s.pace - time.Since(s.last); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-timer.C:
		}
	}
	s.last = time.Now()
	if err := s.testbed.Advance(interval); err != nil {
		s.steps <- err
		return time.Time{}, err
	}
	return s.testbed.Now(), nil
}

var _ daemon.Clock = (*station)(nil)

// completed is called by the daemon after each cycle.
func (s *station) completed(r loop.Report) {
	s.watch(step{report: r, totals: s.testbed.Take()})
	s.steps <- nil
}

// run lets n cycles happen.
func (s *station) run(ctx context.Context, n int) error {
	for range n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s.permits <- struct{}{}:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.steps:
			if err != nil {
				return fmt.Errorf("demo: %w", err)
			}
		}
	}
	return nil
}

// close ends the daemon, then the mesh; the files stay.
func (s *station) close(ctx context.Context) error {
	var err error
	if s.daemon != nil {
		err = s.daemon.Stop(ctx)
	}
	if s.testbed != nil {
		err = errors.Join(err, s.testbed.Close())
	}
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
	}
	return err
}
