// Package approve keeps the plan of a mesh that waits for a person.
//
// A plan is made by one cycle and let by a person some minutes later, when load and
// decision are others. So it is not compared with the fresh decision value by value: with
// the noise of load each cycle would make another plan, and none would wait long enough to
// be read. It waits, unchanged, as long as the fresh decision admits it: the settings in
// force are those that it was made from, the guard passes it unedited in the present, and
// the fresh decision still moves every knob of it in the same direction. In a cycle that
// holds there is no fresh decision; the plan waits on, and is not applied either.
//
// What lives here is one plan and what becomes of it. Applying it is the loop's business.
package approve

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// Plan is one that waits.
type Plan struct {
	ID      string
	Mesh    string
	Cycle   uint64 // that made it
	At      time.Time
	Expires time.Time
	Policy  string // who decided
	Reason  string // as the policy gives it
	Live    policy.Action
	Want    policy.Action   // to be applied as it is
	Changes []policy.Change // from Live to Want
	By      string          // who approved it; empty: nobody yet
}

// Desk has the plan of one mesh. It may be used by several goroutines.
type Desk struct {
	mesh string

	mu      sync.Mutex
	plan    *Plan // nil: none waits
	gone    string
	goneID  string
	refused *Plan  // the last one that a person refused; nil: none was
	unsaid  string // of it, for the next cycle to record
}

// NewDesk returns an empty one.
func NewDesk(mesh string) *Desk { return &Desk{mesh: mesh} }

// Pending returns the plan that waits, approved or not.
func (d *Desk) Pending() (Plan, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.plan == nil {
		return Plan{}, false
	}
	return *d.plan, true
}

// Approve lets the plan of this ID. It is applied by the next cycle that admits it. To
// approve it again changes nothing.
func (d *Desk) Approve(id, by string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.plan != nil && d.plan.ID == id:
		if d.plan.By == "" {
			d.plan.By = by
		}
		return nil
	case id == d.goneID && id != "":
		return &UnknownError{ID: id, Why: d.gone}
	}
	return &UnknownError{ID: id}
}

// Refuse takes the plan of this ID away. Until it would have expired, no plan is made that
// moves the same knobs in the same directions.
func (d *Desk) Refuse(id, by string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.plan != nil && d.plan.ID == id:
		d.refused = d.plan
		d.unsaid = d.drop("refused by " + by)
		return nil
	case id == d.goneID && id != "":
		return &UnknownError{ID: id, Why: d.gone}
	}
	return &UnknownError{ID: id}
}

// UnknownError says that no plan of this ID waits.
type UnknownError struct {
	ID  string
	Why string // it is gone; empty: not known
}

// Error says what to do.
func (e *UnknownError) Error() string {
	why := ""
	if e.Why != "" {
		why = ": " + e.Why
	}
	return fmt.Sprintf("plan %s does not wait for approval%s; `windvane approve` lists those that do", e.ID, why)
}

// Expire takes a plan away whose time is over.
func (d *Desk) Expire(at time.Time) (gone string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.plan == nil || at.Before(d.plan.Expires) {
		return ""
	}
	return d.drop("it has expired")
}

// Drop takes the plan away, and returns what is to be said of it; empty: none waited.
func (d *Desk) Drop(why string) (gone string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.drop(why)
}

// Done takes away a plan that is applied now, whether or not that succeeds.
func (d *Desk) Done() {
	d.Drop("a cycle has taken it up, and `windvane explain` tells what came of it")
}

func (d *Desk) drop(why string) string {
	if d.plan == nil {
		return ""
	}
	d.goneID, d.gone = d.plan.ID, why
	d.plan = nil
	return fmt.Sprintf("plan %s: %s", d.goneID, why)
}

// Fresh is what a cycle found and decided.
type Fresh struct {
	Cycle   uint64
	At      time.Time
	Expiry  time.Duration // of a plan that it makes
	Policy  string
	Reason  string
	Live    policy.Action
	Want    policy.Action                   // after the guard
	Changes []policy.Change                 // from Live to Want
	Refuses func(want policy.Action) string // why the guard would not pass it unedited now; empty: it would
}

// Review holds the plan against a fresh decision, and makes a new one if none is left and
// there is something to change. It returns the plan that waits, nil if none does, and what
// is to be said of one that is gone.
func (d *Desk) Review(f Fresh) (plan *Plan, gone string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone, d.unsaid = d.unsaid, ""
	if d.plan != nil {
		if why := d.plan.refuse(f); why != "" {
			gone = d.drop(why)
		}
	}
	if d.plan == nil && len(f.Changes) > 0 && !d.refuses(f) {
		d.plan = &Plan{
			Mesh: d.mesh, Cycle: f.Cycle, At: f.At, Expires: f.At.Add(f.Expiry), Policy: f.Policy, Reason: f.Reason,
			Live: f.Live.Clone(), Want: f.Want.Clone(), Changes: slices.Clone(f.Changes),
		}
		d.plan.ID = d.plan.id()
	}
	if d.plan != nil {
		p := *d.plan
		plan = &p
	}
	return plan, gone
}

// refuses reports whether a person has said no to a plan of these changes.
func (d *Desk) refuses(f Fresh) bool {
	return d.refused != nil && f.At.Before(d.refused.Expires) && len(f.Changes) == len(d.refused.Changes) &&
		!slices.ContainsFunc(d.refused.Changes, func(c policy.Change) bool { return !moves(f.Changes, c) })
}

// moves reports whether one of the changes moves the knob of c in its direction.
func moves(changes []policy.Change, c policy.Change) bool {
	return slices.ContainsFunc(changes, func(x policy.Change) bool {
		return x.KnobID == c.KnobID && (x.To > x.From) == (c.To > c.From)
	})
}

// refuse says why the fresh decision does not admit the plan; empty: it does.
func (p *Plan) refuse(f Fresh) string {
	if !f.Live.Equal(p.Live, policy.Rounding) {
		return "the settings in force are not those that it was made from any more"
	}
	if why := f.Refuses(p.Want); why != "" {
		return "the guard does not pass it as it is any more: " + why
	}
	for _, c := range p.Changes {
		if !moves(f.Changes, c) {
			return fmt.Sprintf("the policy does not want to move %s that way any more", c.KnobID)
		}
	}
	return ""
}

// id is short, and the same for the same plan.
func (p *Plan) id() string {
	sum := sha256.New()
	_, _ = fmt.Fprintln(sum, p.Mesh, p.Cycle, p.At.UnixNano(), p.Changes) // a hash does not fail
	return hex.EncodeToString(sum.Sum(nil)[:4])
}
