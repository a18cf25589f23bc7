package rollout

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/model"
)

// ridge is a service that is fast on the second destination and slow on the first, and
// at one mixture of both too slow to carry anything.
func ridge(a policy.Action, _ []float64) []float64 {
	b, w := plugintest.Of(a, "a")
	switch {
	case b == 1 || w < .3:
		return []float64{.01}
	case w > .5:
		return []float64{.12 - .1*b} // in bounds of .06 from a blocking of .6 on
	}
	return []float64{1}
}

func configured(t *testing.T, p policy.Policy, tb *model.Table, settings string) policy.Policy {
	t.Helper()
	b, err := tb.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Configure(context.Background(), policy.Config{Artefact: b, Settings: []byte(settings)}); err != nil {
		t.Fatal(err)
	}
	return p
}

func decide(t *testing.T, p policy.Policy, o policy.Observation) policy.Decision {
	t.Helper()
	d, err := p.Decide(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Action.Validate(o.Knobs); err != nil {
		t.Fatal(err)
	}
	return d
}

func carried(o policy.Observation, a policy.Action) float64 {
	v := 0.0
	for _, s := range o.Services {
		b, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: s.Name})
		v += o.State.Role(s.Name, policy.RoleOffered).Value * (1 - b)
	}
	return v
}

// In front of the ridge every single step costs: tabular stays where it carries .4 of the
// load. Rollout blocks all for the one interval that it takes to cross, and carries all.
func TestLooksBeyondTheNextStep(t *testing.T) {
	tb := plugintest.Table(t, [][]float64{{5, 20}}, ridge)
	run := func(p policy.Policy) (carries float64, worst float64) {
		o := plugintest.Observation(tb.Knobs, .06, 10)
		o.Limits.MaxStep = .2
		o.Live[0].Value, o.Live[1].Value, o.Live[2].Value = .6, .6, .4
		for range 20 {
			d := decide(t, p, o)
			if edits := guard.Limit(o, d.Action).Edits; len(edits) > 0 {
				t.Fatalf("the guard edits %+v", edits)
			}
			o.Live = d.Action
			worst = math.Max(worst, d.Expected[0].Value)
		}
		return carried(o, o.Live), worst
	}
	myopic, _ := run(configured(t, tabular.New(), tb, ""))
	ahead, worst := run(configured(t, New(), tb, `{"horizon": 20}`))
	if math.Abs(myopic-4) > 1e-9 || math.Abs(ahead-10) > 1e-9 {
		t.Errorf("tabular carries %v, want 4; rollout %v, want 10", myopic, ahead)
	}
	if worst > .06 {
		t.Errorf("a bound was broken on the way: %v s", worst)
	}
	if short, _ := run(configured(t, New(), tb, `{"horizon": 2}`)); short > 5 {
		t.Errorf("with a horizon of 2 intervals it carries %v, as if it saw the other side", short)
	}
}

// Whatever the host hands: without a step limit the choice is worth what tabular's is,
// under margins and under prices; with one the guard has nothing to edit; and the same
// observation gets the same decision.
func TestAgreesWithTabularWhereNothingIsSequential(t *testing.T) {
	tb := plugintest.Table(t, [][]float64{{5, 20}, {5, 20}}, plugintest.Shared)
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[bool]int{}
	for _, objectives := range []string{"margin", "price"} {
		setting := `{"objectives": "` + objectives + `", "hysteresis": 0}`
		p, base := configured(t, New(), tb, setting), configured(t, tabular.New(), tb, setting)
		for n := range 60 {
			o := plugintest.Observation(tb.Knobs, .03+.03*rng.Float64(), 6+13*rng.Float64(), 6+13*rng.Float64())
			for s := range o.Services {
				obj := &o.Services[s].Objectives[0]
				obj.Margin, obj.Price, obj.Lag = .3*rng.Float64(), 40*rng.Float64(), .3*float64(n%2)
			}
			o.Limits.TotalBlocking = .3 + .7*rng.Float64()
			o.Services[0].Floor = float64(rng.IntN(3))
			got, want := decide(t, p, o), decide(t, base, o)
			if got.Infeasible != want.Infeasible {
				t.Fatalf("infeasible %v, tabular %v", got.Infeasible, want.Infeasible)
			}
			seen[got.Infeasible]++
			if d := math.Abs(carried(o, got.Action) - carried(o, want.Action)); objectives == "margin" && d > 1e-9 || got.Infeasible && d > 0 {
				t.Fatalf("carries %v, tabular %v", carried(o, got.Action), carried(o, want.Action))
			}
			if d := cmp.Diff(got, decide(t, p, o)); d != "" {
				t.Fatalf("asked again:\n%s", d)
			}
			o.Limits.MaxStep, o.Live = .2, got.Action
			if next := decide(t, p, o); !next.Infeasible && len(guard.Limit(o, next.Action).Edits) > 0 {
				t.Fatalf("the guard edits %v", next.Action)
			}
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("infeasible or not: %v; want some of both", seen)
	}
}

func TestInfeasibleShedsWhatIsAboveItsBound(t *testing.T) {
	tb := plugintest.Table(t, [][]float64{{5, 20}, {5, 20}}, plugintest.Shared)
	o := plugintest.Observation(tb.Knobs, .001, 10, 10)
	o.Services[1].Objectives[0].Bound = 1
	d := decide(t, configured(t, New(), tb, ""), o)
	a, _ := plugintest.Of(d.Action, "a")
	b, _ := plugintest.Of(d.Action, "b")
	if !d.Infeasible || a != 1 || b != 0 {
		t.Errorf("infeasible %v, blocking %v and %v; want true, 1, 0", d.Infeasible, a, b)
	}
}

func TestBeyondTheDataNothingIsPromised(t *testing.T) {
	tb := plugintest.Table(t, [][]float64{{5, 20}, {5, 20}}, plugintest.Shared)
	o := plugintest.Observation(tb.Knobs, .5, 40, 10)
	o.Live[0].Value, o.Live[1].Value = .4, .4
	d := decide(t, configured(t, New(), tb, ""), o)
	if d.Expected[0].Supported || !strings.Contains(d.Reason, "outside the data") || d.Action[0].Value < .4 || d.Action[1].Value < .4 {
		t.Errorf("decision %+v", d)
	}
}

// The live action stays unless the plan, not the next step, is worth more.
func TestStaysForLittle(t *testing.T) {
	tb := plugintest.Table(t, [][]float64{{5, 20}}, ridge)
	o := plugintest.Observation(tb.Knobs, .06, 10)
	o.Limits.MaxStep = .2
	o.Live[0].Value, o.Live[1].Value, o.Live[2].Value = .6, .6, .4
	d := decide(t, configured(t, New(), tb, `{"horizon": 20, "hysteresis": 0.9}`), o)
	if !d.Action.Equal(o.Live, 0) || !strings.Contains(d.Reason, "the live action is as good") {
		t.Errorf("moved to %v: %s", d.Action, d.Reason)
	}
}

func TestConfigureAndDecideRefuse(t *testing.T) {
	tb := plugintest.Table(t, [][]float64{{5, 20}, {5, 20}}, plugintest.Shared)
	artefact, err := tb.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for settings, want := range map[string]string{
		`{"horizon": 0}`: "horizon = 0: want 1 to", `{"horizon": 2000}`: "horizon = 2000", `{"horizon": 1.5}`: "and horizon = a number of intervals",
		`{"depth": 1}`: `unknown field "depth"`, `{"objectives": "soft"}`: `objectives = "soft"`, `{"hysteresis": -1}`: "hysteresis = -1",
	} {
		if err := New().Configure(context.Background(), policy.Config{Artefact: artefact, Settings: []byte(settings)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("settings %s: error %v does not say %q", settings, err, want)
		}
	}
	if err := New().Configure(context.Background(), policy.Config{Artefact: []byte("x")}); err == nil || !strings.Contains(err.Error(), "train the policy again") {
		t.Errorf("a damaged artefact: %v", err)
	}
	o := plugintest.Observation(tb.Knobs, .06, 10, 10)
	if _, err := New().Decide(context.Background(), o); err == nil {
		t.Error("decides without an artefact")
	}
	o.State = nil
	p := configured(t, New(), tb, "")
	if _, err := p.Decide(context.Background(), o); err == nil || !strings.Contains(err.Error(), "rollout: the offered load of a is not known") {
		t.Errorf("without loads: %v", err)
	}
}

func BenchmarkDecide(b *testing.B) {
	t := &testing.T{}
	tb := plugintest.Table(t, [][]float64{{5, 20}, {5, 20}}, plugintest.Shared)
	p := configured(t, New(), tb, "")
	o := plugintest.Observation(tb.Knobs, .06, 12, 13)
	o.Limits.MaxStep = .2
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Decide(context.Background(), o); err != nil {
			b.Fatal(err)
		}
	}
}

// The guard has nothing to edit, whatever is observed.
func TestTheGuardHasNothingToEdit(t *testing.T) {
	tb := plugintest.Table(t, [][]float64{{5, 20}, {5, 20}}, plugintest.Shared)
	plugintest.Unedited(t, configured(t, New(), tb, ""), plugintest.Observation(tb.Knobs, .05, 14, 14), 500)
}
