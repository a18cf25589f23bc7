package exploration

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/explore/bounded"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// Explorer explores one mesh when a person has it do so. It may be used by several
// goroutines.
type Explorer struct {
	path string

	mu       sync.Mutex
	state    *state       // nil: nobody ever asked
	kind     bounded.Kind // of the last choice
	waiting  string       // why it does not try anything just now; for a person
	measured bool         // the interval that ends next is under settings that it chose
}

var _ loop.Explorer = (*Explorer)(nil)

// Open returns the explorer of a mesh, with what it did before. The error says why that is
// not known; the explorer can be used all the same.
func Open(dir, mesh string) (*Explorer, error) {
	e := &Explorer{path: file(dir, mesh)}
	var err error
	e.state, err = read(e.path)
	return e, err
}

// Start begins an exploration, or resumes the one that is not over: with these bounds from
// now on. The alerts are those that fire now: they are no reason to wait.
func (e *Explorer) Start(b bounded.Bounds, by string, at time.Time, alerts []journal.Alert) error {
	if err := b.Check(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	next := state{Began: at, Session: bounded.Session{Bounds: b}}
	if e.state != nil && !e.state.Phase.over() {
		next = *e.state
		next.Session.Bounds = b
	}
	next.By, next.Phase, next.Reason, next.Known = by, running, "", nil
	for _, a := range alerts {
		next.Known = append(next.Known, a.Fingerprint)
	}
	return e.keep(next)
}

// Pause ends the trying; Start resumes it. The settings of before are given back, unless a
// policy is active that takes over.
func (e *Explorer) Pause(by string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == nil || e.state.Phase != running {
		return nil
	}
	next := *e.state
	next.Phase, next.Reason = returning, "paused by "+by
	return e.keep(next)
}

// keep puts a state in force that is on disk.
func (e *Explorer) keep(next state) error {
	if err := next.write(e.path); err != nil {
		return fmt.Errorf("the exploration cannot be kept, and stays as it was: %w; make room, or correct the permissions of the state directory", err)
	}
	e.state = &next
	return nil
}

// Explore takes the interval that has ended, and says whether it decides in this cycle.
func (e *Explorer) Explore(o policy.Observation, c loop.Circumstances) (policy.Decision, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	mine := e.measured
	e.measured = false
	if e.state == nil {
		return policy.Decision{}, false, nil
	}
	next := *e.state
	switch next.Phase {
	case running:
		return e.run(&next, o, c, mine)
	case returning, ending:
		return e.giveBack(&next, o, c)
	case paused, done, failed:
	}
	return policy.Decision{}, false, nil
}

// run is a cycle of an exploration that goes on.
func (e *Explorer) run(next *state, o policy.Observation, c loop.Circumstances, mine bool) (policy.Decision, bool, error) {
	next.adopt(o, c)
	if err := next.Session.Fits(o); err != nil {
		next.Reason = err.Error()
		return e.end(next, o, c)
	}
	rows := len(next.Session.Rows)
	next.Session.Measure(o, mine && c.Steady)
	changed := len(next.Session.Rows) > rows || e.state.Session.Baseline == nil
	if next.Session.Done() {
		return e.end(next, o, c)
	}
	if e.waiting = next.waits(o, c); e.waiting != "" {
		return e.wait(next, o, c, changed)
	}
	if o.Limits.Frozen != "" || c.Woken { // what the last change does is being measured
		return e.decide(next, o.Live.Clone(), "lets a setting stay, so that what it does is measured", changed)
	}
	choice, err := next.Session.Next(o, bounded.Informed)
	if err != nil {
		e.waiting = err.Error()
		return e.wait(next, o, c, changed)
	}
	e.kind, next.Spent = choice.Kind, choice.Spent
	if choice.Over {
		next.Reason = "it has cost more violations than were allowed"
		return e.end(next, o, c)
	}
	next.chose(choice.Action)
	return e.decide(next, choice.Action, choice.Reason, true)
}

// decide answers in the policies' place, when what has to be is on disk.
func (e *Explorer) decide(next *state, want policy.Action, why string, changed bool) (policy.Decision, bool, error) {
	if err := e.keepIf(changed, next); err != nil {
		return policy.Decision{}, false, err
	}
	e.measured = true
	return policy.Decision{Action: want, Reason: why}, true, nil
}

// keepIf is keep where something has changed that the next process has to know.
func (e *Explorer) keepIf(changed bool, next *state) error {
	if changed {
		return e.keep(*next)
	}
	e.state = next
	return nil
}

// wait leaves the cycle to the policies. Where none is active and an alert is the reason,
// weights go back to those of before, and what is blocked stays blocked.
func (e *Explorer) wait(next *state, o policy.Observation, c loop.Circumstances, changed bool) (policy.Decision, bool, error) {
	back := next.Session.Baseline.Clone()
	for i := range back {
		if back[i].Kind == policy.Blocking {
			back[i].Value = max(back[i].Value, o.Live[i].Value)
		}
	}
	retreat := !c.Active && c.Act && !c.Drift && o.Limits.Frozen == "" && next.news(c.Alerts) != ""
	if retreat {
		back = guard.Limit(o, back).Action
		next.chose(back)
	}
	if err := e.keepIf(changed || retreat, next); err != nil {
		return policy.Decision{}, false, err
	}
	return policy.Decision{Action: back, Reason: "does not explore: " + e.waiting + "; the weights go back to those of before"}, retreat, nil
}

// end ends the exploration for the reason that the state has; without one, all was measured.
func (e *Explorer) end(next *state, o policy.Observation, c loop.Circumstances) (policy.Decision, bool, error) {
	if spent, err := next.Session.Account(o); err == nil {
		next.Spent = spent
	}
	next.Phase = ending
	if err := e.keep(*next); err != nil {
		return policy.Decision{}, false, err
	}
	return e.giveBack(next, o, c)
}

// giveBack goes back to the settings of before, unless a policy is active that takes over.
func (e *Explorer) giveBack(next *state, o policy.Observation, c loop.Circumstances) (policy.Decision, bool, error) {
	baseline := next.Session.Baseline
	if baseline != nil && next.Left != nil && !c.Active && baseline.Validate(o.Knobs) == nil && !o.Live.Equal(baseline, policy.Rounding) {
		if !c.Act || c.Drift || o.Limits.Frozen != "" || c.Woken {
			return policy.Decision{}, false, nil
		}
		back := guard.Limit(o, baseline).Action
		next.chose(back)
		return policy.Decision{Action: back, Reason: "gives back the settings of before it explored"}, true, e.keep(*next)
	}
	switch {
	case next.Phase == returning:
		next.Phase = paused
	case next.Session.Done():
		next.Phase = done
	default:
		next.Phase = failed
	}
	next.Left, next.Before = nil, nil
	return policy.Decision{}, false, e.keep(*next)
}

// adopt takes what is in force for the baseline, where there is none yet or it is not any
// more: others have changed the settings while nothing was explored.
func (s *state) adopt(o policy.Observation, c loop.Circumstances) {
	if s.Session.Baseline != nil && (c.Active || s.ours(o.Live)) {
		return
	}
	if s.Session.Baseline == nil {
		s.Began = o.At // by the clock of the cycles, which is the journal's
	}
	s.Left, s.Before = nil, nil
	s.Session = bounded.Session{Bounds: s.Session.Bounds, Baseline: o.Live.Clone()}
}

// waits says why nothing is to be tried in this cycle; empty: something is.
func (s *state) waits(o policy.Observation, c loop.Circumstances) string {
	if !c.Act {
		return "the authority is not act"
	}
	if c.Drift {
		return "somebody else has changed the settings"
	}
	if name := s.news(c.Alerts); name != "" {
		return "alert " + name + " fires, which did not when it was asked for"
	}
	if guard.Suspends(o.Limits) {
		return "only raising blocking is admitted (" + o.Limits.Frozen + ")"
	}
	return ""
}

// news is the name of an alert that was not known at the beginning; empty: there is none.
func (s *state) news(alerts []journal.Alert) string {
	for _, a := range alerts {
		if !slices.Contains(s.Known, a.Fingerprint) {
			return a.Name
		}
	}
	return ""
}
