package tabular

import (
	"context"
	"testing"

	"github.com/windvane/windvane/plugins/planning"
	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/policy"
)

// overloaded answers about as well whatever is set while the load is small, a little better
// where all is on v2, which is the first to be overloaded: v1 carries twice as much.
func overloaded(a policy.Action, load []float64) []float64 {
	blocked, first := plugintest.Of(a, "a")
	admitted := load[0] * (1 - blocked)
	if most := max(admitted*first/2, admitted*(1-first)); most > 6 {
		return []float64{.02 * most}
	}
	return []float64{.02 + .001*first}
}

// Where there is little load every split carries all of it, and the nearest to the bound is
// noise. The one that is taken is ready for a load that overloads the others, and a live one
// that is not is left.
func TestQuietSettingsAreReadyForMore(t *testing.T) {
	artefact, err := plugintest.Table(t, [][]float64{{4, 8, 12, 16}}, overloaded).Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := New()
	if err := p.Configure(context.Background(), policy.Config{Artefact: artefact}); err != nil {
		t.Fatal(err)
	}
	o := plugintest.Observation(plugintest.Knobs("a"), .2, 4)
	for i, k := range o.Knobs {
		if k.Kind == policy.Weight {
			o.Live[i].Value = map[string]float64{"v1": 0, "v2": 1}[k.Part]
		}
	}
	d := decide(t, p, o)
	blocked, first := plugintest.Of(d.Action, "a")
	if blocked > 0 || first < .6-planning.Tiny || first > .8+planning.Tiny {
		t.Errorf("%v: blocks %v, and %v goes to v1, which carries two thirds", d.Reason, blocked, first)
	}
	o.Live = d.Action.Clone()
	if again := decide(t, p, o); !again.Action.Equal(o.Live, planning.Tiny) {
		t.Errorf("goes on from %v to %v", o.Live.Values(), again.Action.Values())
	}
}
