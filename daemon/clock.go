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

func (wallClock) Next(ctx context.Context, _ string, interval time.Duration) (time.Time, error) {
	due := time.Now().Truncate(interval).Add(interval)
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case <-timer.C:
		return due, nil
	}
}
