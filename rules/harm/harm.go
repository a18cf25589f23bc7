// Package harm says when a policy does harm: when what it chose breaks an objective far
// more often than the error budget allows, and chance does not explain it.
//
// One violation is normal, and so is a bad window: errors come in bursts, and while the
// margin learns of a fault, windows reach several budgets. So the claim that is tested is
// about runs of BlockSize intervals: that the mean error of each, given all that came
// before, is at most Limit. The test bets against the claim. Its capital is a martingale
// while the claim holds, so that it ever multiplies 1/Alpha-fold with a probability of at most Alpha, however
// long it is watched (Ville's inequality; Waudby-Smith and Ramdas 2024, Estimating means of
// bounded random variables by betting). Nothing is assumed of independence.
//
// A bettor who starts once loses his capital in good times and is late when bad ones
// come. So a part of it is held back and staked anew with each block: 1/(t(t+1)) with the
// t-th, which is 1 in all.
//
// It is pure. What is done about harm is the daemon's business.
package harm

import "math"

const (
	// Alpha is the largest probability that any objective of a mesh ever is found to be
	// harmed, over the life of a policy, while the claim holds.
	Alpha = .01
	// BlockSize is how many intervals are one block.
	BlockSize = 10

	// A mean error of so many budgets over a block is no harm: single windows of 100
	// intervals reach 3 by design, and 5 right after a fault.
	budgets       = 4
	canaryBudgets = 2
	tolerant      = .5   // nor is one that is above half, whatever the budget
	boldest       = .5   // share of the capital that is staked at most
	most          = 1e12 // capital that is kept: more is proved by nothing, and would overflow
	memory        = .5   // weight of the newest block in what is expected of the next
)

// Limit is the mean error of a block up to which an objective with the budget is not harmed.
func Limit(budget float64) float64 { return math.Min(tolerant, budgets*budget) }

// CanaryLimit is Limit on the shorter leash of a policy on trial.
func CanaryLimit(budget float64) float64 { return math.Min(tolerant, canaryBudgets*budget) }

// Evidence is what was gathered against one objective. The zero value: nothing yet.
type Evidence struct {
	Blocks  int     `json:"blocks"`
	Capital float64 `json:"capital"`
	Recent  float64 `json:"recent"` // mean error that is expected of the next block
	Sum     float64 `json:"sum"`    // of the errors of the block under way
	Seen    int     `json:"seen"`   // intervals of it
}

// Add returns the evidence after an interval with the given error, in [0,1]. A NaN is no
// interval.
func (e Evidence) Add(limit, err float64) Evidence {
	if math.IsNaN(err) {
		return e
	}
	e.Sum += math.Max(0, math.Min(1, err))
	if e.Seen++; e.Seen < BlockSize {
		return e
	}
	mean := e.Sum / BlockSize
	e.Sum, e.Seen = 0, 0
	e.Blocks++
	t := float64(e.Blocks)
	e.Capital = math.Min(most, (e.Capital+1/(t*(t+1)))*(1+bet(limit, e.Recent)*(mean-limit)))
	e.Recent += memory * (mean - e.Recent)
	return e
}

// bet is what is staked on each unit that a mean is above the limit, where expected is
// what it is expected to be: for errors of 0 or 1, the stake under which capital grows
// fastest (Kelly). At or below the limit nothing is.
func bet(limit, expected float64) float64 {
	return math.Max(0, math.Min((expected-limit)/(limit*(1-limit)), boldest/limit))
}

// Harm reports whether the evidence against one of so many objectives suffices.
func (e Evidence) Harm(objectives int) bool { return e.Near(objectives) >= 1 }

// Near is how far the evidence has come, on a logarithmic scale: 0 to 1 is from an untouched capital to harm.
func (e Evidence) Near(objectives int) float64 {
	if !(e.Capital > 1) {
		return 0
	}
	return math.Log(e.Capital) / math.Log(float64(max(1, objectives))/Alpha)
}
