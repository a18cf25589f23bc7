package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/windvane/windvane/daemon/api"
	"github.com/windvane/windvane/daemon/approve"
	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/rules"
)

// UnknownMeshError says that the configuration in force has no such mesh.
type UnknownMeshError struct{ Mesh, Hint string }

// Error names it.
func (e *UnknownMeshError) Error() string {
	hint := "`windvane status` lists them"
	if e.Hint != "" {
		hint = e.Hint
	}
	return fmt.Sprintf("no mesh %q; %s", e.Mesh, hint)
}

// CeilingError says that a level is above what the rules file allows.
type CeilingError struct {
	Mesh, File     string
	Level, Ceiling rules.Authority
}

// Error says how to raise the ceiling.
func (e *CeilingError) Error() string {
	return fmt.Sprintf("mesh %s: %s is above the ceiling of its rules file, which is %s; to raise that, set authority = %q in [guard] of %s and reload",
		e.Mesh, e.Level, e.Ceiling, e.Level, e.File)
}

func belowCeiling(m *rules.Mesh, level rules.Authority) error {
	if authority.Above(level, m.Guard.Authority) {
		return &CeilingError{Mesh: m.Name, File: m.File, Level: level, Ceiling: m.Guard.Authority}
	}
	return nil
}

// SetAuthority has a person set what windvane may do with a mesh, up to the ceiling of its
// rules file; it is remembered over restarts. When it returns without an error, or with
// one that is not about the context, no write of a cycle that did not know it is under way:
// until then it waits. Other sources may allow less, which Status tells.
func (d *Daemon) SetAuthority(ctx context.Context, mesh string, level rules.Authority, by string) error {
	if _, err := authority.Parse(string(level)); err != nil {
		return err
	}
	m, err := d.mesh(mesh)
	if err != nil {
		return err
	}
	if err := belowCeiling(m.rules, level); err != nil {
		return err
	}
	now := time.Now()
	err = d.authority.Set(mesh, level, by, now)
	if waited := d.authority.Mesh(mesh).Wait(ctx); waited != nil {
		return errors.Join(err, waited)
	}
	if err != nil {
		return err
	}
	d.note(now, mesh, fmt.Sprintf("authority set to %s by %s", level, by))
	return nil
}

// Approve has a person let a plan that Plans lists. The next cycle applies it exactly as
// it is, if it still admits it.
func (d *Daemon) Approve(_ context.Context, planID, by string) error {
	m, err := d.atDesk(func(k *approve.Desk) error { return k.Approve(planID, by) })
	if err == nil {
		d.wake(m.rules.Name, loop.WokenByApproval)
	}
	return err
}

// Refuse has a person take away a plan that Plans lists. The same is not asked again until it
// would have expired.
func (d *Daemon) Refuse(_ context.Context, planID, by string) error {
	m, err := d.atDesk(func(k *approve.Desk) error { return k.Refuse(planID, by) })
	if err == nil {
		d.note(time.Now(), m.rules.Name, fmt.Sprintf("plan %s refused by %s", planID, by))
	}
	return err
}

// atDesk does something with a plan, whose mesh it returns.
func (d *Daemon) atDesk(do func(*approve.Desk) error) (*mesh, error) {
	g := d.current.Load()
	if g == nil {
		return nil, errStopped
	}
	var reason error
	for _, m := range g.meshes {
		err := do(m.desk)
		if err == nil {
			return m, nil
		}
		if unknown, ok := errors.AsType[*approve.UnknownError](err); reason == nil || ok && unknown.Why != "" {
			reason = err
		}
	}
	return nil, reason
}

// Plans returns the plans that wait for approval, in the order of the meshes.
func (d *Daemon) Plans() []api.Plan {
	out := []api.Plan{}
	if g := d.current.Load(); g != nil {
		for _, m := range g.meshes {
			if p, ok := m.desk.Pending(); ok {
				out = append(out, planOf(p))
			}
		}
	}
	return out
}

func planOf(p approve.Plan) api.Plan {
	return api.Plan{
		ID: p.ID, Mesh: p.Mesh, Cycle: p.Cycle, At: p.At, Expires: p.Expires, Policy: p.Policy, Reason: p.Reason,
		Changes: p.Changes, Approved: p.By,
	}
}

// fillAuthority tells who allows what now, which the next write will keep to, and what waits
// for a person. The annotations are those of the last cycle.
func (m *mesh) fillAuthority(out *api.Mesh) {
	out.Sources = append([]journal.AuthoritySource{authority.Ceiling(m.rules)}, m.options.Authority.Sources()...)
	if r := m.last.Load(); r != nil {
		out.Superseded = r.Intent.Superseded
		for _, s := range r.Intent.Sources {
			if s.Source == authority.SourceAnnotation {
				out.Sources = append(out.Sources, s)
			}
		}
	}
	out.Authority = string(authority.Effective(out.Sources))
	if p, ok := m.desk.Pending(); ok {
		plan := planOf(p)
		out.Pending = &plan
	}
}

var errStopped = errors.New("the daemon has stopped")

func (d *Daemon) mesh(name string) (*mesh, error) {
	g := d.current.Load()
	if g == nil {
		return nil, errStopped
	}
	if m := g.find(name); m != nil {
		return m, nil
	}
	var known []string
	for _, m := range g.meshes {
		known = append(known, m.rules.Name)
	}
	return nil, &UnknownMeshError{Mesh: name, Hint: rules.Suggest(name, known)}
}

// note writes a remark about a mesh into the journal. It is for people: what was said is
// in force without it.
func (d *Daemon) note(at time.Time, mesh, message string) {
	if _, err := d.journal.Append(at, mesh, journal.KindNote, journal.Note{Level: "info", Message: message}, false); err != nil {
		d.o.Logger.Warn("a remark could not be recorded", "mesh", mesh, "remark", message, "err", err)
	}
}
