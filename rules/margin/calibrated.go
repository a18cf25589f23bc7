package margin

import "math"

// score returns the state after one more error was held against its expected risk.
func (s State) score(p Params, missed float64) State {
	s.Forecasts = min(s.Forecasts+1, p.Window)
	s.Bias += (missed - s.Bias) / float64(s.Forecasts)
	return s
}

// Calibrated reports whether the expected risks may be priced: over a window of
// intervals that were the policy's own, errors came as often as they were expected, but
// for no more than the budget.
//
// The bias of risks that are right has a deviation of about a third of a budget of 5 %
// (half of one of 2 %), over 200 intervals whose errors come in bursts: they pass nearly
// always, and risks that are wrong by two budgets nearly never. Where a fault breaks each
// interval, it takes about as many of them as the budget is of the window, 10 of 200 at
// 5 %.
func (s State) Calibrated(p Params, budget float64) bool {
	return p.Window > 0 && s.Forecasts >= p.Window && math.Abs(s.Bias) <= budget
}
