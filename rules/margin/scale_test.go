package margin

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// uneven draws residuals whose deviation rises threefold from predictions of .1 to .4.
func uneven(rng *rand.Rand, n int) (predicted, residuals []float64) {
	for range n {
		p := .1 + .3*rng.Float64()
		predicted = append(predicted, p)
		residuals = append(residuals, p*rng.NormFloat64())
	}
	return predicted, residuals
}

func TestScaleFollowsTheErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(1001, 1))
	predicted, residuals := uneven(rng, 4000)
	s := NewScale(predicted, residuals)
	if err := s.Check(); err != nil || !slices.IsSorted(s.Value) {
		t.Fatalf("%+v: %v", s, err)
	}
	if got := s.Of(.38) / s.Of(.14); got < 2.2 || got > 3 {
		t.Errorf("errors at .38 are %v times those at .14, want about 2.6: %+v", got, s)
	}
	if s.Of(0) != s.Value[0] || s.Of(math.Inf(1)) != s.Value[len(s.Value)-1] {
		t.Errorf("beyond the ends %v and %v: %+v", s.Of(0), s.Of(math.Inf(1)), s)
	}
	units := s.Units(predicted, residuals)
	low, high := []float64(nil), []float64(nil)
	for i, u := range units {
		if predicted[i] < .2 {
			low = append(low, u)
		} else if predicted[i] > .3 {
			high = append(high, u)
		}
	}
	if got := SpreadOf(high) / SpreadOf(low); got < .85 || got > 1.15 {
		t.Errorf("in units the spread at the top is %v times that at the bottom, want about 1", got)
	}
}

// What the data do not tell is no scale: errors that fall, or are the same, or are few.
func TestScaleIsOneWhereNothingIsKnown(t *testing.T) {
	rng := rand.New(rand.NewPCG(1001, 2))
	var predicted, falling, same []float64
	for range 2000 {
		p := .1 + .3*rng.Float64()
		predicted, falling, same = append(predicted, p), append(falling, rng.NormFloat64()/p), append(same, rng.NormFloat64())
	}
	for name, s := range map[string]Scale{
		"falling": NewScale(predicted, falling), "few": NewScale(predicted[:2*scaleLeast-1], falling[:2*scaleLeast-1]), "none": NewScale(nil, nil),
		"perfect": NewScale(predicted, make([]float64, len(predicted))),
	} {
		for _, v := range []float64{0, .1, .25, .4, 1} {
			if math.Abs(s.Of(v)-1) > 1e-9 {
				t.Errorf("%s: a scale of %v at %v", name, s.Of(v), v)
			}
		}
	}
	even := NewScale(predicted, same)
	if got := even.Of(.4) / even.Of(.1); got > 1.2 {
		t.Errorf("even errors have a scale that rises %v times", got)
	}
}

func TestScaleThatIsDamagedIsRefused(t *testing.T) {
	for _, s := range []Scale{
		{At: []float64{1}},
		{At: []float64{2, 1}, Value: []float64{1, 2}},
		{At: []float64{1}, Value: []float64{0}},
		{At: []float64{math.NaN()}, Value: []float64{1}},
		{At: []float64{1}, Value: []float64{math.Inf(1)}},
	} {
		if s.Check() == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}

// promised is an observation of one service with a bound of .2 s.
func promised(margin float64) *policy.Observation {
	return &policy.Observation{Services: []policy.Service{{Name: "a", Objectives: []policy.Objective{
		{Signal: "latency", Kind: policy.LatencyObjective, Bound: .2, Budget: .05, Margin: margin},
	}}}}
}

// Under a margin of 1 a mesh that is idle and sure at .12 s is in bounds, and one at .15 s
// that is near its limit is not; Limit says where one becomes the other, and Relieve by
// Feasible at which margin.
func TestJudgeTakesMarginsInUnitsOfTheScale(t *testing.T) {
	scale := Scale{At: []float64{.12, .15}, Value: []float64{.5, 2}}
	j := &Judge{Scales: []Scale{scale}, Tails: []Tail{NewTail([]float64{-.2, -.1, 0, .1, .2, .3}, scale)}}
	o := promised(1)
	j.Begin(o, []string{"latency"}, []float64{1}, nil)
	for _, c := range []struct{ predicted, excess float64 }{{.12, .9}, {.15, 2.25}, {.1, .75}, {.3, 4.5}} {
		cost, excess := j.Weigh([]float64{c.predicted}, nil)
		if math.Abs(excess-c.excess) > 1e-9 || math.IsInf(cost, 1) != (c.excess > 1) {
			t.Errorf("%v s: a ratio of %v at a cost of %v, want %v", c.predicted, excess, cost, c.excess)
		}
		above := false
		j.Above([]float64{c.predicted}, nil, func(int) { above = true })
		if above != (c.excess > 1) {
			t.Errorf("%v s: above %v", c.predicted, above)
		}
		at := Feasible(c.predicted, .2, j.Scale(0, c.predicted, nil))
		j.Begin(promised(at), []string{"latency"}, []float64{1}, nil)
		if _, edge := j.Weigh([]float64{c.predicted}, nil); math.Abs(edge-1) > 1e-9 {
			t.Errorf("%v s: under the greatest feasible margin of %v a ratio of %v", c.predicted, at, edge)
		}
		j.Begin(o, []string{"latency"}, []float64{1}, nil)
	}
	limit := j.Limit(0, nil)
	if _, excess := j.Weigh([]float64{limit}, nil); math.Abs(excess-1) > 1e-9 || limit < .12 || limit > .15 {
		t.Errorf("a limit of %v s has a ratio of %v", limit, excess)
	}
	if !math.IsInf(j.Limit(1, nil), 1) {
		t.Error("a service without an objective has a limit")
	}
	// The same room over the prediction is a lesser risk where the model is surer.
	if sure, unsure := j.Tails[0].Breaks(.12, .14), j.Tails[0].Breaks(.15, .175); !(sure < unsure) || j.Risk(0, .12, nil) >= j.Risk(0, .15, nil) {
		t.Errorf("chances of %v and %v", sure, unsure)
	}
}

// A margin below zero says that more is kept than was promised: it has no unit, or a
// prediction of any height would be in bounds where the model is unsure.
func TestANegativeMarginHasNoUnit(t *testing.T) {
	j := &Judge{Scales: []Scale{{At: []float64{.1, .2}, Value: []float64{.5, 8}}}}
	j.Begin(promised(-.25), []string{"latency"}, []float64{1}, nil)
	if cost, excess := j.Weigh([]float64{.3}, nil); !math.IsInf(cost, 1) || math.Abs(excess-1.125) > 1e-9 {
		t.Errorf("a ratio of %v at a cost of %v, want 1.125", excess, cost)
	}
	if got := j.Limit(0, nil); math.Abs(got-.2/.75) > 1e-9 {
		t.Errorf("a limit of %v", got)
	}
}

// The spread is the calibrated one at first, so that a quiet beginning, whose debt is worth
// little, does not jump when the mesh gets busy.
func TestAQuietBeginningIsNoJump(t *testing.T) {
	p := Defaults()
	s := New(p, Calibration{Margin: .5, Spread: .5})
	before := s
	rng := rand.New(rand.NewPCG(1001, 3))
	for i := range 60 {
		noise := .05
		if i >= 20 {
			noise = .5
		}
		s = s.Step(p, Interval{Budget: .05, Count: true})
		s = s.Compare(p, math.Exp(noise*rng.NormFloat64()), 1, 1, nil)
		if d := math.Abs(s.Margin - before.Margin); d > .08 {
			t.Errorf("interval %d without a violation: margin %v after %v", i, s.Margin, before.Margin)
		}
		before = s
	}
}
