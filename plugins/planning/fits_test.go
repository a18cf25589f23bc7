package planning

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// A mesh whose rules have lost an objective since the table was made gets predictions of
// the others alone: the host takes no prediction of what is no objective.
func TestPredictsObjectivesAlone(t *testing.T) {
	c, err := NewCase("test", flat(t), Defaults())
	if err != nil {
		t.Fatal(err)
	}
	o := observe(c, rand.New(rand.NewPCG(1000, 1)), 10, 10)
	o.Services[1].Objectives = []policy.Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .1, Budget: .05}}
	if err := c.Begin(o); err != nil {
		t.Fatal(err)
	}
	d := c.Decision(o.Live, c.Nearest, "because")
	for _, p := range [][]policy.Prediction{d.Expected, d.ExpectedLive} {
		if len(p) != 1 || p[0].Service != "b" {
			t.Errorf("predicts %+v, want b alone", p)
		}
	}
}

func TestImpossibleSettingsAreRefused(t *testing.T) {
	c, err := NewCase("test", flat(t), Defaults())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{7, -.1, math.NaN()} {
		o := observe(c, rand.New(rand.NewPCG(1000, 1)), 10, 10)
		o.Live[len(o.Live)-1].Value = v
		if err := c.Begin(o); err == nil || !strings.Contains(err.Error(), "in the live action; want 0 to 1") {
			t.Errorf("%v: %v, want an error", v, err)
		}
	}
}
