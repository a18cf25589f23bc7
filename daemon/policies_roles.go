package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/roles"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/train"
)

// standings are the roles of a mesh's policies: each of its cycles keeps to those that are in
// force when it begins. What a person says is on disk first.
type standings struct {
	mesh     string
	store    *roles.Store
	policies *policies
	step     func(string) // is told how far a change has come; for tests

	mu  sync.Mutex                  // held while they are changed
	now atomic.Pointer[roles.State] // in force; nil until the mesh is launched
}

// open takes up what was said before, as far as the configuration still has it. The remarks
// are of what does not hold any more, and of what could not be read or written.
func (s *standings) open(at time.Time) (remarks []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, err := s.store.Read(s.mesh)
	if err != nil {
		remarks = append(remarks, fmt.Sprintf("which policies were promoted is not known, and their roles are those of the rules file: %v", err))
	}
	return append(remarks, s.declare(was, at)...)
}

// declare puts a state in force, as far as the configuration has it. The caller holds the mutex.
func (s *standings) declare(was roles.State, at time.Time) []string {
	next, remarks := was.Declare(s.policies.declarations(), at)
	if err := s.store.Write(s.mesh, next); err != nil {
		remarks = append(remarks, fmt.Sprintf("the roles of policies are not kept over a restart: %v; make room, or correct the permissions of the state directory", err))
	}
	s.now.Store(&next)
	return remarks
}

// adopt takes over what was said to another daemon, if it is newer than what was said here.
func (s *standings) adopt(other *roles.State, at time.Time) (remarks []string, adopted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other == nil || other.Revision <= s.now.Load().Revision {
		return nil, false
	}
	return s.declare(*other, at), true
}

// handed is what another daemon goes on from; nil: nothing was said yet.
func (s *standings) handed() *roles.State {
	out := *s.now.Load()
	if out.Revision == 0 {
		return nil
	}
	out.Untold = nil // it is told to this daemon's journal
	return &out
}

// say has a person change the roles: first hand hears of it, then it is on disk, then it is in
// force.
func (s *standings) say(do func(roles.State) (roles.State, error), hand func(*roles.State) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := do(*s.now.Load())
	if err != nil {
		return err
	}
	s.step("decided")
	if err := hand(&next); err != nil {
		return err
	}
	s.step("handed over")
	if err := s.store.Write(s.mesh, next); err != nil {
		return fmt.Errorf("the roles cannot be kept, and stay as they are: %w", err)
	}
	s.step("written")
	s.now.Store(&next)
	return nil
}

// tell has the journal know of what was said. Where the daemon ends in between, the next start does.
func (s *standings) tell(j loop.Journal, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := *s.now.Load()
	if len(next.Untold) == 0 {
		return nil
	}
	for _, c := range next.Untold {
		if _, err := j.Append(at, s.mesh, journal.KindRole, c, true); err != nil {
			return err
		}
	}
	s.step("recorded")
	next.Untold = nil
	err := s.store.Write(s.mesh, next)
	s.now.Store(&next)
	return err
}

// declarations are the policies as the configuration has them.
func (p *policies) declarations() []roles.Declaration {
	var out []roles.Declaration
	for _, x := range p.declared {
		out = append(out, roles.Declaration{Name: x.Name, Role: x.Role, Digest: x.digest})
	}
	return out
}

// cast gives each policy its part in a loop.
func (p *policies) cast(s *roles.State, o *loop.Options) {
	o.Active, o.Shadows, o.Initial = nil, nil, train.Card{}.Initial
	for _, x := range p.declared {
		switch s.Policies[x.Name].Role {
		case rules.RoleActive:
			o.Active = &loop.Decider{Name: x.Name, Policy: x.policy, Standing: x.standing(s)}
			if x.artefact != nil {
				o.Initial = x.artefact.Card.Initial
			}
		case rules.RoleShadow:
			o.Shadows = append(o.Shadows, x.shadow())
		case rules.RoleCandidate, rules.RoleRetired, rules.RoleFallback:
		}
	}
}

// standing is what the journal has of it.
func (x *declared) standing(s *roles.State) *journal.Standing {
	said := s.Policies[x.Name]
	out := &journal.Standing{Since: said.Since, By: said.By, Reason: said.Reason, Canary: said.Canary}
	if x.artefact != nil {
		out.Artefact = x.artefact.Name()
	}
	return out
}

// enlist takes up the roles of the policies, before the mesh's first cycle.
func (m *mesh) enlist(d *Daemon) {
	now := time.Now()
	m.remark(d, m.standings.open(now))
	if err := m.standings.tell(d.journal, now); err != nil {
		m.options.Logger.Warn("who promoted a policy could not be recorded", "err", err)
	}
}

// remark has log and journal say what became of roles.
func (m *mesh) remark(d *Daemon, remarks []string) {
	for _, text := range remarks {
		m.options.Logger.Warn("the roles of policies", "remark", text)
		d.note(time.Now(), m.rules.Name, text)
	}
}

// begin makes the mesh's loop, under the roles in force. It is for the goroutine that runs the
// cycles, or the one that starts it.
func (m *mesh) begin(r loop.Resume) error {
	s := m.standings.now.Load()
	o := m.options
	o.Resume = r
	m.policies.cast(s, &o)
	m.leash(s, &o)
	l, err := loop.New(o)
	if err == nil {
		m.loop, m.revision = l, s.Revision
	}
	return err
}

// recast has the next cycle keep to what was said since the last one. The loop goes on from where
// it is, as after a reload.
func (m *mesh) recast(d *Daemon, logger *slog.Logger) {
	if m.standings.now.Load().Revision == m.revision {
		return
	}
	d.metrics.promotion.forgetMesh(m.rules.Name)
	if err := m.begin(m.loop.Resume()); err != nil {
		logger.Error("the roles of policies stay as they were", "err", err)
	}
}

// role has a person change the role of a policy. It is in force from the next cycle on, and over
// restarts.
func (d *Daemon) role(of string, do func(*mesh, roles.State) (roles.State, error)) error {
	if !d.lock(busyTimeout) {
		return &roles.RefusedError{Why: "the daemon starts, stops or reloads just now; ask again in a moment"}
	}
	defer d.mu.Unlock()
	m, err := d.mesh(of)
	if err != nil {
		return err
	}
	if m.standings.now.Load() == nil {
		return errors.New("the daemon has not started yet")
	}
	return m.say(func(s roles.State) (roles.State, error) { return do(m, s) }, time.Now())
}

// say has the roles of a mesh's policies changed, and recorded.
func (m *mesh) say(change func(roles.State) (roles.State, error), at time.Time) error {
	if err := m.standings.say(change, m.standby.handRoles); err != nil {
		return fmt.Errorf("mesh %s: %w", m.rules.Name, err)
	}
	if err := m.standings.tell(m.options.Journal, at); err != nil {
		m.options.Logger.Warn("the role is another one, which could not be recorded: the next start does", "err", err)
	}
	m.standings.step("told")
	return nil
}

// busyTimeout is how long a person waits who says something of roles: a stop in turn waits for
// the answer.
const busyTimeout = 2 * time.Second

// lock keeps the daemon from starting, reloading or stopping; false: it is at it for longer.
func (d *Daemon) lock(atMost time.Duration) bool {
	for end := time.Now().Add(atMost); !d.mu.TryLock(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// PromotePolicy has a person make a policy the active one of a mesh, from the next cycle on; the
// one that was is retired. What speaks against it is a PromotionError, which force overrides.
func (d *Daemon) PromotePolicy(of, name string, w roles.Word, force bool) error {
	return d.role(of, func(m *mesh, s roles.State) (roles.State, error) {
		if next, err := s.Promote(name, w); err != nil {
			return next, err
		}
		against := d.refusals(m, m.policies.find(name))
		if len(against) > 0 && !force {
			return s, &PromotionError{Policy: name, Refusals: against}
		}
		for _, r := range against {
			w.Forced = append(w.Forced, r.Code)
		}
		return s.Promote(name, w)
	})
}

// DemotePolicy has a person retire the active policy of a mesh, from the next cycle on; the one
// whose place it took is active again.
func (d *Daemon) DemotePolicy(of, name string, w roles.Word) error {
	return d.role(of, func(_ *mesh, s roles.State) (roles.State, error) { return s.Demote(name, w) })
}

func (p *policies) find(name string) *declared {
	for _, x := range p.declared {
		if x.Name == name {
			return x
		}
	}
	return nil
}
