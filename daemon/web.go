package daemon

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/approve"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/roles"
	"github.com/windvane/windvane/plugins/explore/bounded"
)

// newServer returns the HTTP server, which listens and does not serve yet; nil if none is
// wanted.
func (d *Daemon) newServer() (*api.Server, error) {
	if d.o.Listener == nil {
		return nil, nil
	}
	o := api.Options{
		Listener: d.o.Listener, WebConfigFile: d.o.WebConfigFile, ExternalURL: d.o.ExternalURL,
		EnableReload: d.o.EnableLifecycle, EnablePprof: d.o.EnablePprof,
		Registry: d.registry, Logger: d.o.Logger, Journal: d.journal.Dir(),
		Late: d.Late, Status: d.Status, Plans: d.Plans, Policies: d.Policies, Reload: d.Reload, Alerts: d.alerts,
		SetAuthority: func(ctx context.Context, mesh, level, by string) error {
			known, err := authority.Parse(level)
			if err != nil {
				return &api.Error{Code: http.StatusBadRequest, Err: err}
			}
			return coded(d.SetAuthority(ctx, mesh, known, by))
		},
		Approve: func(ctx context.Context, plan, by string) error { return coded(d.Approve(ctx, plan, by)) },
		Refuse:  func(ctx context.Context, plan, by string) error { return coded(d.Refuse(ctx, plan, by)) },
		Policy: func(mesh, policy string) (*api.PolicyDetail, error) {
			out, err := d.Policy(mesh, policy)
			return out, coded(err)
		},
		Promise: d.promised,
		Promote: func(mesh, policy, by string, q api.RoleRequest) error {
			return coded(d.PromotePolicy(mesh, policy, roles.Word{By: by, Reason: q.Reason, At: time.Now()}, q.Force))
		},
		Demote: func(mesh, policy, by string, q api.RoleRequest) error {
			return coded(d.DemotePolicy(mesh, policy, roles.Word{By: by, Reason: q.Reason, At: time.Now()}))
		},
	}
	o.Explore = func(mesh, by string, q api.ExplorationRequest) error {
		return coded(d.Explore(mesh, bounded.Bounds{Intervals: q.Intervals, Allowance: q.Allowance, Seed: q.Seed}, by))
	}
	o.PauseExploration = func(mesh, by string) error { return coded(d.PauseExploration(mesh, by)) }
	if d.o.RuntimeDirectory != "" {
		o.Socket = api.SocketPath(d.o.RuntimeDirectory)
	}
	s, err := api.NewServer(o)
	if err == nil && d.o.RuntimeDirectory != "" {
		d.sweepSockets()
	}
	return s, err
}

// coded gives errors that are the caller's the HTTP status code that says so.
func coded(err error) error {
	code := 0
	if _, ok := errors.AsType[*UnknownMeshError](err); ok {
		code = http.StatusNotFound
	} else if _, ok := errors.AsType[*approve.UnknownError](err); ok {
		code = http.StatusNotFound
	} else if _, ok := errors.AsType[*CeilingError](err); ok {
		code = http.StatusForbidden
	} else if _, ok := errors.AsType[*roles.UnknownError](err); ok {
		code = http.StatusNotFound
	} else if _, ok := errors.AsType[*roles.RefusedError](err); ok {
		code = http.StatusConflict
	} else if _, ok := errors.AsType[*ExplorationError](err); ok {
		code = http.StatusConflict
	} else if _, ok := errors.AsType[*PromotionError](err); ok {
		code = http.StatusConflict
	}
	if code == 0 {
		return err
	}
	return &api.Error{Code: code, Err: err}
}
