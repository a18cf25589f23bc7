// Package margin holds the control state of objectives and the pure functions
// that change it: the debt against the error budget and the margin that follows
// from it, the share of the last residual that comes again, the correction of the
// model, the scale of its errors, and the price of a violation.
//
// An objective allows a share Budget of intervals to be bad. Its margin is a
// relative allowance put on the model's predictions, in units of the errors that the model
// makes where it predicts so much (Scale), moved by what was measured:
// each bad interval adds 1-Budget to the debt, each good one takes Budget off,
// and the margin is proportional to the debt. Over T intervals the violations are
// then at most Budget*T plus what the debt can hold, whatever the model is worth
// (State.Bound). This is the integral control of conformal PID (Angelopoulos,
// Candes and Tibshirani 2023) in position form, with a step that scales with the
// model's residuals.
//
// The same functions serve the daemon, the simulators, the policies and the tests.
// What lives here is arithmetic on plain values; no clock, no parser, no model.
package margin

import (
	"math"
	"slices"
)

// Params are the constants of the control state. They are the same for every objective.
type Params struct {
	Gain      float64 // margin per unit of debt, in spreads
	Step      float64 // constant margin per unit of debt, in place of Gain times the spread; 0: none
	Min, Max  float64 // range of the margin
	MinSpread float64 // floor under the spread, so that a perfect model does not stop the integral
	Window    int     // residuals behind the spread and the skill of the last one; intervals behind the bias of risks

	Lag   float64 // most of the last residual that is expected again; 0: none
	Delay int     // intervals that pass between a decision and the outcome of the one before it

	Forget float64 // of the correction, per interval; 0: no correction
	Ridge  float64 // of the correction

	Ascent float64 // of the logarithm of the price, per violation
}

// Defaults were fixed on the published trace and an emulator before the runs that
// are quoted anywhere, and are not to be tuned to a mesh.
func Defaults() Params {
	return Params{
		Gain: .3, Min: -.3, Max: 2, MinSpread: .01, Window: 200,
		Lag: .5, Forget: .99, Ridge: .5, Ascent: .3,
	}
}

// Calibration is what a model's artefact says of an objective before anything was
// measured of it. Two models have the same one by chance only.
type Calibration struct {
	Margin float64 `json:"margin"` // the first margin
	Spread float64 `json:"spread"` // .9 quantile of the absolute relative residuals, in units of the model's Scale
	Price  float64 `json:"price"`  // of a violation, by dual ascent on the model; 0: not known
	Flow   float64 `json:"flow"`   // greatest load in the data, requests/s: the unit of the correction's flows; 0: no correction
}

// State is the control state of one objective. The zero value is not usable: see New.
type State struct {
	Debt      float64   `json:"debt"`      // sum of (error - budget) over counted intervals, offset so that the first margin is the calibrated one
	Margin    float64   `json:"margin"`    // Gain * Spread * Debt, clipped
	Spread    float64   `json:"spread"`    // .9 quantile of |residual|, in units of the model's Scale
	Residual  float64   `json:"residual"`  // last measured/corrected prediction - 1
	Recent    []float64 `json:"recent"`    // residuals of the last intervals in units of the model's Scale, oldest first, at most Window
	Compared  int       `json:"compared"`  // residuals so far
	Counted   int       `json:"counted"`   // intervals in the debt
	Spent     float64   `json:"spent"`     // sum of errors over all measured intervals, counted or not
	Intervals int       `json:"intervals"` // measured intervals

	Flagged      int     `json:"flagged"`       // intervals in which nothing was feasible, so that the fallback's action was live
	FlaggedSpent float64 `json:"flagged_spent"` // sum of errors over them
	Saturated    bool    `json:"saturated"`     // the last measured interval was one of them, and counted
	Dropped      float64 `json:"dropped"`       // debt that the upper end of the margin's range took off, or Relieve

	Bias      float64 `json:"bias"`      // mean of error - expected risk over about the last Window counted intervals
	Forecasts int     `json:"forecasts"` // intervals behind it, at most Window

	Price      float64     `json:"price"`
	Correction Correction  `json:"correction"`
	First      Calibration `json:"first"`
}

// New returns the state before the first interval.
func New(p Params, first Calibration) State {
	s := State{Spread: max(first.Spread, p.MinSpread), Price: first.Price, First: first}
	return s.Rebase(p, first.Margin)
}

// unit is the margin per unit of debt.
func (s State) unit(p Params) float64 {
	if p.Step > 0 {
		return p.Step
	}
	return p.Gain * s.Spread
}

// Rebase returns the state with its debt set so that the margin is the given one:
// how a change of policy or authority is made without a bump.
func (s State) Rebase(p Params, margin float64) State {
	s.Margin = clip(margin, p.Min, p.Max)
	s.Debt = s.Margin / s.unit(p)
	return s
}

// Interval is what one interval measured of one objective.
type Interval struct {
	Error   float64 // in [0,1]; see policy.ObjectiveKind
	Budget  float64 // 1 - target
	Risk    float64 // chance of an error that was expected of the live action; 0: none was said
	Count   bool    // the live action was the active policy's own choice, applied and converged
	Flagged bool    // that choice was the fallback of a decision with nothing feasible
}

// Step returns the state after one interval. It must not be called for an
// interval without a valid measurement: absence is neither success nor failure.
// The debt moves only when the interval counts (no windup). It does so in flagged
// ones, too: a fallback that breaks the bound is no less broken.
func (s State) Step(p Params, in Interval) State {
	s.Intervals++
	s.Spent += in.Error
	s.Saturated = in.Flagged && in.Count
	if in.Flagged {
		s.Flagged++
		s.FlaggedSpent += in.Error
	}
	if in.Count {
		s.Counted++
		s.Debt += in.Error - in.Budget
		s.Price = s.ascend(p, in.Error-in.Budget)
		if in.Risk > 0 {
			s = s.score(p, in.Error-in.Risk)
		}
	}
	return s.settle(p)
}

// priceRange is how far the price may go from the calibrated one, as a factor: an
// objective that cannot be kept would otherwise take years to be cheap again.
const priceRange = 1000

// ascend is dual ascent on the logarithm of the price of a violation: as dear as it
// has to be for the budget to be spent in the long run, and no dearer.
func (s State) ascend(p Params, overspent float64) float64 {
	return clip(s.Price*math.Exp(p.Ascent*overspent), s.First.Price/priceRange, s.First.Price*priceRange)
}

// Bound is the most that the sum of errors over the next counted intervals can be, if
// the spread does not fall below leastSpread in them: what the budget allows, and what
// the debt can still take. To it comes what they add to Dropped, debt that did not fit
// under the largest margin. It holds for any sequence of errors, and with a constant
// step for any spread.
func (s State) Bound(p Params, budget, leastSpread float64, intervals int) float64 {
	s.Spread = max(leastSpread, p.MinSpread)
	return budget*float64(intervals) + p.Max/s.unit(p) - s.Debt
}

// Compare returns the state after a measured signal was held against what the model
// predicted for the live action at the measured load, uncorrected and without any
// margin. scale is that of the model's errors there. terms are that action's (policy.Terms),
// flows in units of First.Flow; nil: they are not known, and nothing is learned for the
// correction. A prediction that is not positive says nothing.
func (s State) Compare(p Params, measured, predicted, scale float64, terms []float64) State {
	if !(predicted > 0) || math.IsInf(predicted, 1) || math.IsNaN(measured) || math.IsInf(measured, 0) {
		return s
	}
	ratio := measured / predicted
	s.Residual = ratio/math.Exp(s.Correction.Log(terms)) - 1
	if p.Forget > 0 && terms != nil && s.First.Flow > 0 {
		s.Correction = s.Correction.Learn(p, ratio, terms)
	}
	// Four decimals are enough for a quantile, and the journal holds them in each cycle.
	s.Recent = append(slices.Clone(s.Recent), math.Round(s.Residual/scale*1e4)/1e4)
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
	unit := s.unit(p)
	s.Dropped += max(0, s.Debt-p.Max/unit)
	s.Debt = clip(s.Debt, p.Min/unit, p.Max/unit)
	s.Margin = unit * s.Debt
	return s
}

// relief is how far the margin may lie beyond what can be acted upon, in spreads: so far
// that the fallback stays for a few violations more. Chosen on seeds that nothing is
// reported of; at 0 it leaves early, and the budget is overspent while a fault lasts.
const relief = .5

// Relieve returns the state after it was seen that even what a fallback sheds is
// predicted out of bounds under a margin above the given one (see Feasible). A greater margin than that
// by relief can change no decision, but only keep the fallback in force when its cause
// has long gone: the debt beyond it is taken off (anti-windup) and counted as Dropped.
// The calibrated margin is not touched.
func (s State) Relieve(p Params, feasible float64) State {
	most := max((1+feasible)*(1+relief*s.Spread)-1, clip(s.First.Margin, p.Min, p.Max))
	if !(s.Margin > most) {
		return s
	}
	debt := most / s.unit(p)
	s.Dropped += s.Debt - debt
	s.Debt, s.Margin = debt, most
	return s
}

// respreadEvery is after how many residuals the spread follows them.
const respreadEvery = 20

// respread follows the residuals, and the calibrated spread for as much of the window as they
// do not fill: a quiet quarter of an hour after a start says little of a busy one, and a debt
// that it made much of would be a jump of the margin when the busy one comes. The debt stays
// as it is, so that the bound on violations holds however the spread moves.
func (s State) respread(p Params) State {
	known := float64(len(s.Recent)) / float64(p.Window)
	s.Spread = max(s.First.Spread+known*(SpreadOf(s.Recent)-s.First.Spread), p.MinSpread)
	return s
}

func clip(v, lo, hi float64) float64 { return max(lo, min(hi, v)) }
