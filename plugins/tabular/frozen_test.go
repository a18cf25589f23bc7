package tabular

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/policy"
)

// Where only raising blocking is admitted, the answer is the optimum of that by
// enumeration of the truth, and what is in force where that will do.
func TestFrozenRaisesAndNothingElse(t *testing.T) {
	p := configured(t)
	rng := rand.New(rand.NewPCG(5, 6))
	raised, stayed, shed := 0, 0, 0
	for range 200 {
		load := []float64{5 + 15*rng.Float64(), 5 + 15*rng.Float64()}
		bound := .015 + .05*rng.Float64() // .02 cannot be undercut
		o := observation(load[0], load[1], bound, 0)
		o.Limits.Frozen = "cooldown"
		for i, k := range o.Knobs {
			switch k.Kind {
			case policy.Blocking:
				o.Live[i].Value = float64(rng.IntN(3)) / 5
			case policy.Weight:
				if o.Live[i].Value = float64(rng.IntN(6)) / 5; k.Part == "v2" {
					o.Live[i].Value = 1 - o.Live[i-1].Value
				}
			case policy.Replicas: // there are none
			}
		}
		ba, _ := plugintest.Of(o.Live, "a")
		bb, _ := plugintest.Of(o.Live, "b")
		best := math.Inf(-1)
		for x := ba; x <= 1+1e-9; x += .2 {
			for y := bb; y <= 1+1e-9; y += .2 {
				a := o.Live.Clone()
				a.Set(policy.KnobID{Kind: policy.Blocking, Target: "a"}, x)
				a.Set(policy.KnobID{Kind: policy.Blocking, Target: "b"}, y)
				if v := plugintest.Shared(a, load); math.Max(v[0], v[1]) <= bound+1e-7 {
					best = math.Max(best, carried(a, load[0], load[1]))
				}
			}
		}
		d := decide(t, p, o)
		if d.Infeasible != math.IsInf(best, -1) {
			t.Fatalf("load %v, live %v: infeasible %v, the optimum %v", load, o.Live.Values(), d.Infeasible, best)
		}
		if got := carried(d.Action, load[0], load[1]); !d.Infeasible && got < best-.01*(load[0]+load[1])-1e-6 {
			t.Fatalf("load %v, live %v: carries %v, the optimum %v", load, o.Live.Values(), got, best)
		}
		switch {
		case d.Infeasible:
			shed++
		case d.Action.Equal(o.Live, 1e-9):
			stayed++
		default:
			raised++
		}
	}
	if raised < 20 || stayed < 20 || shed == 0 {
		t.Errorf("raised %d, stayed %d, shed %d: that tests one side", raised, stayed, shed)
	}
}

// What is off the grid stays there: it is no reason to call a mesh that keeps its bounds
// infeasible.
func TestFrozenKeepsWhatIsOffTheGrid(t *testing.T) {
	p := configured(t)
	o := observation(10, 10, .1, 0)
	for i, v := range []float64{.13, .27, .63, .37, .5, .5} {
		o.Live[i].Value = v
	}
	for reason := range map[string]bool{"cooldown": true, "change_budget": true, "freeze": true} {
		o.Limits.Frozen = reason
		if d := decide(t, p, o); d.Infeasible || !d.Action.Equal(o.Live, 0) || d.Expected[0].Supported {
			t.Errorf("%s: %+v", reason, d)
		}
	}
}
