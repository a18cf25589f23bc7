// Package margin holds the control state of objectives and the pure functions
// that change it: the debt against the error budget, and the margin that follows
// from it.
//
// An objective allows a share Budget of intervals to be bad. Its margin is a
// relative allowance put on the model's predictions, moved by what was measured:
// each bad interval adds 1-Budget to the debt, each good one takes Budget off,
// and the margin is proportional to the debt. Over T intervals the violations are
// then at most Budget*T plus what the debt can hold, whatever the model is worth
// (Bound states it). This is the integral guard in position form, with a step
// that scales with the model's residuals.
//
// The same functions serve the daemon, the simulators and the tests. What lives
// here is arithmetic on plain values; no clock, no parser, no model.
package margin

import (
	"math"
	"slices"
)

// Params are the constants of the margin. They are the same for every objective.
type Params struct {
	Gain      float64 // margin per unit of debt, in spreads
	Min, Max  float64 // range of the margin
	MinSpread float64 // floor under the spread, so that a perfect model does not stop the integral
	Window    int     // residuals behind the spread
}

// Defaults were fixed on the published trace and an emulator before the runs that
// are quoted anywhere, and are not to be tuned to a mesh.
func Defaults() Params {
	return Params{Gain: .3, Min: -.3, Max: 2, MinSpread: .01, Window: 200}
}

// State is the control state of one objective. The zero value is not usable: see New.
type State struct {
	Debt      float64   `json:"debt"`      // sum of (error - budget) over counted intervals, offset so that the first margin is the calibrated one
	Margin    float64   `json:"margin"`    // Gain * Spread * Debt, clipped
	Spread    float64   `json:"spread"`    // .9 quantile of |measured/predicted - 1|
	Residual  float64   `json:"residual"`  // last measured/predicted - 1
	Recent    []float64 `json:"recent"`    // |residual| of the last intervals, oldest first, at most Window
	Compared  int       `json:"compared"`  // residuals so far
	Counted   int       `json:"counted"`   // intervals in the debt
	Spent     float64   `json:"spent"`     // sum of errors over all measured intervals, counted or not
	Intervals int       `json:"intervals"` // measured intervals
}

// New returns the state before the first interval: margin and spread as a model's
// calibration residuals have them (its (1-budget) quantile, and the .9 quantile of
// their absolute values).
func New(p Params, margin, spread float64) State {
	s := State{Spread: max(spread, p.MinSpread)}
	return s.Rebase(p, margin)
}

// Rebase returns the state with its debt set so that the margin is the given one:
// how a change of policy or authority is made without a bump.
func (s State) Rebase(p Params, margin float64) State {
	s.Margin = clip(margin, p.Min, p.Max)
	s.Debt = s.Margin / (p.Gain * s.Spread)
	return s
}

// Interval is what one interval measured of one objective.
type Interval struct {
	Error  float64 // in [0,1]; see policy.ObjectiveKind
	Budget float64 // 1 - target
	Count  bool    // the live action was the active policy's own choice, applied and converged
}

// Step returns the state after one interval. It must not be called for an
// interval without a valid measurement: absence is neither success nor failure.
// The debt moves only when the interval counts (no windup).
func (s State) Step(p Params, in Interval) State {
	s.Intervals++
	s.Spent += in.Error
	if in.Count {
		s.Counted++
		s.Debt += in.Error - in.Budget
	}
	return s.settle(p)
}

// Compare returns the state after a measured signal was held against what was
// predicted for the live action at the measured load, without any margin. A
// prediction that is not positive says nothing.
func (s State) Compare(p Params, measured, predicted float64) State {
	if !(predicted > 0) || math.IsInf(predicted, 1) {
		return s
	}
	s.Residual = measured/predicted - 1
	// Four decimals are enough for a quantile, and the journal holds them in each cycle.
	s.Recent = append(slices.Clone(s.Recent), math.Round(math.Abs(s.Residual)*1e4)/1e4)
	if n := len(s.Recent) - p.Window; n > 0 {
		s.Recent = s.Recent[n:]
	}
	s.Compared++
	if s.Compared%respreadEvery != 0 {
		return s
	}
	return s.respread(p).settle(p)
}

// settle derives the margin from the debt, and takes off the debt what lies
// beyond the range of the margin (anti-windup).
func (s State) settle(p Params) State {
	unit := p.Gain * s.Spread
	s.Debt = clip(s.Debt, p.Min/unit, p.Max/unit)
	s.Margin = unit * s.Debt
	return s
}

// respreadEvery is after how many residuals the spread follows them; so many replace
// the calibrated one first.
const respreadEvery = 20

// respread follows the residuals. The debt stays as it is, so that the bound on
// violations holds however the spread moves.
func (s State) respread(p Params) State {
	sorted := slices.Sorted(slices.Values(s.Recent))
	s.Spread = max(sorted[int(.9*float64(len(sorted)-1))], p.MinSpread)
	return s
}

func clip(v, lo, hi float64) float64 { return math.Max(lo, math.Min(hi, v)) }
