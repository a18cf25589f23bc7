package host

import (
	"context"
	"fmt"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// misses is how many checks of its health in a row a plugin may fail.
const misses = 3

// supervisor is the state of the goroutine that owns the plugin.
type supervisor struct {
	*Host
	config  policy.Config
	history history
	current view
}

// supervise runs the plugin, again and again, until ctx is done.
func (h *Host) supervise(ctx context.Context) {
	defer close(h.done)
	s := &supervisor{Host: h, config: h.options.Config, history: history{policy: h.options.Restarts}}
	for {
		began := h.options.Now()
		err := s.runOnce(ctx)
		if ctx.Err() != nil {
			s.down("it was stopped")
			return
		}
		wait, quarantine := s.history.failed(h.options.Now(), h.options.Now().Sub(began), h.options.Random())
		if quarantine {
			h.options.Logger.Error("plugin in quarantine: it stays down until it is mended and windvane is reloaded", "err", err, "failures", h.options.Restarts.Crashes)
			s.current.status.Quarantined = true
			s.down(err.Error())
			<-ctx.Done()
			return
		}
		h.options.Logger.Warn("plugin failed", "err", err, "restart_in", wait)
		if !sleep(ctx, wait) {
			s.down("it was stopped")
			return
		}
		s.current.status.Restarts++
	}
}

// runOnce runs the plugin until it fails or ctx is done. Nothing of it is left
// when it returns.
func (s *supervisor) runOnce(ctx context.Context) error {
	session, err := launch(ctx, &s.options)
	if err == nil {
		defer session.close(s.force)
		s.current.description, s.current.described = session.description, true
		if err = session.configure(ctx, s.options.StartTimeout, s.config); err != nil {
			err = session.explain(err)
		}
	}
	if err == nil {
		s.up(session)
	} else {
		s.down(err.Error())
	}
	select {
	case <-s.tried:
	default:
		s.first = err
		close(s.tried)
	}
	if err != nil {
		return err
	}
	err = s.watch(ctx, session)
	s.down(err.Error())
	return err
}

// watch serves a running plugin until it ends, is unhealthy, or ctx is done.
func (s *supervisor) watch(ctx context.Context, session *session) error {
	ticker := time.NewTicker(s.options.Ping)
	defer ticker.Stop()
	missed := 0
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-session.process.ended:
			return fmt.Errorf("the process ended: %s", session.process.ending())
		case req := <-s.configs:
			err := session.configure(req.ctx, s.options.StartTimeout, req.config)
			if err == nil {
				s.config = req.config
			}
			req.answer <- err
		case <-ticker.C:
			err := session.ping(s.options.Ping)
			if err == nil {
				missed = 0
				continue
			}
			if missed++; missed >= misses {
				session.process.kill()
				return fmt.Errorf("no answer to %d checks of its health: %w", misses, err)
			}
		}
	}
}

func (s *supervisor) up(session *session) {
	pid := session.process.pid()
	s.current.session, s.current.status.Up, s.current.status.PID = session, true, pid
	s.publish()
	s.options.Logger.Info("plugin is up", "pid", pid,
		"policy", session.description.Name, "version", session.description.Version)
}

func (s *supervisor) down(why string) {
	s.current.session, s.current.status.Up, s.current.status.PID = nil, false, 0
	s.current.status.LastError = why
	s.publish()
}

// publish makes the supervisor's view everyone's.
func (s *supervisor) publish() {
	v := s.current
	s.view.Store(&v)
}

// sleep waits; it reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
