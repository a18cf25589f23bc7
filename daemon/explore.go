package daemon

import (
	"fmt"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/config"
	"github.com/windvane/windvane/daemon/exploration"
	"github.com/windvane/windvane/plugins/explore/bounded"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

// ExplorationError says why a mesh is not explored.
type ExplorationError struct{ Mesh, Why string }

// Error says it, with what to do.
func (e *ExplorationError) Error() string {
	return fmt.Sprintf("mesh %s is not explored: %s", e.Mesh, e.Why)
}

// explorer is the one of a mesh, over reloads.
func (d *Daemon) explorer(c *config.Config, mesh string) *exploration.Explorer {
	if e := d.explorers[mesh]; e != nil {
		return e
	}
	e, err := exploration.Open(c.StateDirectory, mesh)
	if err != nil {
		d.o.Logger.Warn("what was explored before is not known", "mesh", mesh, "err", err)
	}
	d.explorers[mesh] = e
	return e
}

// Explore has a mesh explored from the next cycle on, or goes on with an exploration that is
// not over. It is remembered over restarts. A mesh that windvane may not act on is not explored.
func (d *Daemon) Explore(of string, b bounded.Bounds, by string) error {
	m, err := d.mesh(of)
	if err != nil {
		return err
	}
	if err := b.Check(); err != nil {
		return &ExplorationError{of, err.Error()}
	}
	if why := m.unexplorable(); why != "" {
		return &ExplorationError{of, why}
	}
	alerts, _ := m.options.Alerts()
	now := time.Now()
	if err := m.explorer.Start(b, by, now, alerts); err != nil {
		return err
	}
	d.note(now, of, fmt.Sprintf("exploring was begun, or is gone on with, by %s: %d intervals, at most %g extra violations of each objective", by, b.Intervals, b.Allowance))
	return nil
}

// unexplorable says why a mesh cannot be explored; empty: it can.
func (m *mesh) unexplorable() string {
	var is api.Mesh
	m.fillAuthority(&is)
	if is.Authority != string(rules.AuthorityAct) {
		hint := fmt.Sprintf("`windvane mode %s act` raises it, if nothing else allows less: `windvane mode %[1]s` lists who does", m.rules.Name)
		if m.rules.Guard.Authority != rules.AuthorityAct {
			hint = fmt.Sprintf("set authority = %q in [guard] of %s and reload", rules.AuthorityAct, m.rules.File)
		}
		return fmt.Sprintf("exploring changes settings, and the authority is %s; %s", is.Authority, hint)
	}
	moves, promised := false, false
	for _, k := range m.rules.Knobs() {
		moves = moves || k.Kind != policy.Replicas && k.Levels > 1
	}
	for _, s := range m.rules.PolicyServices() {
		promised = promised || len(s.Objectives) > 0
	}
	switch {
	case !moves:
		return "its rules file has neither routes nor blocking to try; replicas are not tried"
	case !promised:
		return "its rules file has no objective, and an allowance is of violations"
	}
	return ""
}

// PauseExploration has a mesh not explored any more from the next cycle on; Explore goes on with it.
func (d *Daemon) PauseExploration(of, by string) error {
	m, err := d.mesh(of)
	if err != nil {
		return err
	}
	return m.explorer.Pause(by)
}

// explored is what the status has; nil: nobody asked for it.
func (m *mesh) explored() *api.Exploration {
	s := m.explorer.Status()
	if s == nil {
		return nil
	}
	out := &api.Exploration{
		Began: s.Began, By: s.By, Phase: s.Phase, Waiting: s.Waiting, Measured: s.Measured, Intervals: s.Intervals,
		Allowance: s.Allowance, Protective: s.Protective, Spent: []api.Spent{},
	}
	for _, x := range s.Spent {
		out.Spent = append(out.Spent, api.Spent{Service: x.Service, Signal: x.Signal, Violated: x.Violated, Baseline: x.Baseline, Unsure: x.Unsure, Extra: x.Extra(), Most: x.Most()})
	}
	return out
}
