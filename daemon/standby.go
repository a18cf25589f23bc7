package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/windvane/windvane/daemon/authority"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/lease"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/daemon/roles"
	"github.com/windvane/windvane/rules"
)

// handoverInterval is how old what is handed over may be, where nothing was changed since.
const handoverInterval = 30 * time.Second

// handover is what the holder of a lease leaves of a mesh.
type handover struct {
	Identity string         `json:"identity"`        // of who wrote it
	At       time.Time      `json:"at"`              // of the intent
	Intent   journal.Intent `json:"intent"`          // the last one, as far as a loop goes on from it
	Roles    *roles.State   `json:"roles,omitempty"` // of its policies; nil: those of the rules file
}

// release has nothing in force be windvane's any more.
func (h *handover) release() {
	i := &h.Intent
	i.Commanded, i.Baseline, i.Guarded, i.Act, i.HandedOver = nil, nil, nil, false, false
}

// leaveable returns what another daemon's loop goes on from.
func leaveable(i *journal.Intent) journal.Intent {
	out := journal.Intent{
		Cycle: i.Cycle, Authority: i.Authority, Sources: i.Sources, Act: i.Act, Control: i.Control,
		Commanded: i.Commanded, Baseline: i.Baseline, HandedOver: i.HandedOver, Evidence: i.Evidence, Changes: i.Changes,
	}
	if i.Act {
		out.Guarded = i.Guarded
	}
	return out
}

// standby is a mesh's part in a lease that several daemons share: it is an authority that
// allows nothing while another holds it, and a journal that hands over before anything is done.
type standby struct {
	*authority.Mesh
	store    *authority.Store
	roles    *standings
	journal  *journal.Journal
	lease    *lease.Lease
	handover *lease.Handover
	mesh     string
	timeout  time.Duration // of reading and of writing, each
	logger   *slog.Logger

	taken atomic.Uint64          // the term in which the mesh was taken over; 0: in none
	why   atomic.Pointer[string] // why it could not be; nil: it was not tried

	mu     sync.Mutex
	newest handover // of this term
	left   handover // as it is in the cluster
	stale  bool     // that is not known, or not the newest
}

// leads reports whether the mesh may be acted upon.
func (s *standby) leads() bool {
	term, held := s.lease.Term()
	return held && s.taken.Load() == term
}

// Sources returns those of the mesh, and that another daemon holds the lease.
func (s *standby) Sources() []journal.AuthoritySource {
	out := s.Mesh.Sources()
	if s.leads() {
		return out
	}
	return append(out, s.source())
}

func (s *standby) source() journal.AuthoritySource {
	out := journal.AuthoritySource{Source: authority.SourceStandby, Level: string(rules.AuthorityObserve), By: s.lease.Holder()}
	why := s.why.Load()
	switch _, held := s.lease.Term(); {
	case held && why != nil:
		out.Why = "this daemon holds the lease, and cannot take the mesh over: " + *why
	case held:
		out.Why = "this daemon holds the lease, and takes the mesh over with the next cycle"
	case out.By == "":
		out.Why = "whether another daemon holds the lease is not known"
	case out.By == s.lease.Identity():
		out.Why = "this daemon could not renew the lease in time, and another may hold it soon"
	default:
		out.Why = "it holds the lease, and acts; this daemon stands by"
	}
	return out
}

// Append hands over, and records. An intent that acts is neither on disk nor acted upon where
// it could not be handed over.
func (s *standby) Append(at time.Time, mesh, kind string, body any, durable bool) (uint64, error) {
	switch body := body.(type) {
	case *journal.Intent:
		next := handover{Identity: s.lease.Identity(), At: at, Intent: leaveable(body), Roles: s.roles.handed()}
		if err := s.leave(next, body.Act); err != nil {
			return 0, err
		}
	case journal.Release:
		seq, err := s.journal.Append(at, mesh, kind, body, durable)
		return seq, errors.Join(err, s.released())
	}
	return s.journal.Append(at, mesh, kind, body, durable)
}

// leave hands an intent over: one that acts, or of another authority or other roles than before, at once, and
// others every now and then. The error is of one that acts.
func (s *standby) leave(next handover, acts bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !acts && !s.leads() {
		return nil
	}
	age := next.At.Sub(s.left.At)
	due := acts || age >= handoverInterval || age < 0 || next.Intent.Authority != s.left.Intent.Authority || revision(next.Roles) != revision(s.left.Roles)
	s.newest, s.stale = next, true
	if !due {
		return nil
	}
	err := s.write()
	if err == nil || acts {
		return err
	}
	s.logger.Warn("the mesh is not handed over as it is now; the next cycle tries again", "err", err)
	return nil
}

// released hands over that nothing in force is windvane's any more.
func (s *standby) released() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest.release()
	return s.write()
}

// finish hands over the newest, at a stop.
func (s *standby) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.leads() || !s.stale {
		return
	}
	if err := s.write(); err != nil {
		s.logger.Warn("the mesh is handed over as it was some cycles ago", "err", err)
	}
}

// write writes the newest to the cluster. The caller holds the mutex.
func (s *standby) write() error {
	//nolint:forbidigo // a journal is not told of its caller's end: the time is bounded
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if err := s.handover.Write(ctx, s.mesh, s.newest); err != nil {
		if errors.Is(err, lease.ErrUnread) {
			s.taken.Store(0)
		}
		return fmt.Errorf("hand over: %w", err)
	}
	s.left, s.stale = s.newest, false
	return nil
}

// take reads what was left of the mesh; nil if nothing was. Where it was by this daemon, or by
// one of the same journal before a restart, its intent is nothing to be gone on from.
func (s *standby) take(ctx context.Context) (left *handover, own bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.stale = handover{}, true
	left = &handover{}
	found, err := s.handover.Read(ctx, s.mesh, left)
	if err != nil || !found {
		return nil, false, err
	}
	if own, err = hasIntent(s.journal.Dir(), s.mesh, *left); err != nil || own {
		return left, own, err
	}
	return left, false, s.lower(*left)
}

// refuse says why the mesh cannot be taken over.
func (s *standby) refuse(err error) {
	why := err.Error()
	if before := s.why.Swap(&why); before == nil || *before != why {
		s.logger.Warn("the lease is held, and the mesh cannot be taken over", "err", err)
	}
}

// lower has what a person or a demotion said to the last holder hold here, too, where it
// allows less: it was said in the other's files. What raises is said to each daemon.
func (s *standby) lower(left handover) error {
	for _, said := range left.Intent.Sources {
		level := rules.Authority(said.Level)
		if !authority.Above(authority.Effective(append(s.Mesh.Sources(), journal.AuthoritySource{Level: string(rules.AuthorityAct)})), level) {
			continue
		}
		var err error
		switch said.Source {
		case authority.SourceDemotion:
			err = s.Demote(said.Why, said.Since)
		case authority.SourceCommand, authority.SourceStopFile:
			err = s.store.Set(s.mesh, level, fmt.Sprintf("%s (%s of %s)", said.By, said.Source, left.Identity), said.Since)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hasIntent reports whether the journal has the intent that was left: what came behind it
// there is newer. Daemons have their cycles at the same times, and may count them alike, so
// that an intent is known by all that was left of it.
func hasIntent(dir, mesh string, left handover) (bool, error) {
	newest, err := journal.Recent(dir, 1, func(r journal.Record) bool {
		return r.Mesh == mesh && r.Kind == journal.KindIntent && !r.At.After(left.At)
	})
	if err != nil || len(newest) == 0 || !newest[0].At.Equal(left.At) {
		return false, err
	}
	var i journal.Intent
	if err := newest[0].Decode(&i); err != nil {
		return false, err
	}
	return sameJSON(leaveable(&i), left.Intent)
}

// sameJSON reports whether two values are the same but for the order of members.
func sameJSON(a, b any) (bool, error) {
	var plain [2]any
	for k, v := range []any{a, b} {
		raw, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(raw, &plain[k])
		}
		if err != nil {
			return false, err
		}
	}
	return reflect.DeepEqual(plain[0], plain[1]), nil
}

// takeOver has the mesh's loop go on from where the last holder of the lease was. It is for
// the goroutine that runs the cycles.
func (m *mesh) takeOver(ctx context.Context) {
	s := m.standby
	if s == nil {
		return
	}
	term, held := s.lease.Term()
	if !held || s.taken.Load() == term {
		return
	}
	left, own, err := s.take(ctx)
	if err == nil && left != nil {
		m.adoptRoles(left)
		if !own {
			err = m.goOn(*left)
		}
	}
	if err != nil {
		s.refuse(err)
		return
	}
	s.taken.Store(term)
	s.why.Store(nil)
}

func (m *mesh) goOn(left handover) error {
	r, err := loop.ResumeFrom(left.Intent, nil)
	if err != nil {
		return err
	}
	return m.begin(m.loop.Resume().TakeOver(r))
}
