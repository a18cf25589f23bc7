package host

import (
	"slices"
	"time"
)

// Restarts says when a plugin that failed is started again. The first restart
// after a healthy run comes after First; each further one after Min, doubling to
// Max. Each wait is lengthened by up to half of itself, at random, so that the
// plugins of many hosts do not start together.
type Restarts struct {
	First time.Duration // 200 ms
	Min   time.Duration // 1 s
	Max   time.Duration // 60 s

	Window  time.Duration // 10 min; a run of this length is healthy
	Crashes int           // 5; so many failures within Window put the plugin into quarantine
}

// DefaultRestarts is what Options with a zero Restarts use.
var DefaultRestarts = Restarts{
	First: 200 * time.Millisecond, Min: time.Second, Max: time.Minute, Window: 10 * time.Minute, Crashes: 5,
}

// history is what the next restart depends on.
type history struct {
	policy Restarts
	recent []time.Time   // failures within the window
	wait   time.Duration // the last wait, before jitter; 0: none since a healthy run
}

// failed records a failure after a run of the given length. It returns how long
// to wait, with random in [0,1), and whether the plugin is to stay down instead.
func (h *history) failed(now time.Time, ran time.Duration, random float64) (wait time.Duration, quarantine bool) {
	if ran >= h.policy.Window {
		h.wait = 0
	}
	h.recent = slices.DeleteFunc(h.recent, func(t time.Time) bool { return now.Sub(t) >= h.policy.Window })
	h.recent = append(h.recent, now)
	if len(h.recent) >= h.policy.Crashes {
		return 0, true
	}
	switch {
	case h.wait == 0:
		h.wait = h.policy.First
	case h.wait < h.policy.Min:
		h.wait = h.policy.Min
	default:
		h.wait = min(2*h.wait, h.policy.Max)
	}
	return h.wait + time.Duration(random*float64(h.wait)/2), false
}
