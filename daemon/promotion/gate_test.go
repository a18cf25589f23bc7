package promotion_test

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/promotion"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
)

const (
	capacity = 20. // requests/s of the only service
	bound    = .5  // seconds
)

var blocking = policy.KnobID{Kind: policy.Blocking, Target: "a"}

// latency is that of a single server.
func latency(load, blocked, capacity float64) float64 {
	return .1 / (1 - math.Min(.98, load*(1-blocked)/capacity))
}

// believes predicts the latency, at the time of an interval; NaN: it has no answer.
type believes func(n int, load, blocked float64) float64

// blocks as little as its model says that it may.
func (m believes) blocks(n int, load float64) float64 {
	for b := 0.; b < .8; b += .05 {
		v := m(n, load, b)
		if math.IsNaN(v) || v*1.35 <= bound {
			return b
		}
	}
	return .8
}

func knows(capacity float64) believes {
	return func(_ int, load, blocked float64) float64 { return latency(load, blocked, capacity) }
}

func at(blocked float64) policy.Action {
	return policy.Action{{KnobID: blocking, Value: blocked}}
}

// stage is a mesh with one service, whose load goes up and down, and what it does under a policy
// that blocks as is said.
type stage struct {
	rng   *rand.Rand
	noise float64
	live  float64
	n     int
}

func newStage(seed uint64) *stage { return &stage{rng: rand.New(rand.NewPCG(seed, 5)), live: .4} }

// next is the interval that ends, with a shadow's answer, and what the active policy will do.
func (s *stage) next(active func(load float64) float64, byActive, shadow believes) promotion.Interval {
	s.n++
	load := 16 + 9*math.Sin(2*math.Pi*float64(s.n)/300) + s.rng.NormFloat64()
	s.noise = .6*s.noise + .08*s.rng.NormFloat64()
	measured := latency(load, s.live, capacity) * math.Exp(s.noise)
	when := epoch.Add(time.Duration(s.n) * 5 * time.Second)
	of := func(name string, role policy.Role, v float64) policy.Signal {
		return policy.Signal{Name: name, Service: "a", Role: role, Value: v, At: when, Status: policy.Valid}
	}
	want := active(load)
	in := promotion.Interval{
		Observation: policy.Observation{
			At: when, State: policy.State{of("latency", policy.RoleLatency, measured), of("offered", policy.RoleOffered, load)}, Live: at(s.live),
			Knobs: []policy.Knob{{KnobID: blocking, Service: "a", Max: .8, Levels: 17}}, Services: services(),
		},
		Steady: true, Active: at(want), Beside: at(want), Slowest: .5,
	}
	if b := shadow.blocks(s.n, load); !math.IsNaN(shadow(s.n, load, b)) {
		in.Plan, in.Aim, in.Covered = at(b), at(b), true
		in.Judged = []journal.Judged{{
			Service: "a", Signal: "latency", Live: shadow(s.n, load, s.live), Shadow: shadow(s.n, load, b), Active: shadow(s.n, load, want),
		}}
		if byActive != nil {
			j := &in.Judged[0]
			j.ActiveLive, j.ActiveShadow, j.ActiveActive = byActive(s.n, load, s.live), byActive(s.n, load, b), byActive(s.n, load, want)
		}
	}
	s.live = want
	return in
}

func services() []policy.Service {
	return []policy.Service{{Name: "a", Value: 1, Objectives: []policy.Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: bound, Budget: .05}}}}
}

func asked() promotion.Asked {
	a := promotion.Asked{Promotion: rules.DefaultPromotion, Interval: 5 * time.Second, Services: services()}
	a.Minimum, a.CanaryMinimum = time.Hour, 30*time.Minute
	return a
}

// opens is the cycle at which the gate of a shadow is open; 0: never. It is looked at after each block.
func opens(seed uint64, cycles int, active func(load float64) float64, byActive, shadow believes) (int, []promotion.Item) {
	s, e := newStage(seed), promotion.NewEvidence(promotion.Pair{Policy: "s", Active: "a"})
	var items []promotion.Item
	for n := range cycles {
		if e.Add(s.next(active, byActive, shadow)) == nil {
			continue
		}
		if items = e.Gate(asked()); promotion.Passed(items) {
			return n + 1, items
		}
	}
	return 0, items
}

// canary reports whether a model that decides is let through to be active.
func canary(seed uint64, m believes) bool {
	s, e := newStage(seed), promotion.NewEvidence(promotion.Pair{Policy: "s", Active: "s"})
	for range 480 {
		in := s.next(func(load float64) float64 { return m.blocks(s.n, load) }, nil, m)
		v, _ := in.Observation.State.Find("a", "latency").Get()
		in.Measured = []journal.ObjectiveError{{Service: "a", Signal: "latency", Known: true, Error: map[bool]float64{true: 1}[v > bound]}}
		e.Add(in)
	}
	return promotion.Passed(e.Canary(asked(), epoch))
}

// careful blocks too much, and knows no model.
func careful(load float64) float64 { return math.Round(20*math.Min(.8, load/30)) / 20 }

// Of sabotaged models none gets as far as being active, beside a policy without a model and beside a
// good one. One that is wrong only where the active policy never goes can become a canary, and is
// measured there. Of models as good as they come all get there where there is something to win, and
// none where there is nothing. PROMOTION_REPORT=1500 has 20 of either.
func TestGate(t *testing.T) {
	const cycles = 1800
	each := 1
	if os.Getenv("PROMOTION_REPORT") != "" {
		each = 5
	}
	good := knows(capacity)
	beside := map[string]struct {
		active   func(float64) float64
		byActive believes
	}{
		"careful": {careful, nil},
		"good":    {func(load float64) float64 { return good.blocks(0, load) }, good},
	}
	for seed := range uint64(each) { //nolint:gosec // a few
		rng := rand.New(rand.NewPCG(1000+seed, 6))
		off := 1 + .04*rng.NormFloat64()
		sabotaged := map[string]believes{
			"shuffled labels": func(n int, _, _ float64) float64 {
				return latency(5+20*rand.New(rand.NewPCG(seed, uint64(n))).Float64(), .3, capacity) //nolint:gosec // a stream
			},
			"old capacity": knows(1.4 * capacity * off),
			"NaN region": func(n int, load, blocked float64) float64 {
				if load > 18 {
					return math.NaN()
				}
				return good(n, load, blocked)
			},
			"leaking time": func(n int, _, blocked float64) float64 { // the load is what it was at that time of another day
				return latency(16+9*math.Sin(2*math.Pi*(float64(n)+150)/300), blocked, capacity)
			},
		}
		for name, b := range beside {
			for kind, model := range sabotaged {
				n, _ := opens(1000+seed, cycles, b.active, b.byActive, model)
				if n > 0 && (kind != "old capacity" || name != "careful" || canary(1000+seed, model)) {
					t.Errorf("%s beside %s, seed %d: the gate opens after %d cycles", kind, name, seed, n)
				}
			}
		}
		for k := range uint64(4) {
			model := knows(capacity * (1 + .02*rng.NormFloat64()))
			n, items := opens(1100+4*seed+k, cycles, careful, nil, model)
			if n < 720 || !canary(1100+4*seed+k, model) {
				t.Errorf("a better one, seed %d: the gate opens after %d cycles: %+v", seed, n, items)
			}
			if n, _ := opens(1200+4*seed+k, cycles, beside["good"].active, good, model); n > 0 {
				t.Errorf("one that is as good, seed %d: the gate opens after %d cycles", seed, n)
			}
		}
	}
}
