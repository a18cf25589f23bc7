package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/rules"
)

// begin starts the processes of all plugins that do not run yet, and waits for none.
func (p *policies) begin(ctx context.Context) {
	for _, pl := range p.plugins {
		if !pl.begun {
			pl.begun = true
			pl.host.Begin(ctx)
		}
	}
}

// patience is how long the cycles wait for the active policy's first start, of a plugin that
// may take longer for it.
const patience = config.DefaultStartTimeout

// start is begin, and waits for the active policy's first start. That one does not start is
// no reason not to run: it is started again, and meanwhile the fallback decides.
func (p *policies) start(ctx context.Context, active string, logger *slog.Logger) {
	p.begin(ctx)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.ready(ctx, active); err != nil {
		logger.Error("the plugin did not start; the fallback policy decides until it does", "policy", active, "err", err)
	}
}

// ready waits for the first start of a policy's plugin, and returns its error; nil for a
// policy that is none.
func (p *policies) ready(ctx context.Context, policy string) error {
	i := slices.IndexFunc(p.plugins, func(pl *plugin) bool { return pl.policy == policy })
	if i < 0 {
		return nil
	}
	return p.plugins[i].host.Ready(ctx)
}

func (p *policies) stop(ctx context.Context) {
	for _, pl := range p.plugins {
		pl.host.Stop(ctx)
	}
}

// deciding is the active policy of a running mesh if its plugin answers; else empty.
func (m *mesh) deciding() string {
	active := m.standings.now.Load().Active()
	for _, pl := range m.policies.plugins {
		if pl.policy == active && pl.host.Status().Up {
			return active
		}
	}
	return ""
}

// swapIn starts the plugins of a generation while the one before it decides, so that none
// of its cycles waits for them. It is an error, and nothing is started any more, if a
// plugin that answers would make room for one that does not start.
func (g *generation) swapIn(ctx context.Context, old *generation) error {
	for _, m := range g.meshes {
		m.policies.begin(ctx)
	}
	for _, m := range g.meshes {
		was := old.find(m.rules.Name)
		if was == nil {
			continue
		}
		decides := was.deciding()
		for _, d := range m.policies.declared {
			if decides == "" || d.Name != decides && d.Role != rules.RoleActive {
				continue
			}
			if err := m.policies.ready(ctx, d.Name); err != nil {
				g.swapOut(ctx)
				return fmt.Errorf("mesh %s: policy %s: %w; what decided before goes on", m.rules.Name, d.Name, err)
			}
		}
	}
	return nil
}

// swapOut ends the plugins of a generation that decides no more.
func (g *generation) swapOut(ctx context.Context) {
	for _, m := range g.meshes {
		m.policies.stop(ctx)
	}
	g.closeIdle()
}
