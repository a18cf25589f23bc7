package daemon

import (
	"fmt"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/roles"
)

// revision is that of roles that were handed over; 0: none were.
func revision(s *roles.State) uint64 {
	if s == nil {
		return 0
	}
	return s.Revision
}

// handRoles hands over what a person said of policies, before it is in force: only who holds
// the lease is told such things, so that all daemons know of the same ones. Nil is that of
// the only daemon.
func (s *standby) handRoles(next *roles.State) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.leads():
		by := s.source()
		return &roles.RefusedError{Why: fmt.Sprintf("this daemon does not lead, and who does is to be told (holder %q: %s)", by.By, by.Why)}
	case s.left.At.IsZero():
		return &roles.RefusedError{Why: "this daemon takes the mesh over just now; ask again after its next cycle"}
	}
	handed := *next
	handed.Untold = nil
	s.newest.Roles, s.stale = &handed, true
	if err := s.write(); err != nil {
		return fmt.Errorf("the roles stay as they are, unless it was handed over all the same, which the next cycle finds out: %w", err)
	}
	return nil
}

// adoptRoles has what a person said to the last holder of the lease hold here, too.
func (m *mesh) adoptRoles(left *handover) {
	remarks, adopted := m.standings.adopt(left.Roles, time.Now())
	if !adopted {
		return
	}
	s := m.standings.now.Load()
	active := s.Active()
	text := fmt.Sprintf("the roles of policies are those of %s, which held the lease: no policy is active", left.Identity)
	if active != "" {
		text = fmt.Sprintf("the roles of policies are those of %s, which held the lease: %s is active", left.Identity, active)
		if x := s.Policies[active]; x.By != "" {
			text += fmt.Sprintf(", by %s: %s", x.By, x.Reason)
		}
	}
	for _, text := range append([]string{text}, remarks...) {
		m.options.Logger.Warn("the roles of policies", "remark", text)
		note := journal.Note{Level: "info", Message: text}
		if _, err := m.standby.journal.Append(time.Now(), m.rules.Name, journal.KindNote, note, false); err != nil {
			m.options.Logger.Warn("a remark could not be recorded", "remark", text, "err", err)
		}
	}
}
