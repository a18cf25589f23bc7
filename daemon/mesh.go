package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/dryrun"
	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/daemon/actuate/kube"
	"github.com/windvane/windvane/daemon/approve"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/exploration"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/observe"
	"github.com/windvane/windvane/rules"
)

// mesh is all that runs for one rules file.
type mesh struct {
	rules     *rules.Mesh
	options   loop.Options // without what an earlier loop leaves, and what follows from the roles of policies
	policies  *policies
	standings *standings
	trials    *trials
	loop      *loop.Loop // nil until start; used by one goroutine at a time
	revision  uint64     // of the roles that it keeps to; likewise
	accounts  *accounts  // likewise
	standby   *standby   // nil: there is no lease
	desk      *approve.Desk
	explorer  *exploration.Explorer
	releasers []actuate.Releaser
	settling  settling    // of the goroutine that runs the cycles
	blind     blindness   // likewise
	woken     chan string // holds why, until the next cycle begins
	last      atomic.Pointer[loop.Report]
	ended     atomic.Pointer[time.Time] // see alive; nil until start
}

// newMesh builds a mesh; nothing is started and nothing is asked yet.
func (d *Daemon) newMesh(ctx context.Context, c *config.Config, m *rules.Mesh, source prometheusClient, cluster kubernetesClient) (*mesh, error) {
	observer, err := newObserver(c, m, source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.File, err)
	}
	routes, replicas, err := newActuators(m, cluster)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.File, err)
	}
	p, err := d.newPolicies(ctx, c, m)
	if err != nil {
		return nil, err
	}
	timeout := c.Kubernetes.Timeout
	if timeout == 0 {
		timeout = m.Interval / 5
	}
	if d.desks[m.Name] == nil {
		d.desks[m.Name] = approve.NewDesk(m.Name)
	}
	explorer := d.explorer(c, m.Name)
	return &mesh{rules: m, explorer: explorer, policies: p, standings: &standings{mesh: m.Name, store: d.roles, policies: p, step: d.o.step}, trials: &trials{mesh: m.Name, journal: d.journal}, woken: make(chan string, 1), releasers: []actuate.Releaser{routes, replicas}, desk: d.desks[m.Name], options: loop.Options{
		Mesh: m, Observer: observer, Actuator: newActuator(m, actuate.Group{routes, replicas}), Journal: d.journal,
		Fallback: p.fallback, Timeout: timeout,
		Authority: d.authority.Mesh(m.Name), Demoter: d.authority.Mesh(m.Name), Desk: d.desks[m.Name], Explorer: explorer,
		Alerts:        func() ([]journal.Alert, int) { return d.alerts.Firing(m.Name) },
		ShadowTimeout: m.Interval / 5, Clock: d.o.Since,
	}}, nil
}

func newObserver(c *config.Config, m *rules.Mesh, source prometheusClient) (*observe.Observer, error) {
	declared, _ := c.Source(m.Prometheus) // config.Load has checked that it is there
	o := observe.ForMesh(m)
	o.API, o.Offset, o.Timeout = source.api, declared.QueryOffset, declared.Timeout
	if o.Timeout == 0 {
		o.Timeout = m.Interval * 2 / 5
	}
	return observe.New(o)
}

// newActuator chooses, once, whether anything can be written: where the ceiling is observe
// the actuator that the loop gets cannot.
func newActuator(m *rules.Mesh, group actuate.Group) loop.Actuator {
	if m.Guard.Authority == rules.AuthorityObserve {
		return dryrun.New(group)
	}
	return group
}

func newActuators(m *rules.Mesh, cluster kubernetesClient) (*istio.Actuator, *kube.Actuator, error) {
	var o istio.Options
	for _, s := range m.Services {
		for _, r := range s.Routes {
			o.Routes = append(o.Routes, istio.Route{Service: s.Name, VirtualService: r.VirtualService, HTTP: r.HTTP, Destinations: r.Destinations, Owned: r.Owned})
		}
		if s.Blocking != nil {
			o.Blocking = append(o.Blocking, istio.Blocking{Service: s.Name, Status: s.Blocking.Status})
		}
	}
	o.Client = istio.NewClient(cluster.rest)
	routes, err := istio.New(o)
	if err != nil {
		return nil, nil, err
	}
	var deployments []string
	for _, w := range m.Workloads {
		deployments = append(deployments, w.Deployment)
	}
	replicas, err := kube.New(kube.Options{Client: kube.NewClient(cluster.rest), Deployments: deployments})
	return routes, replicas, err
}

// resume reads what the journal has of a mesh.
func resume(dir, name string) (loop.Resume, error) {
	newest, err := journal.Recent(dir, 1, func(r journal.Record) bool {
		return r.Mesh == name && (r.Kind == journal.KindIntent || r.Kind == journal.KindRelease)
	})
	if err != nil || len(newest) == 0 {
		return loop.Resume{}, err
	}
	released := newest[0].Kind == journal.KindRelease
	intent, found, err := lastIntent(dir, name, 0)
	if err != nil || !found {
		return loop.Resume{}, err
	}
	open := &intent
	if intent.Unresolved != 0 {
		older, found, err := lastIntent(dir, name, intent.Unresolved)
		if err != nil {
			return loop.Resume{}, err
		}
		if found {
			open = &older
		}
	}
	closed, err := isClosed(dir, name, open.Cycle)
	if err != nil {
		return loop.Resume{}, err
	}
	if closed {
		open = nil
	}
	if released {
		intent.Commanded, intent.Baseline, intent.Act, intent.HandedOver = nil, nil, false, false
		if open != nil {
			open.Act = false // what it wrote was given back
		}
	}
	return loop.ResumeFrom(intent, open)
}

// isClosed reports whether the journal has an outcome of a cycle of late: a few, of others,
// may have come behind it.
func isClosed(dir, mesh string, cycle uint64) (bool, error) {
	outcomes, err := journal.Recent(dir, 10, func(r journal.Record) bool { return r.Mesh == mesh && r.Kind == journal.KindOutcome })
	for _, r := range outcomes {
		var o journal.Outcome
		if err := r.Decode(&o); err != nil {
			return false, err
		}
		if o.Cycle == cycle {
			return true, nil
		}
	}
	return false, err
}

// lastIntent returns the newest intent of a mesh, or that of a cycle.
func lastIntent(dir, mesh string, cycle uint64) (journal.Intent, bool, error) {
	found, err := journal.Recent(dir, 1, func(r journal.Record) bool {
		var i struct {
			Cycle uint64 `json:"cycle"`
		}
		return r.Mesh == mesh && r.Kind == journal.KindIntent && (cycle == 0 || r.Decode(&i) == nil && i.Cycle == cycle)
	})
	var out journal.Intent
	if err != nil || len(found) == 0 {
		return out, false, err
	}
	return out, true, found[0].Decode(&out)
}

// run has a cycle whenever the clock says so, until it or the context ends. A cycle
// that has begun is completed; hard ends it all the same. It reports whether the
// clock came to its end.
func (d *Daemon) run(ctx, hard context.Context, m *mesh) bool {
	logger := m.options.Logger
	defer func() {
		if err := m.accounts.save(); err != nil {
			logger.Warn("the account of error budgets is not kept", "err", err)
		}
	}()
	for {
		at, why, err := d.next(ctx, m)
		if err != nil {
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				logger.Error("the clock failed; the mesh has no more cycles", "err", err)
			}
			return errors.Is(err, io.EOF)
		}
		begun := d.o.Since()
		m.takeOver(hard)
		m.recast(d, logger)
		report := m.cycle(hard, at, why)
		d.metrics.cycle(report, m.rules.Interval, d.o.Since()-begun)
		d.metrics.observeStages(report, &m.settling)
		d.metrics.countMissed(m.last.Load(), report, m.rules.Interval)
		if err := m.accounts.count(&report); err != nil {
			logger.Warn("the account of error budgets is not kept", "err", err)
		}
		d.metrics.budgets.set(m.rules.Name, m.accounts.current.Load())
		if report.Err != nil {
			logger.Warn("something failed in the cycle", "cycle", report.Intent.Cycle, "hold", report.Intent.Hold, "err", report.Err)
		}
		m.try(d, &report)
		m.last.Store(&report)
		m.alive()
		if d.server != nil {
			d.server.Changed(m.rules.Name)
		}
		d.giveBackBlind(hard, m, &report)
		if d.o.Watch != nil {
			d.o.Watch(report)
		}
	}
}
