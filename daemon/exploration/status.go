package exploration

import (
	"time"

	"github.com/windvane/windvane/plugins/explore/bounded"
)

// Status is how far an exploration is.
type Status struct {
	Began      time.Time
	By         string
	Phase      string
	Waiting    string // why nothing is tried just now, or why it ended; empty: nothing is wrong
	Measured   int    // intervals
	Intervals  int
	Allowance  float64
	Protective bool // nothing is left of the allowance, or that cannot be ruled out
	Spent      []bounded.Spent
}

// Status returns that of the exploration that was asked for last; nil: none was.
func (e *Explorer) Status() *Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state
	if s == nil {
		return nil
	}
	out := &Status{
		Began: s.Began, By: s.By, Phase: string(s.Phase), Waiting: s.Reason, Measured: len(s.Session.Rows),
		Intervals: s.Session.Intervals, Allowance: s.Session.Allowance, Spent: s.Spent,
	}
	if s.Phase == running {
		out.Waiting = e.waiting
		out.Protective = e.kind == bounded.Protective || e.kind == bounded.Retreat
	}
	return out
}
