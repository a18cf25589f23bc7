package guard

import (
	"fmt"
	"slices"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// Pace is how often a mesh may be changed. It is a limit of the mesh as a whole, not of
// one target: services share what they run on, so the effects of two changes that
// overlap cannot be told apart, and a policy that has to wait moves all that it wants to
// move in one cycle. The zero value is no limit.
//
// Raising blocking is outside of it. It is never held back, because that would break the
// budget; and it is not counted, because in an overload that goes on for long no blocking
// could be lowered anywhere.
type Pace struct {
	Cooldown       time.Duration // from one change to the next
	ChangesPerHour int           // in any hour; 0: any number
	Freezes        []FreezeWindow
}

// History is when the changes that count were made, in Unix milliseconds, oldest first,
// as far as the pace looks back.
type History []int64

// budgetWindow is what the change budget is for.
const budgetWindow = time.Hour

// Frozen says why only raising blocking is admitted at a time, the longest first, and
// tells a person about it; empty: everything is admitted. A change at t allows the next
// at t+Cooldown. The history must not be ahead of the time: see Until.
func (p Pace) Frozen(at time.Time, h History) (Reason, string) {
	for _, f := range p.Freezes {
		if f.Contains(at) {
			return Freeze, "freeze window " + f.String()
		}
	}
	if n := p.ChangesPerHour; n > 0 && len(h) >= n {
		if left := budgetWindow - h.since(at, len(h)-n); left > 0 {
			return ChangeBudget, fmt.Sprintf("%d of %d changes in the last hour; there is room again in %s", n, n, inSeconds(left))
		}
	}
	if len(h) > 0 {
		if left := p.Cooldown - h.since(at, len(h)-1); left > 0 {
			return Cooldown, fmt.Sprintf("%s left of the cooldown of %s", inSeconds(left), p.Cooldown)
		}
	}
	return "", ""
}

// After returns the history after changes that were made at a time: longer by one if any
// of them is another than raising blocking. The given one is not changed.
func (p Pace) After(h History, at time.Time, changes []policy.Change) History {
	if !slices.ContainsFunc(changes, counts) {
		return h
	}
	h = h.Until(at)
	first := 0
	for first < len(h) && h.since(at, first) >= max(budgetWindow, p.Cooldown) {
		first++
	}
	if n := p.ChangesPerHour; n > 0 {
		first = max(first, len(h)+1-n) // those before them are not asked for
	}
	return append(slices.Clone(h[first:]), at.UnixMilli())
}

// counts reports whether a change is another than raising blocking.
func counts(c policy.Change) bool { return c.Kind != policy.Blocking || c.To < c.From }

// since is how long ago a change was made.
func (h History) since(at time.Time, i int) time.Duration {
	return time.Duration(at.UnixMilli()-h[i]) * time.Millisecond
}

// Until is the history as of a time. Where the clock was put back, what lies ahead of it
// has happened just now: it is not forgotten, and holds for no longer than it should.
func (h History) Until(at time.Time) History {
	now := at.UnixMilli()
	if len(h) == 0 || h[len(h)-1] <= now {
		return h
	}
	h = slices.Clone(h)
	for i := range h {
		h[i] = min(h[i], now)
	}
	return h
}

func inSeconds(d time.Duration) time.Duration { return max(time.Second, d.Round(time.Second)) }

// Suspends reports whether the limits of a cycle leave too little to the policy for too
// long, so that what goes wrong is budget spent and no debt. A cooldown does not: it lasts
// no longer than a measurement, and half of all cycles may be in one.
func Suspends(l policy.Limits) bool {
	r := Reason(l.Frozen)
	return r != "" && r != Cooldown
}
