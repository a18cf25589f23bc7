package daemon

import (
	"context"
	"time"
)

// Clock says when cycles are due. It is the only source of time of the cycles.
type Clock interface {
	// Next waits until the next cycle of a mesh is due and returns its time. It is
	// called when the cycle before is complete. An error ends the mesh's cycles:
	// io.EOF in order, the context's at the daemon's stop, any other is logged.
	Next(ctx context.Context, mesh string, interval time.Duration) (time.Time, error)
}

// Stopwatch says how much time has passed since an instant of its own. It never goes back.
type Stopwatch func() time.Duration

func wallStopwatch() Stopwatch {
	begun := time.Now()
	return func() time.Duration { return time.Since(begun) }
}

// wallClock has a cycle at each multiple of the interval since the Unix epoch. A
// cycle that takes longer than the interval makes the daemon miss, not queue, the
// ones in between.
type wallClock struct{}

// Next is NextOrWoken for a mesh that is not woken.
func (c wallClock) Next(ctx context.Context, mesh string, interval time.Duration) (time.Time, error) {
	at, _, err := c.NextOrWoken(ctx, Wait{Mesh: mesh, Interval: interval})
	return at, err
}

// NextOrWoken has a cycle come early where there is room for it between two that are due:
// in it the last action has shown, and it may show until the next one. A mesh whose settle is
// half of its interval has no such room.
func (wallClock) NextOrWoken(ctx context.Context, w Wait) (time.Time, string, error) {
	now := time.Now()
	due := now.Truncate(w.Interval).Add(w.Interval)
	if w.Early && !w.Last.Truncate(w.Interval).Add(w.Interval).After(now) {
		due = now.Truncate(w.Interval) // it took longer than was left of the interval, which is not to be missed for it
	}
	from, until := now.Add(w.Settle), due.Add(-w.Settle)
	woken := w.Woken
	if w.Early {
		woken = nil
	}
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	var early <-chan time.Time
	why := ""
	for {
		select {
		case <-ctx.Done():
			return time.Time{}, "", ctx.Err()
		case <-timer.C:
			return due, "", nil
		case why = <-woken:
			woken = nil
			if at := time.Now(); from.Before(until) && at.Before(until) {
				soon := time.NewTimer(from.Sub(at))
				defer soon.Stop()
				early = soon.C
			}
		case <-early:
			return time.Now(), why, nil
		}
	}
}
