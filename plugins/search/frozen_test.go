package search

import (
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// Where only raising blocking is admitted, nothing else is done, and that is.
func TestFrozenRaisesAndNothingElse(t *testing.T) {
	in, b := artefact(t, 6)
	p := configured(t, b, `{"evaluations": 600}`)
	rng := rand.New(rand.NewPCG(8, 9))
	raised, stayed := 0, 0
	for range 40 {
		o := in.observation(.6, rng.Float64())
		scatter(rng, o)
		o.Limits.Frozen = "change_budget"
		d := decide(t, p, o)
		for i, k := range o.Knobs {
			if v, live := d.Action[i].Value, o.Live[i].Value; k.Kind != policy.Blocking && v != live || v < live {
				t.Fatalf("%s moved from %v to %v", k.KnobID, live, v)
			}
		}
		if d.Action.Equal(o.Live, 0) {
			stayed++
		} else if !d.Infeasible {
			raised++
		}
	}
	if raised < 5 || stayed < 5 {
		t.Errorf("raised %d times, stayed %d: that tests one side", raised, stayed)
	}
}
