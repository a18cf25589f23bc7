package margin

// What a term of the prediction has to be worth before it is used: it is worth
// nothing while it takes less than skillFrom off the squared error one interval
// ahead, and all once it takes skillFull more.
const (
	skillFrom = .05
	skillFull = .25
)

// leastSeen is how many intervals have to speak for a skill.
const leastSeen = 20

// gate is the share of a term that is used, by its skill.
func gate(skill float64) float64 { return clip((skill-skillFrom)/skillFull, 0, 1) }

// The range of a residual that is expected again: one interval's pause or stall is
// no forecast of the next.
const (
	leastResidual = -.3
	mostResidual  = .5
)

func tame(residual float64) float64 { return clip(residual, leastResidual, mostResidual) }

// Lag is the share of the last residual that is expected again: the whole of
// Params.Lag where residuals have predicted each other over the window, nothing where
// bursts are shorter than an interval and its delay.
func (s State) Lag(p Params) float64 { return p.Lag * gate(s.lagSkill(p)) }

// lagSkill is what the last known residual, times Params.Lag, took off the squared
// error of the residual that it had to predict, over the window.
func (s State) lagSkill(p Params) float64 {
	apart := 1 + p.Delay
	if len(s.Recent) < leastSeen+apart {
		return 0
	}
	without, with := 0.0, 0.0
	for i, r := range s.Recent[apart:] {
		r, before := tame(r), tame(s.Recent[i])
		without += r * r
		with += (r - p.Lag*before) * (r - p.Lag*before)
	}
	if !(without > 0) {
		return 0
	}
	return 1 - with/without
}
