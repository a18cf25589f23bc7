package station

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/testbed"
)

// Epoch is the virtual time at which every station's mesh starts.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Options describe a station. All but the last four are required.
type Options struct {
	Dir      string // an empty directory for all files; its path is short: plugins' sockets lie below it
	Emulator emulator.Options
	Object   string // name of the VirtualService
	Interval time.Duration
	Scrape   time.Duration
	From     time.Duration // so much time passes before the daemon starts, an interval before its first cycle
	Rules    []byte        // the mesh's rules file, with signals of deploy/prometheus/istio.rules.yml
	Plugins  string        // the [plugin] tables of windvane.toml
	Watch    func(Step)    // is given each cycle before the next one

	Address    string        // of the daemon's HTTP server; empty: none
	Executable string        // serves the built-in policies; empty: this program
	Pace       time.Duration // least wall time of a cycle

	WebConfigFile string // of that server, as daemon.Options has it
}

// Step is one completed cycle.
type Step struct {
	Report loop.Report
	Totals []emulator.Totals // since the step before, in the order of the graph
}

// Station is an emulated mesh with a daemon of its own that controls it. It is for one
// goroutine.
type Station struct {
	o       Options
	testbed *testbed.Testbed
	daemon  *daemon.Daemon
	log     *os.File
	url     string

	permits chan struct{} // a cycle each
	steps   chan error    // a completed cycle each
	last    time.Time     // wall time at which the last cycle began
}

// The files of a station's directory, beside the daemon's own.
const (
	configFile     = "windvane.toml"
	kubeconfigFile = "kubeconfig"
	stateDirectory = "state"
)

const configText = `# windvane.toml of a station.
rules = [%q]
state_directory = %q

# Deadlines are far away: time is virtual, and no slow machine shall change a result.
[prometheus.main]
url = %q
timeout = "2m"

[kubernetes]
kubeconfig_file = %q
timeout = "2m"
%s`

// Open builds the mesh, lets the time before its start pass, and starts the daemon. The
// caller must Close the station.
func Open(ctx context.Context, o Options) (_ *Station, err error) {
	s := &Station{o: o, permits: make(chan struct{}), steps: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("station: %w", err), s.Close(context.WithoutCancel(ctx)))
		}
	}()
	s.testbed, err = testbed.New(testbed.Options{
		Mesh: o.Object, Graph: o.Emulator.Graph, Seed: o.Emulator.Seed, Initial: o.Emulator.Initial, SettleSeconds: o.Emulator.SettleSeconds,
		Rules: prometheus.IstioRules, Start: Epoch, ScrapeInterval: o.Scrape, EvaluationInterval: o.Interval,
	})
	if err != nil {
		return nil, err
	}
	if err := s.testbed.Advance(o.From); err != nil {
		return nil, err
	}
	s.testbed.Take()
	if s.log, err = os.Create(filepath.Join(o.Dir, "windvane.log")); err != nil {
		return nil, err
	}
	if err := s.writeFiles(); err != nil {
		return nil, err
	}
	return s, s.startDaemon(ctx)
}

func (s *Station) startDaemon(ctx context.Context) error {
	var listener net.Listener
	if s.o.Address != "" {
		var err error
		if listener, err = net.Listen("tcp", s.o.Address); err != nil {
			return fmt.Errorf("web.listen-address: %w", err)
		}
		s.url = "http://" + listener.Addr().String()
	}
	d, err := daemon.New(ctx, daemon.Options{
		ConfigFile: filepath.Join(s.o.Dir, configFile), Listener: listener, WebConfigFile: s.o.WebConfigFile, RuntimeDirectory: s.o.Dir,
		Executable: s.o.Executable, Logger: slog.New(slog.NewTextHandler(s.log, nil)), Clock: s, Watch: s.completed,
	})
	if err != nil {
		return err
	}
	s.daemon = d
	return d.Start(ctx)
}

func (s *Station) writeFiles() error {
	for name, text := range map[string]string{
		configFile:     fmt.Sprintf(configText, s.rulesFile(), stateDirectory, s.testbed.PrometheusURL(), kubeconfigFile, s.o.Plugins),
		kubeconfigFile: testbed.Kubeconfig(s.testbed.KubernetesURL()),
		s.rulesFile():  string(s.o.Rules),
	} {
		if err := os.WriteFile(filepath.Join(s.o.Dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (s *Station) rulesFile() string { return s.o.Object + ".toml" }

// Reload replaces the mesh's rules file and lets the daemon reload it, as a person would.
func (s *Station) Reload(ctx context.Context, rules []byte) error {
	if err := os.WriteFile(filepath.Join(s.o.Dir, s.rulesFile()), rules, 0o600); err != nil {
		return fmt.Errorf("station: %w", err)
	}
	return s.daemon.Reload(ctx)
}

// URL is the address of the daemon's HTTP server; empty: it has none.
func (s *Station) URL() string { return s.url }

// State is the daemon's state directory.
func (s *Station) State() string { return filepath.Join(s.o.Dir, stateDirectory) }

// Status is the daemon's.
func (s *Station) Status() api.Status { return s.daemon.Status() }

// Fail makes things of the mesh fail from now on; the zero Faults heal all.
func (s *Station) Fail(f testbed.Faults) { s.testbed.Fail(f) }

// Next implements daemon.Clock: it waits for a permit, then lets an interval pass.
func (s *Station) Next(ctx context.Context, _ string, interval time.Duration) (time.Time, error) {
	select {
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case <-s.permits:
	}
	if wait := s.o.Pace - time.Since(s.last); wait > 0 {
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

var _ daemon.Clock = (*Station)(nil)

// completed is called by the daemon after each cycle.
func (s *Station) completed(r loop.Report) {
	s.o.Watch(Step{Report: r, Totals: s.testbed.Take()})
	s.steps <- nil
}

// Run lets n cycles happen.
func (s *Station) Run(ctx context.Context, n int) error {
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
				return fmt.Errorf("station: %w", err)
			}
		}
	}
	return nil
}

// Close ends the daemon, then the mesh; the files stay. A second Close does nothing.
func (s *Station) Close(ctx context.Context) error {
	var err error
	if s.daemon != nil {
		err = s.daemon.Stop(ctx)
	}
	if s.testbed != nil {
		err = errors.Join(err, s.testbed.Close())
		s.testbed = nil
	}
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
		s.log = nil
	}
	return err
}
