package search

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/planning"
	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/model"
)

// With few services the choice is that of an enumeration of the model's predictions.
func TestDecideIsTheOptimumOfTheModel(t *testing.T) {
	in, b := artefact(t, 3)
	p := configured(t, b, "")
	const margin = .6
	o := in.observation(1, margin)
	grid, err := policy.Grid(o.Knobs)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.DecodeSystem(b)
	if err != nil {
		t.Fatal(err)
	}
	best, predictor, out := math.Inf(-1), m.Predictor(), make([]float64, 3)
	for _, a := range grid {
		v := carriedValue(o, a)
		if v <= best {
			continue
		}
		predictor.Latency(out, a.Values(), offered(o))
		worst := 0.0
		for i, s := range o.Services {
			worst = math.Max(worst, out[i]*(1+margin)/s.Objectives[0].Bound)
		}
		if worst <= 1 {
			best = v
		}
	}
	d := decide(t, p, o)
	all := 0.0
	for i, l := range offered(o) {
		all += l * o.Services[i].Value
	}
	if got := carriedValue(o, d.Action); d.Infeasible || got < best-planning.Hysteresis*all-1e-6 || got > best+1e-6 {
		t.Errorf("margin %v: carries %v, the optimum is %v; infeasible %v", margin, got, best, d.Infeasible)
	}
}

// However the mesh stands, the decision is one that the guard leaves alone and that
// the model, under the margin, expects to meet every bound; or it is flagged.
func TestDecideKeepsToLimitsAndMargins(t *testing.T) {
	in, b := artefact(t, 6)
	p := configured(t, b, `{"evaluations": 400}`)
	rng := rand.New(rand.NewPCG(4, 4))
	const cases = 60
	flagged, floors := 0, 0
	for n := range cases {
		o := in.observation(.7+.6*rng.Float64(), .5*rng.Float64())
		o.Limits = policy.Limits{MaxStep: .05 + .5*rng.Float64(), TotalBlocking: []float64{1, .6, .3}[n%3]}
		for i := range o.Services {
			if rng.IntN(3) == 0 {
				o.Services[i].Floor = in.Services[i].Rate * rng.Float64()
				floors++
			}
		}
		scatter(rng, o)
		d := decide(t, p, o)
		if g := guard.Limit(o, d.Action); !g.Action.Equal(d.Action, 1e-9) || len(g.Edits) > 0 {
			t.Fatalf("case %d: infeasible %v, and the guard would change %+v", n, d.Infeasible, g.Edits)
		}
		if d.Infeasible {
			flagged++
		} else if e := p.excess(o, d.Action); e > 1+1e-9 {
			t.Fatalf("case %d: a ratio of %v under the margin, and not flagged", n, e)
		}
		if len(d.Alternatives) > policy.MaxAlternatives || d.Reason == "" || len(d.Expected) != 6 || len(d.ExpectedLive) != 6 {
			t.Fatalf("case %d: %d alternatives, reason %q, %d expected", n, len(d.Alternatives), d.Reason, len(d.Expected))
		}
		for _, alternative := range d.Alternatives {
			if err := alternative.Action.Validate(o.Knobs); err != nil {
				t.Fatalf("case %d: alternative: %v", n, err)
			}
		}
	}
	if flagged == 0 || flagged == cases || floors == 0 {
		t.Errorf("%d of %d cases flagged, %d floors: they test one side only", flagged, cases, floors)
	}
}

// scatter moves the live action anywhere, on the grid or off it.
func scatter(rng *rand.Rand, o policy.Observation) {
	for i, k := range o.Knobs {
		v := rng.Float64()
		if rng.IntN(2) == 0 {
			v = math.Round(v*(levels-1)) / (levels - 1)
		}
		if k.Kind == policy.Weight && o.Knobs[i-1].Target == k.Target {
			v = 1 - o.Live[i-1].Value
		}
		o.Live[i].Value = v
	}
}

// With small steps the optimum is reached in several cycles, and then held, where the
// way to it is feasible: on this instance it is.
func TestDecideConverges(t *testing.T) {
	in, b := artefact(t, 7)
	p := configured(t, b, `{"evaluations": 1500}`)
	o := in.observation(1, .2)
	for i, k := range o.Knobs {
		if k.Kind == policy.Blocking {
			o.Live[i].Value = 1
		}
	}
	free := o
	want := carriedValue(o, decide(t, p, free).Action)
	o.Limits.MaxStep = .2
	for range 12 {
		d := decide(t, p, o)
		if d.Infeasible {
			t.Fatal("nothing feasible on the way down from full blocking")
		}
		o.Live = guard.Limit(o, d.Action).Action
	}
	if got := carriedValue(o, o.Live); got < .95*want {
		t.Errorf("after 12 cycles of small steps %v is carried, at once it would be %v", got, want)
	}
	if d := decide(t, p, o); !d.Action.Equal(o.Live, 1e-9) || !strings.Contains(d.Reason, "live action") {
		t.Errorf("settled, and yet it moves: %s", d.Reason)
	}
}

func TestNothingFeasibleShedsWhatIsAboveItsBound(t *testing.T) {
	in, b := artefact(t, 3)
	p := configured(t, b, "")
	o := in.observation(1, 0)
	o.Services[1].Objectives[0].Bound = 1e-6
	d := decide(t, p, o)
	for i, name := range []string{service(0), service(1), service(2)} {
		v, _ := d.Action.Get(policy.KnobID{Kind: policy.Blocking, Target: name})
		e := p.excess(only1(o, i), o.Live)
		if want := map[bool]float64{true: 1, false: 0}[e > 1]; v != want {
			t.Errorf("%s: blocking %v, want %v", name, v, want)
		}
	}
	if !d.Infeasible {
		t.Error("not flagged")
	}
	o.Services[1].Floor = .25 * in.Services[1].Rate
	if v, _ := decide(t, p, o).Action.Get(policy.KnobID{Kind: policy.Blocking, Target: service(1)}); math.Abs(v-.75) > 1e-9 {
		t.Errorf("with a floor of a quarter it blocks %v", v)
	}
}

// only1 is an observation with the objectives of one service.
func only1(o policy.Observation, service int) policy.Observation {
	services := make([]policy.Service, len(o.Services))
	copy(services, o.Services)
	for i := range services {
		if i != service {
			services[i].Objectives = nil
		}
	}
	o.Services = services
	return o
}

// Beyond the data nothing is promised, and nothing is blocked less than it is.
func TestOutsideTheDataNothingIsUnblocked(t *testing.T) {
	in, b := artefact(t, 6)
	p := configured(t, b, `{"evaluations": 600}`)
	rng := rand.New(rand.NewPCG(5, 5))
	for range 20 {
		o := in.observation(1.6, .1)
		scatter(rng, o)
		d := decide(t, p, o)
		for i, k := range o.Knobs {
			if k.Kind == policy.Blocking && d.Action[i].Value < o.Live[i].Value-1e-9 {
				t.Fatalf("%s lowered from %v to %v", k.KnobID, o.Live[i].Value, d.Action[i].Value)
			}
		}
		if d.Expected[0].Supported || d.ExpectedLive[0].Supported || !strings.Contains(d.Reason, "outside") {
			t.Fatalf("a promise outside the data: %q", d.Reason)
		}
	}
}

// What the host has learned of the model's errors counts: a correction and a lag move
// a prediction as a margin does.
func TestCorrectionsCount(t *testing.T) {
	in, b := artefact(t, 3)
	p := configured(t, b, "")
	withMargin, corrected, lagging := in.observation(1, .5), in.observation(1, 0), in.observation(1, 0)
	for i := range corrected.Services {
		terms := policy.NewTerms(corrected.Knobs, corrected.Services)
		coefficients := make([]float64, terms.Len())
		coefficients[0] = math.Log(1.5)
		corrected.Services[i].Objectives[0].Correction = coefficients
		lagging.Services[i].Objectives[0].Lag = 1
	}
	want := decide(t, p, withMargin)
	if d := decide(t, p, corrected); carriedValue(corrected, d.Action) != carriedValue(withMargin, want.Action) {
		t.Errorf("a correction by 1.5 carries %v, a margin of .5 %v", carriedValue(corrected, d.Action), carriedValue(withMargin, want.Action))
	}
	for i := range lagging.State { // measured: half as much again as the model said
		if s := &lagging.State[i]; s.Role == policy.RoleLatency {
			s.Value = 1.5 * want.ExpectedLive[i/2].Value
		}
	}
	if d := decide(t, p, lagging); math.Abs(carriedValue(lagging, d.Action)-carriedValue(withMargin, want.Action)) > 1e-9 {
		t.Errorf("a lagged residual of .5 carries %v, a margin of .5 %v", carriedValue(lagging, d.Action), carriedValue(withMargin, want.Action))
	}
}

func TestDecideIsPure(t *testing.T) {
	in, b := artefact(t, 6)
	p, q := configured(t, b, `{"evaluations": 2000}`), configured(t, b, `{"evaluations": 2000}`)
	first := decide(t, p, in.observation(1, .2))
	decide(t, p, in.observation(.8, .4))
	if d := cmp.Diff(first, decide(t, p, in.observation(1, .2))); d != "" {
		t.Errorf("a decision in between changed it:\n%s", d)
	}
	if d := cmp.Diff(first, decide(t, q, in.observation(1, .2))); d != "" {
		t.Errorf("a restart changed it:\n%s", d)
	}
}

func TestLearnedIncrementalIsFullPrediction(t *testing.T) {
	in, b := artefact(t, 6)
	p := configured(t, b, "")
	o := in.observation(1, .2)
	d, err := newDecision(p, o)
	if err != nil {
		t.Fatal(err)
	}
	e, whole := p.evaluator, make([]float64, 6)
	rng := rand.New(rand.NewPCG(6, 6))
	check := func() {
		t.Helper()
		p.whole.Latency(whole, e.action.Values(), d.planned)
		for s, v := range whole {
			if want := v * (1 + .2) * (1 / o.Services[s].Objectives[0].Bound); math.Abs(e.Ratio(s)-want) > 1e-12*want {
				t.Fatalf("service %d: ratio %v, from nothing %v", s, e.Ratio(s), want)
			}
		}
	}
	for range 500 {
		part := rng.IntN(len(d.problem.Parts))
		e.Set(part, rng.IntN(len(d.problem.Parts[part].Choices)))
		if rng.IntN(2) == 0 {
			e.Ratio(rng.IntN(6))
		}
		if rng.IntN(2) == 0 {
			e.Undo()
		}
		check()
	}
	if n := testing.AllocsPerRun(100, func() { e.Set(0, 1); e.Ratio(3); e.Undo(); e.Set(0, 0) }); n != 0 {
		t.Errorf("%v allocations an evaluation", n)
	}
}

func TestUnusableInputIsAnError(t *testing.T) {
	in, b := artefact(t, 3)
	ctx := context.Background()
	if _, err := New().Decide(ctx, in.observation(1, 0)); err == nil {
		t.Error("decided without a model")
	}
	for _, c := range []policy.Config{
		{},
		{Artefact: []byte("x")},
		{Artefact: b, Settings: []byte(`{"evaluation": 3}`)},
		{Artefact: b, Settings: []byte(`{"evaluations": -1}`)},
		{Artefact: b, Settings: []byte(`[]`)},
	} {
		if err := New().Configure(ctx, c); err == nil {
			t.Errorf("configured with settings %q and %d bytes", c.Settings, len(c.Artefact))
		}
	}
	p := configured(t, b, `{"evaluations": 500}`)
	for name, change := range map[string]func(*policy.Observation){
		"stale loads": func(o *policy.Observation) {
			for i := range o.State {
				o.State[i].Status = policy.Stale
			}
		},
		"knobs":          func(o *policy.Observation) { o.Knobs = o.Knobs[1:] },
		"live":           func(o *policy.Observation) { o.Live[0].Value = 2 },
		"no live":        func(o *policy.Observation) { o.Live = nil },
		"service":        func(o *policy.Observation) { o.Services[0].Name = "other" },
		"knob's service": func(o *policy.Observation) { o.Knobs[0].Service = "other" },
		"no levels":      func(o *policy.Observation) { o.Knobs[0].Levels = 0 },
	} {
		o := in.observation(1, 0)
		change(&o)
		if _, err := p.Decide(ctx, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if d := decide(t, p, in.observation(1, math.NaN())); !d.Infeasible {
		t.Error("a margin that is not a number was met")
	}
}

// The guard has nothing to edit, whatever is observed.
func TestTheGuardHasNothingToEdit(t *testing.T) {
	in, b := artefact(t, 3)
	plugintest.Unedited(t, configured(t, b, `{"evaluations": 300}`), in.observation(1, 0), 120)
}
