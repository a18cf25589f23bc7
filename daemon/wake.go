package daemon

import (
	"context"
	"time"

	"github.com/windvane/windvane/daemon/alerts"
	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/loop"
)

// EarlyClock is a Clock that can have a cycle come between two that are due. With any other,
// a mesh that is woken waits for its next cycle.
type EarlyClock interface {
	Clock
	// NextOrWoken is Next, but may return sooner when something comes from w.Woken: then it
	// returns that, and otherwise an empty string. It does so at most once between two cycles that
	// are due.
	NextOrWoken(ctx context.Context, w Wait) (at time.Time, why string, err error)
}

// Wait is what a clock is told of a mesh whose last cycle is complete.
type Wait struct {
	Mesh     string
	Interval time.Duration
	Settle   time.Duration // a cycle that is woken keeps at least this distance from the ones before and after it
	Last     time.Time     // of the last cycle; zero: there was none
	Early    bool          // that one was woken
	Woken    <-chan string
}

// next waits for the next cycle of a mesh. What woke it before that begins is served by it.
func (d *Daemon) next(ctx context.Context, m *mesh) (at time.Time, why string, err error) {
	clock, ok := d.o.Clock.(EarlyClock)
	if !ok {
		at, err = d.o.Clock.Next(ctx, m.rules.Name, m.rules.Interval)
	} else {
		w := Wait{Mesh: m.rules.Name, Interval: m.rules.Interval, Settle: m.rules.Settle, Woken: m.woken}
		if r := m.last.Load(); r != nil {
			w.Last, w.Early = r.At, r.Intent.Woken != ""
		}
		at, why, err = clock.NextOrWoken(ctx, w)
	}
	select {
	case <-m.woken:
	default:
	}
	return at, why, err
}

// cycle runs one; why is empty unless it was woken.
func (m *mesh) cycle(ctx context.Context, at time.Time, why string) loop.Report {
	if why != "" {
		return m.loop.Woken(ctx, at, why)
	}
	return m.loop.Cycle(ctx, at)
}

// wake has the next cycle of a mesh come early if that is possible; why is one of package
// loop's reasons. It does not wait. A mesh that is not there is left alone.
func (d *Daemon) wake(mesh, why string) {
	g := d.current.Load()
	if g == nil {
		return
	}
	if m := g.find(mesh); m != nil {
		select {
		case m.woken <- why:
		default: // it is woken already
		}
	}
}

func (d *Daemon) newReceiver() *alerts.Receiver {
	return alerts.New(alerts.Options{
		Registerer: d.registry, Logger: d.o.Logger, Now: time.Now, Known: api.Known,
		Wake: func(mesh string) { d.wake(mesh, loop.WokenByAlert) },
	})
}

// alertsConfig is what the receiver of alerts needs of a configuration.
func alertsConfig(c *config.Config) alerts.Config {
	out := alerts.Config{Expiry: c.Alerts.Expiry, Secrets: alerts.Secrets{
		CredentialsFile: c.Alerts.CredentialsFile, Username: c.Alerts.Username, PasswordFile: c.Alerts.PasswordFile,
	}}
	for _, m := range c.Meshes {
		out.Meshes = append(out.Meshes, alerts.Mesh{Name: m.Name, Match: m.Alerts})
	}
	return out
}
