package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/guard"
)

// Why windvane gave the settings of a mesh back by itself, as its rules file asks for.
const (
	givenBackAtStop  = "stop"    // on_stop = "release"
	givenBackBlindly = "no_data" // on_no_data = "baseline"
)

// blindness is how long a mesh has had no data.
type blindness struct {
	since, last time.Time // the first cycle without, and the newest; zero: it has data
	lasted      time.Duration
	givenBack   bool // since then
}

// look counts a cycle, and reports whether the settings are to be given back. Cycles that
// were missed, or a clock that was put forward, do not use the time of grace up: from one
// cycle to the next no more than two intervals of it pass.
func (b *blindness) look(report *loop.Report, m *rules.Mesh) bool {
	switch {
	case report.Intent.Woken != "" || report.Intent.Hold == loop.HoldNoLive || report.Intent.Hold == loop.HoldOutOfBounds:
		return false // whether there are data was not asked
	case report.Intent.Hold != string(guard.NoData):
		*b = blindness{}
		return false
	case b.since.IsZero():
		b.since = report.At
	default:
		b.lasted += max(0, min(report.At.Sub(b.last), 2*m.Interval))
	}
	b.last = report.At
	return m.Guard.OnNoData == rules.OnNoDataBaseline && !b.givenBack && b.lasted >= m.Guard.NoDataGrace
}

// giveBackBlind gives a mesh's settings back that has had no data for its time of grace. It
// is for the goroutine that runs the cycles. What fails is tried again in the next cycle.
func (d *Daemon) giveBackBlind(ctx context.Context, m *mesh, report *loop.Report) {
	if !m.blind.look(report, m.rules) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, m.options.Timeout)
	defer cancel()
	given, err := d.giveBack(ctx, m, report.At, givenBackBlindly)
	if err != nil {
		m.options.Logger.Error("no data for long, and the settings could not be given back", "since", m.blind.since, "err", err)
		return
	}
	if m.blind.givenBack = given; !given {
		return
	}
	m.options.Logger.Warn("no data for long: the settings are again what they were before windvane", "since", m.blind.since)
}

// giveBackAtStop gives back what the meshes' rules files say that it shall at a stop.
func (d *Daemon) giveBackAtStop(ctx context.Context, g *generation) error {
	var errs []error
	for _, m := range g.meshes {
		if m.rules.Guard.OnStop != rules.OnStopRelease {
			continue
		}
		switch given, err := d.giveBack(ctx, m, time.Now(), givenBackAtStop); {
		case err != nil:
			errs = append(errs, fmt.Errorf("mesh %s: on_stop = \"release\": %w; `windvane release %[1]s` tries again", m.rules.Name, err))
		case given:
			m.options.Logger.Info("stopped: the settings are again what they were before windvane")
		default:
			m.options.Logger.Info("stopped: nothing is given back, as windvane has set nothing or may not write")
		}
	}
	return errors.Join(errs...)
}

// giveBack makes the settings of a mesh what they were before windvane wrote any of them,
// if it may write and has written, and reports whether it did. No cycle of the mesh may run
// meanwhile.
func (d *Daemon) giveBack(ctx context.Context, m *mesh, at time.Time, reason string) (given bool, err error) {
	leave := m.options.Authority.Enter()
	defer leave()
	left, last := m.loop.Resume(), m.last.Load()
	if len(left.Baseline) == 0 || last != nil && last.Intent.Authority == string(rules.AuthorityObserve) {
		return false, nil
	}
	now := append(m.options.Authority.Sources(), authority.Ceiling(m.rules))
	if authority.Effective(now) == rules.AuthorityObserve {
		return false, nil
	}
	_, said, err := m.options.Actuator.Live(ctx) // the last cycle may be long ago, or of before the start
	if err != nil {
		return false, fmt.Errorf("read what the objects say of the authority: %w", err)
	}
	if authority.Effective(append(now, authority.Annotated(said)...)) == rules.AuthorityObserve {
		return false, nil
	}
	released, err := actuate.Release(ctx, m.releasers, actuate.ReleaseOptions{Known: left.Baseline, Commanded: left.Left()})
	if err != nil {
		return false, err
	}
	m.loop.Released()
	_, err = m.options.Journal.Append(at, m.rules.Name, journal.KindRelease, journal.Release{Objects: names(released), Reason: reason}, true)
	return true, err
}
