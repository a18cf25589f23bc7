package rules

import (
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

// Promotion is the [promotion] table: what a policy has to show before it may take the place of
// the active one.
type Promotion struct {
	Minimum       time.Duration // that it was compared with the active policy as a shadow
	BetterBy      float64       // share of the value of the offered load
	Confidence    float64       // with which it is better, however often one looks
	Support       float64       // least share of its plans for which its model has data
	MaximumGap    float64       // largest relative difference of what its model predicts and what is measured
	Tolerance     float64       // share of intervals that an error budget may be exceeded by
	CanaryMinimum time.Duration // that it decided as a canary, and its choice was in force
	CanaryStep    float64       // of max_step and changes_per_hour, what a canary is given
}

// DefaultPromotion is for a mesh whose load has a daily course.
var DefaultPromotion = Promotion{
	Minimum: 24 * time.Hour, BetterBy: .01, Confidence: .95, Support: .9, MaximumGap: .15, Tolerance: .02,
	CanaryMinimum: 2 * time.Hour, CanaryStep: .5,
}

func readPromotion(t *Table) Promotion {
	p := DefaultPromotion
	if t == nil {
		return p
	}
	p.Minimum = t.Duration("minimum", p.Minimum, time.Second)
	p.BetterBy = t.Number("better_by", p.BetterBy, 0, 1)
	p.Confidence = t.Number("confidence", p.Confidence, .5, .9999)
	p.Support = t.Number("support", p.Support, 0, 1)
	p.MaximumGap = t.Number("maximum_gap", p.MaximumGap, 0, 1)
	p.Tolerance = t.Number("tolerance", p.Tolerance, 0, 1)
	p.CanaryMinimum = t.Duration("canary_minimum", p.CanaryMinimum, time.Second)
	if p.CanaryStep = t.Number("canary_step", p.CanaryStep, 0, 1); p.CanaryStep == 0 {
		t.Invalid("canary_step", "0 lets a canary change nothing", "leave the policy a shadow, or use 0.5")
	}
	return p
}

// Canary is the mesh as a canary is given it: with smaller steps, and fewer of them. No step is
// smaller than that of the knobs' grids, on which a policy could not move then.
func (m *Mesh) Canary() *Mesh {
	out := *m
	finest := 0.0
	for _, k := range m.Knobs() {
		if k.Kind != policy.Replicas && k.Levels > 1 {
			finest = max(finest, (k.Max-k.Min)/float64(k.Levels-1))
		}
	}
	out.Guard.MaxStep = min(m.Guard.MaxStep, max(m.Guard.MaxStep*m.Promotion.CanaryStep, finest))
	out.Guard.ChangesPerHour = max(1, int(float64(m.Guard.ChangesPerHour)*m.Promotion.CanaryStep))
	return &out
}
