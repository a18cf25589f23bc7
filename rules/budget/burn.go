package budget

import (
	"math"
	"slices"
	"time"
)

// Pair is two windows over which a budget has to burn too fast at once before anybody
// is told: the long one says that it matters, the short one that it goes on.
type Pair struct {
	Short, Long time.Duration
	Share       float64 // of the budget that may be spent within Long
}

const day = 24 * time.Hour

var pairs = []Pair{
	{5 * time.Minute, time.Hour, .02},
	{30 * time.Minute, 6 * time.Hour, .05},
	{2 * time.Hour, day, .10},
	{6 * time.Hour, 3 * day, .10},
}

// Pairs returns the windows of the Site Reliability Workbook (chapter 5, alerting on
// SLOs), fastest first: 2 % of the budget within an hour and 5 % within six page, 10 %
// within one and within three days open a ticket.
func Pairs() []Pair { return slices.Clone(pairs) }

var windows = windowsOf(pairs)

// Windows returns the windows of all pairs, shortest first.
func Windows() []time.Duration { return slices.Clone(windows) }

func windowsOf(pairs []Pair) []time.Duration {
	var out []time.Duration
	for _, p := range pairs {
		out = append(out, p.Short, p.Long)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Factor returns the burn rate at which Share of the budget of a window is spent within
// Long: 14.4, 6, 3 and 1 for a window of 30 days, as in the workbook. It is at least 1,
// at which a budget is just kept.
func (p Pair) Factor(window time.Duration) float64 {
	return math.Max(1, p.Share*float64(window)/float64(p.Long))
}

// Burning returns the fastest pair over both windows of which an objective burns its
// budget faster than the pair's factor; false: none. Pairs that are longer than the
// objective's window say nothing of it, the first apart. An unknown rate does not burn.
func (a *Account) Burning(budget float64, at time.Time) (Pair, bool) {
	window := a.window.window
	for i, p := range pairs {
		if i > 0 && p.Long > window {
			break
		}
		short, ok := a.Over(p.Short, at).Burn(budget)
		long, known := a.Over(p.Long, at).Burn(budget)
		if f := p.Factor(window); ok && known && short > f && long > f {
			return p, true
		}
	}
	return Pair{}, false
}
