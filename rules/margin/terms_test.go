package margin

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// noisy is autocorrelated noise: its lag-1 correlation is rho, its deviation sd.
func noisy(rng *rand.Rand, rho, sd float64) func() float64 {
	v := 0.0
	return func() float64 {
		v = rho*v + math.Sqrt(1-rho*rho)*rng.NormFloat64()*sd
		return v
	}
}

func TestTheLastResidualIsUsedAsFarAsItTells(t *testing.T) {
	p := Defaults()
	mean := func(rho float64, delay int) float64 {
		sum := 0.0
		const seeds = 20
		for seed := range uint64(seeds) {
			next := noisy(rand.New(rand.NewPCG(seed, 3)), rho, .05)
			p := p
			p.Delay = delay
			s := New(p, Calibration{Spread: .1})
			for range p.Window {
				s = s.Compare(p, 1+next(), 1, 1, nil)
			}
			sum += s.Lag(p) / seeds
		}
		return sum
	}
	if got := mean(0, 0); got > .02 {
		t.Errorf("independent residuals: %v of the last one is expected again", got)
	}
	if got := mean(.9, 0); got < .49 {
		t.Errorf("correlation .9: only %v of the last residual is expected again", got)
	}
	if late, now := mean(.6, 3), mean(.6, 0); late > now/2 {
		t.Errorf("correlation .6: %v is expected after three intervals, %v after none", late, now)
	}
	if s := New(p, Calibration{Spread: .1}).Compare(p, 2, 1, 1, nil); s.Lag(p) != 0 {
		t.Error("one residual has a skill")
	}
	s := New(p, Calibration{Spread: .1})
	s.Recent = slices.Repeat([]float64{.1, -.1}, 50)
	if s.Lag(p) != 0 {
		t.Error("residuals that alternate are expected again")
	}
	if got := tame(10); got != mostResidual {
		t.Errorf("a stall of %v is expected again", got)
	}
}

// mesh is two routes that share nothing: terms of a random action over them.
func mesh(rng *rand.Rand) []float64 {
	x := []float64{1, rng.Float64(), rng.Float64(), 1, 1}
	if w := rng.IntN(4); w < 2 {
		x[1+w], x[3+w] = 0, 0
	}
	return x
}

func TestTheCorrectionLearnsAFaultOfOneRoute(t *testing.T) {
	p := Defaults()
	rng := rand.New(rand.NewPCG(1, 4))
	noise := noisy(rng, 0, .03)
	slower := func(x []float64) float64 { return math.Exp(.1 + .4*x[1] + .2*x[3] + noise()) }
	s := New(p, Calibration{Spread: .1, Flow: 20})
	for range 300 {
		x := mesh(rng)
		s = s.Compare(p, slower(x), 1, 1, x)
	}
	if g := s.Correction.Gate(); g < .99 {
		t.Errorf("gate %v", g)
	}
	for range 100 {
		x := mesh(rng)
		if got, want := s.Correction.Log(x), .1+.4*x[1]+.2*x[3]; math.Abs(got-want) > .05 {
			t.Errorf("terms %v: corrected by %v, want %v", x, got, want)
		}
	}
	handed := s.Correction.Hand(20)
	if want := float64(s.Correction.Coefficients[1]) / 20 * s.Correction.Gate(); math.Abs(handed[1]-want) > 1e-9 {
		t.Errorf("handed %v for a flow in requests/s, want %v", handed[1], want)
	}
	if want := float64(s.Correction.Coefficients[3]) * s.Correction.Gate(); math.Abs(handed[3]-want) > 1e-9 {
		t.Errorf("handed %v for a route that is used, want %v", handed[3], want)
	}
	if math.Abs(s.Spread-.05) > .02 {
		t.Errorf("spread %v of what the correction left, want about 0.05", s.Spread)
	}
}

func TestNoiseIsNotCorrected(t *testing.T) {
	p := Defaults()
	rng := rand.New(rand.NewPCG(2, 4))
	noise := noisy(rng, 0, .05)
	s, open := New(p, Calibration{Spread: .1, Flow: 20}), 0.0
	for range 1000 {
		s = s.Compare(p, math.Exp(noise()), 1, 1, mesh(rng))
		open += s.Correction.Gate() / 1000
	}
	if open > .01 {
		t.Errorf("the gate was open by %v on average, where there is nothing to correct", open)
	}
}

func TestTheCorrectionIsBoundedAndForgetsOtherTerms(t *testing.T) {
	p := Defaults()
	rng := rand.New(rand.NewPCG(3, 4))
	s := New(p, Calibration{Spread: .1, Flow: 20})
	for range 500 {
		s = s.Compare(p, 1e9*rng.Float64(), 1, 1, mesh(rng))
		if v := s.Correction.Log([]float64{1, 100, 100, 1, 1}); v < leastLog || v > mostLog || math.IsNaN(v) {
			t.Fatalf("corrected by %v", v)
		}
	}
	before := s.Correction
	s = s.Compare(p, 1, 1, 1, []float64{1, .5, 1})
	if s.Correction.Seen != 1 || len(s.Correction.Coefficients) != 3 {
		t.Errorf("another mesh's correction goes on: %+v", s.Correction)
	}
	if before.Seen != 500 || len(before.Coefficients) != 5 {
		t.Error("Compare changed the correction that it was called on")
	}
	p.Ridge = 0
	if c := (Correction{}).Learn(p, 2, []float64{1, 0, 0}); c.Coefficients[0] != 0 {
		t.Errorf("singular moments gave %v", c.Coefficients)
	}
}

func TestTailIsThatOfTheResiduals(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	sample := make([]float64, 20000)
	for i := range sample {
		sample[i] = .05 * rng.NormFloat64()
	}
	for name, tail := range map[string]Tail{"sample": NewTail(sample[:2000], Scale{}), "quantiles": NewTail(Quantiles(sample, 400), Scale{})} {
		last := 1.0
		for r := -.4; r < 1; r += .001 {
			got := tail.Above(r)
			if want := .5 * math.Erfc(r/(.05*math.Sqrt2)); math.Abs(got-want) > .02 {
				t.Fatalf("%s: P(residual > %.3f) = %v, want %v", name, r, got, want)
			}
			if got > last+1e-12 || got < 0 || r > .1 && got == 0 {
				t.Fatalf("%s: P(residual > %.3f) = %v after %v", name, r, got, last)
			}
			last = got
		}
	}
	one := NewTail([]float64{.1}, Scale{})
	if got := one.Above(.5); got > 1e-6 {
		t.Errorf("of a single residual of .1, %v are above .5", got)
	}
	none := NewTail(nil, Scale{})
	if none.Known() || none.Above(0) != 0 {
		t.Error("no residuals are known")
	}
}

// judged is an observation of one service with one route, and its judge.
func judged(o policy.Objective, pricing Pricing) (*Judge, *policy.Observation, policy.Action) {
	id := policy.KnobID{Kind: policy.Blocking, Target: "a"}
	o.Signal, o.Kind = "latency", policy.LatencyObjective
	obs := &policy.Observation{
		Knobs:    []policy.Knob{{KnobID: id, Service: "a", Max: 1}},
		Live:     policy.Action{{KnobID: id, Value: .5}},
		Services: []policy.Service{{Name: "a", Value: 1, Objectives: []policy.Objective{o}}},
		State:    policy.State{{Name: "latency", Service: "a", Role: policy.RoleLatency, Value: .12, Status: policy.Valid}},
	}
	j := &Judge{Terms: policy.NewTerms(obs.Knobs, obs.Services), Tails: []Tail{NewTail([]float64{-.1, 0, .1}, Scale{})}, Pricing: pricing}
	j.Begin(obs, []string{"latency"}, []float64{10}, []float64{.1})
	return j, obs, obs.Live
}

func TestJudgeMultipliesWhatTheHostKnows(t *testing.T) {
	for name, c := range map[string]struct {
		o    policy.Objective
		want float64 // excess of a prediction of 80 ms
	}{
		"nothing":    {policy.Objective{Bound: .1}, .8},
		"margin":     {policy.Objective{Bound: .1, Margin: .5}, 1.2},
		"residual":   {policy.Objective{Bound: .1, Residual: -.1}, .72},
		"lag":        {policy.Objective{Bound: .1, Lag: .5}, .8 * 1.1}, // .12 was measured, .1 predicted
		"correction": {policy.Objective{Bound: .1, Correction: []float64{.1, .02, .3}}, .8 * math.Exp(.1+.02*5+.3)},
		"all": {
			policy.Objective{Bound: .1, Margin: .1, Lag: 1, Correction: []float64{math.Log(1.2), 0, 0}},
			.8 * 1.1 * 1.2, // corrected, there is no residual
		},
	} {
		j, _, a := judged(c.o, PriceNone)
		cost, excess := j.Weigh([]float64{.08}, a)
		if math.Abs(excess-c.want) > 1e-9 {
			t.Errorf("%s: excess %v, want %v", name, excess, c.want)
		}
		if math.IsInf(cost, 1) != (c.want > 1) || !math.IsInf(cost, 1) && cost != 0 {
			t.Errorf("%s: cost %v at an excess of %v", name, cost, excess)
		}
		above := 0
		j.Above([]float64{.08}, a, func(int) { above++ })
		if above != int(indicator(c.want > 1)) {
			t.Errorf("%s: %d services above, at an excess of %v", name, above, excess)
		}
	}
}

func TestJudgePricesWhatHasAPrice(t *testing.T) {
	j, _, a := judged(policy.Objective{Bound: .1, Margin: 1, Price: 7}, PriceAll)
	tail := j.Tails[0]
	for _, v := range []float64{.05, .09, .1, .2} {
		cost, _ := j.Weigh([]float64{v}, a)
		if want := 7 * tail.Above(.1/v-1); math.Abs(cost-want) > 1e-12 {
			t.Errorf("latency %v costs %v, want %v", v, cost, want)
		}
	}
	calibrated := first(judged(policy.Objective{Bound: .1, Margin: 1, Price: 7, Calibrated: true}, PriceCalibrated))
	all, _ := j.Weigh([]float64{.09}, a)
	if cost, _ := calibrated.Weigh([]float64{.09}, a); cost != all || !calibrated.Prices() {
		t.Errorf("calibrated: it costs %v, want %v", cost, all)
	}
	for name, j := range map[string]*Judge{
		"no price": first(judged(policy.Objective{Bound: .1, Margin: 1}, PriceAll)),
		"not told": first(judged(policy.Objective{Bound: .1, Margin: 1, Price: 7, Calibrated: true}, PriceNone)),
		"not yet":  first(judged(policy.Objective{Bound: .1, Margin: 1, Price: 7}, PriceCalibrated)),
	} {
		if cost, _ := j.Weigh([]float64{.09}, a); !math.IsInf(cost, 1) {
			t.Errorf("%s: a latency above its bound under its margin costs %v", name, cost)
		}
		if j.Prices() {
			t.Errorf("%s: it says that it prices", name)
		}
	}
}

func first(j *Judge, _ *policy.Observation, _ policy.Action) *Judge { return j }
