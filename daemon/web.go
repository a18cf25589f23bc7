package daemon

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/approve"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/rules"
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
	}
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
	}
	if code == 0 {
		return err
	}
	return &api.Error{Code: code, Err: err}
}

// Policies returns the policies of the configuration in force, mesh by mesh.
func (d *Daemon) Policies() []api.Policy {
	out := []api.Policy{}
	g := d.current.Load()
	if g == nil {
		return out
	}
	for _, m := range g.meshes {
		out = append(out, m.declared(g.config)...)
	}
	return out
}

func (m *mesh) declared(c *config.Config) []api.Policy {
	var out []api.Policy
	fallback := false
	for _, ref := range m.rules.Policies {
		p, _ := c.Plugin(ref.Plugin) // config.Load has checked that it is there
		x := api.Policy{Mesh: m.rules.Name, Name: ref.Name, Role: string(ref.Role), Kind: p.Builtin, Artefact: ref.Artefact}
		if x.Kind == "" {
			x.Kind = p.Command[0]
		}
		i := slices.IndexFunc(m.policies.plugins, func(p *plugin) bool { return p.policy == ref.Name })
		if i >= 0 {
			s := m.policies.plugins[i].status()
			x.Plugin = &s
		}
		fallback = fallback || ref.Role == rules.RoleFallback
		out = append(out, x)
	}
	if !fallback {
		out = append(out, api.Policy{Mesh: m.rules.Name, Name: inProcess, Role: string(rules.RoleFallback), Kind: inProcess})
	}
	return out
}

func (p *plugin) status() api.Plugin {
	s := p.host.Status()
	return api.Plugin{Policy: p.policy, Up: s.Up, Quarantined: s.Quarantined, Restarts: s.Restarts, LastError: s.LastError, PID: s.PID}
}
