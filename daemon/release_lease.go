package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/lease"
	"github.com/windvane/windvane/daemon/loop"
)

// hold takes the lease for a release, if the configuration has one that matters: a dry run
// writes nothing, and beside a running daemon it is the person who says that none acts. While a
// daemon holds it that is an error; one that is gone holds it for its duration.
func (o ReleaseOptions) hold(ctx context.Context, c *config.Config) (*sharedLease, error) {
	if o.Running || o.DryRun {
		return nil, nil //nolint:nilnil // its methods do nothing
	}
	s, err := newSharedLease(c, slog.New(slog.DiscardHandler))
	if s == nil || err != nil {
		return nil, err
	}
	s.start(context.WithoutCancel(ctx))
	ticker := time.NewTicker(c.Lease.Duration / 20)
	defer ticker.Stop()
	wait := time.NewTimer(2 * c.Lease.Duration)
	defer wait.Stop()
	for {
		if _, held := s.Term(); held {
			return s, nil
		}
		select {
		case <-ticker.C:
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-wait.C:
			err = fmt.Errorf("%s holds it, which would set them again: on every daemon `windvane mode MESH observe` first, and then say --running", s.Holder())
			if s.Holder() == "" {
				err = fmt.Errorf("the API server gives it to nobody within %v; `windvane doctor` looks at the permissions, and --running does without it", 2*c.Lease.Duration)
			}
		}
		s.stop(&generation{})
		return nil, fmt.Errorf("release: lease %s/%s: %w", c.Lease.Namespace, c.Lease.Name, err)
	}
}

// newerOf returns what the last holder of the lease left, unless the journal has it too.
func newerOf(ctx context.Context, h *lease.Handover, mesh, dir string, own loop.Resume) (loop.Resume, error) {
	if h == nil {
		return own, nil
	}
	var left handover
	found, err := h.Read(ctx, mesh, &left)
	if err != nil || !found {
		return own, err
	}
	if has, err := hasIntent(dir, mesh, left); has && err == nil {
		return own, nil
	}
	return loop.ResumeFrom(left.Intent, nil)
}

// handOverReleased has the next holder of the lease know that nothing in force is windvane's.
func handOverReleased(ctx context.Context, h *lease.Handover, mesh string) error {
	var left handover
	found, err := h.Read(ctx, mesh, &left)
	if err == nil && found {
		left.release()
		err = h.Write(ctx, mesh, left)
	}
	if err != nil {
		return fmt.Errorf("hand over that it was given back: %w", err)
	}
	return nil
}
