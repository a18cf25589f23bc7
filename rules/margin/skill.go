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

// Lag is the share of the last known residual that is expected again: the slope of the
// regression of residuals on the one that they would have been told by, over the
// window, as far as it is more than chance. It is nothing where bursts are shorter than
// an interval and its delay, and never more than Params.Lag.
//
// The slope of n pairs has a variance of about 1/n where there is nothing to find, and
// is shrunk by the share of its square that this explains (the positive part of James
// and Stein's estimator).
func (s State) Lag(p Params) float64 {
	apart := 1 + p.Delay
	n := len(s.Recent) - apart
	if n < leastSeen || !(p.Lag > 0) {
		return 0
	}
	both, before := 0.0, 0.0
	for i, r := range s.Recent[apart:] {
		b := tame(s.Recent[i])
		both += tame(r) * b
		before += b * b
	}
	if !(both > 0) || !(before > 0) {
		return 0
	}
	slope := both / before
	return clip(slope-1/(float64(n)*slope), 0, p.Lag)
}
