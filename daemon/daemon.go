package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"

	"github.com/windvane/windvane/daemon/alerts"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/approve"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/exploration"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/roles"
	"github.com/windvane/windvane/rules"
)

// Options are what a Daemon is made of. ConfigFile is required.
type Options struct {
	ConfigFile       string
	Listener         net.Listener // of the HTTP server; nil: no server. The daemon closes it
	RuntimeDirectory string       // for the plugins' sockets and the daemon's own; empty: the system's directory for temporary files, and no own one

	WebConfigFile   string   // exporter-toolkit's: TLS and who may act by HTTP; empty: plain, and nobody
	ExternalURL     *url.URL // under which a proxy shows the server; nil: none does
	EnableLifecycle bool     // allow /-/reload by HTTP, to those who may act
	EnablePprof     bool     // serve /debug/pprof

	Executable string   // serves the built-in policies; empty: this program
	PluginArgs []string // its arguments before the policy's name; nil: plugin serve

	Logger *slog.Logger      // nil: nothing is logged
	Clock  Clock             // nil: the wall clock
	Since  Stopwatch         // for durations; nil: that of the wall clock, under another Clock none, and durations are 0
	Random func() float64    // in [0,1), for jitter; nil: no jitter
	Watch  func(loop.Report) // is given each cycle's report before the next cycle is due; nil: nobody is

	disk journal.Disk // the journal's; zero: the real one
	step func(string) // is told of each step of a change of roles, before the next one; nil: nobody is
}

// Daemon runs the meshes of a configuration. Start, Reload and Stop may be called
// from any goroutine, one at a time.
type Daemon struct {
	o        Options
	registry *prometheus.Registry
	metrics  *metrics
	journal  *journal.Journal
	server   *api.Server

	authority *authority.Store
	roles     *roles.Store
	alerts    *alerts.Receiver
	desks     map[string]*approve.Desk         // by mesh; over reloads
	explorers map[string]*exploration.Explorer // likewise

	mu        sync.Mutex                 // makes Start, Reload and Stop one at a time
	current   atomic.Pointer[generation] // nil after Stop
	reloadErr atomic.Pointer[error]      // of the last reload
	started   atomic.Pointer[time.Time]  // nil before Start
	tidying   background                 // of the journal
	lease     *sharedLease               // nil: there is but one daemon
	done      chan struct{}              // see Done
	end       func()                     // closes done, once
}

// generation is one configuration in force.
type generation struct {
	config  *config.Config
	digest  string // of its files
	meshes  []*mesh
	close   []func() // idle connections
	cancel  context.CancelFunc
	kill    context.CancelFunc
	running sync.WaitGroup
	left    atomic.Int64 // meshes whose clock has not ended
}

// New reads the configuration and opens the journal. Nothing runs yet. What is wrong
// in the files comes as rules.Problems. The listener is closed on an error.
func New(ctx context.Context, o Options) (_ *Daemon, err error) {
	defer func() {
		if err != nil && o.Listener != nil {
			err = errors.Join(err, o.Listener.Close())
		}
	}()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = wallClock{}
		if o.Since == nil {
			o.Since = wallStopwatch()
		}
	}
	if o.Since == nil {
		o.Since = func() time.Duration { return 0 }
	}
	if o.step == nil {
		o.step = func(string) {}
	}
	if o.PluginArgs == nil {
		o.PluginArgs = []string{"plugin", "serve"}
	}
	if o.Executable == "" {
		if o.Executable, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find this program, which serves the built-in policies: %w", err)
		}
	}
	d := &Daemon{o: o, registry: prometheus.NewRegistry(), done: make(chan struct{}), desks: map[string]*approve.Desk{}, explorers: map[string]*exploration.Explorer{}}
	d.end = sync.OnceFunc(func() { close(d.done) })
	d.metrics = newMetrics(d.registry)
	d.alerts = d.newReceiver()
	c, err := config.Load(o.ConfigFile, BuiltinNames())
	if err != nil {
		return nil, err
	}
	var repair journal.Repair
	if o.disk.Create == nil {
		o.disk = journal.RealDisk()
	}
	if d.journal, repair, err = journal.OpenOn(JournalDirectory(c.StateDirectory), o.disk); err != nil {
		return nil, err
	}
	if text := repair.String(); text != "" {
		o.Logger.Warn("the journal was repaired", "repair", text)
	}
	d.authority, d.roles = authority.Open(c.StateDirectory), roles.Open(c.StateDirectory)
	if d.lease, err = newSharedLease(c, o.Logger); err != nil {
		return nil, errors.Join(err, d.journal.Close())
	}
	g, err := d.build(ctx, c)
	if err != nil {
		return nil, errors.Join(err, d.journal.Close())
	}
	d.current.Store(g)
	d.registry.MustRegister(parts{d})
	d.lease.register(d.registry)
	if d.server, err = d.newServer(); err != nil {
		return nil, errors.Join(err, d.journal.Close())
	}
	return d, nil
}

// JournalDirectory is where the journal lies below a state directory.
func JournalDirectory(state string) string { return filepath.Join(state, "journal") }

// build makes everything that a configuration needs, without starting any of it.
func (d *Daemon) build(ctx context.Context, c *config.Config) (*generation, error) {
	for _, w := range c.Warnings() {
		d.o.Logger.Warn("configuration", "warning", w.String())
	}
	g := &generation{config: c, digest: digestOf(c)}
	sources := map[string]prometheusClient{}
	var errs []error
	for _, p := range c.Prometheus {
		client, err := newPrometheusClient(p)
		errs = append(errs, err)
		if err == nil {
			client.api = measured{client.api, p.Name, d.metrics.sources, d.o.Since}
			sources[p.Name] = client
			g.close = append(g.close, client.http.CloseIdleConnections)
		}
	}
	cluster, err := newKubernetesClient(c.Kubernetes, d.lease.fence())
	if errs = append(errs, err); errors.Join(errs...) != nil {
		return nil, errors.Join(errs...)
	}
	g.close = append(g.close, cluster.http.CloseIdleConnections)
	handover := d.lease.handover(cluster)
	for _, r := range c.Meshes {
		m, err := d.newMesh(ctx, c, r, sources[r.Prometheus], cluster)
		if errs = append(errs, err); err == nil {
			m.options.Logger = d.o.Logger.With("mesh", r.Name)
			m.share(d, handover)
			g.meshes = append(g.meshes, m)
		}
	}
	return g, errors.Join(errs...)
}

// Start starts the plugins, the cycles and the HTTP server. The context bounds the
// wait for plugins, not their life. After an error the daemon is stopped.
func (d *Daemon) Start(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.current.Load()
	if g == nil || d.started.Load() != nil {
		return errors.New("daemon: start: it was started already")
	}
	now := time.Now()
	d.started.Store(&now)
	names := []string{}
	resumes := map[string]loop.Resume{}
	for _, m := range g.meshes {
		names = append(names, m.rules.Name)
		r, err := resume(d.journal.Dir(), m.rules.Name)
		if err != nil {
			return errors.Join(fmt.Errorf("resume mesh %s: %w", m.rules.Name, err), d.abort())
		}
		resumes[m.rules.Name] = r
	}
	start := journal.Start{Version: version.Version, ConfigSHA256: g.digest, Meshes: names}
	if _, err := d.journal.Append(now, "", journal.KindStart, start, true); err != nil {
		return errors.Join(err, d.abort())
	}
	if err := d.launch(ctx, g, resumes); err != nil {
		return errors.Join(err, d.abort())
	}
	d.lease.start(context.WithoutCancel(ctx))
	d.tidying.start(context.WithoutCancel(ctx), d.tidy)
	d.metrics.reloaded(nil, now)
	if d.server != nil {
		d.server.Start()
	}
	return nil
}

// launch starts a generation that was built.
func (d *Daemon) launch(ctx context.Context, g *generation, resumes map[string]loop.Resume) error {
	for _, m := range g.meshes {
		m.enlist(d)
		err := m.begin(resumes[m.rules.Name])
		if err != nil {
			return fmt.Errorf("mesh %s: %w", m.rules.Name, err)
		}
		if m.accounts, err = openAccounts(g.config.StateDirectory, m.rules); err != nil {
			m.options.Logger.Warn("the account of error budgets is not complete", "err", err)
		}
	}
	d.alerts.Configure(alertsConfig(g.config))
	var soft, hard context.Context
	soft, g.cancel = context.WithCancel(context.WithoutCancel(ctx))
	hard, g.kill = context.WithCancel(context.WithoutCancel(ctx))
	for _, m := range g.meshes {
		m.policies.start(ctx, m.standings.now.Load().Active(), m.options.Logger)
	}
	g.left.Store(int64(len(g.meshes)))
	for _, m := range g.meshes {
		m.alive()
		g.running.Go(func() { m.trials.load(soft, d.journal.Dir(), m.options.Logger) })
		g.running.Go(func() {
			if d.run(soft, hard, m) && g.left.Add(-1) == 0 {
				d.end()
			}
		})
	}
	return nil
}

// abort closes what New opened.
func (d *Daemon) abort() error {
	d.current.Swap(nil).closeIdle()
	err := d.journal.Close()
	if d.server != nil {
		//nolint:forbidigo // it does not serve yet: there is nothing to wait for
		err = errors.Join(err, d.server.Stop(context.Background()))
	}
	return err
}

// Done is closed at Stop, and when every mesh has come to the end of its clock, which
// the wall clock does not have.
func (d *Daemon) Done() <-chan struct{} { return d.done }

// Reload reads the files again and swaps what they say in between two cycles. On an
// error everything goes on as it was. Control state is kept.
func (d *Daemon) Reload(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current.Load() == nil || d.started.Load() == nil {
		return errors.New("reload: the daemon does not run")
	}
	err := d.reload(ctx)
	d.reloadErr.Store(&err)
	d.metrics.reloaded(err, time.Now())
	return err
}

func (d *Daemon) reload(ctx context.Context) error {
	old := d.current.Load()
	c, err := config.Load(d.o.ConfigFile, BuiltinNames())
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	if filepath.Clean(c.StateDirectory) != filepath.Clean(old.config.StateDirectory) {
		return fmt.Errorf("reload: state_directory changed from %s to %s; restart for that", old.config.StateDirectory, c.StateDirectory)
	}
	if err := d.lease.same(c); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	g, err := d.build(ctx, c)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	resumes := map[string]loop.Resume{}
	for _, m := range g.meshes {
		if old.find(m.rules.Name) != nil {
			continue
		}
		if resumes[m.rules.Name], err = resume(d.journal.Dir(), m.rules.Name); err != nil {
			return fmt.Errorf("reload: mesh %s: %w", m.rules.Name, err)
		}
	}
	if err := g.swapIn(ctx, old); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	defer old.swapOut(ctx)
	old.halt(ctx)
	for _, m := range old.meshes {
		resumes[m.rules.Name] = m.loop.Resume()
		if now := g.find(m.rules.Name); now != nil {
			now.trials = m.trials
		}
	}
	d.metrics.forget()
	d.current.Store(g)
	return d.launch(ctx, g, resumes)
}

func (g *generation) find(name string) *mesh {
	for _, m := range g.meshes {
		if m.rules.Name == name {
			return m
		}
	}
	return nil
}

// stop ends the cycles, then the plugins.
func (g *generation) stop(ctx context.Context) {
	g.halt(ctx)
	g.swapOut(ctx)
}

// halt ends the cycles after the ones that have begun. When the context ends first, cycles
// are cut short.
func (g *generation) halt(ctx context.Context) {
	undo := context.AfterFunc(ctx, g.kill)
	g.cancel()
	g.running.Wait()
	undo()
	g.kill()
}

func (g *generation) closeIdle() {
	for _, f := range g.close {
		f()
	}
}

// Stop ends everything and returns when nothing of it is left. The settings stay as they
// are, or are given back where the rules file says on_stop = "release". A second Stop
// does nothing.
func (d *Daemon) Stop(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.current.Load()
	if g == nil {
		return nil
	}
	if d.started.Load() == nil {
		return d.abort()
	}
	d.current.Store(nil)
	var err error
	if d.server != nil {
		err = d.server.Stop(ctx)
	}
	g.stop(ctx)
	err = errors.Join(err, d.giveBackAtStop(ctx, g))
	d.lease.stop(g)
	g.closeIdle()
	d.tidying.stop()
	d.end()
	return errors.Join(err, d.journal.Close())
}

// digestOf is the SHA-256 of the files of a configuration, in order.
func digestOf(c *config.Config) string {
	sum := sha256.New()
	files := []string{c.File}
	for _, m := range c.Meshes {
		files = append(files, m.File)
	}
	for _, f := range files {
		b, err := rules.ReadFile(f)
		if err != nil {
			b = []byte(err.Error()) // it was read a moment ago; the record is for people
		}
		_, _ = fmt.Fprintf(sum, "%s %d\n", f, len(b))
		_, _ = sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
