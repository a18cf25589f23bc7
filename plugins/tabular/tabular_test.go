package tabular

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/planning"
	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/model"
)

func table(t *testing.T) *model.Table {
	t.Helper()
	return plugintest.Table(t, [][]float64{{5, 10, 15, 20}, {5, 20}}, plugintest.Shared)
}

func configured(t *testing.T) *Policy {
	t.Helper()
	b, err := table(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := New()
	if err := p.Configure(context.Background(), policy.Config{Artefact: b}); err != nil {
		t.Fatal(err)
	}
	return p
}

func observation(x, y, bound, margin float64) policy.Observation {
	o := plugintest.Observation(plugintest.Knobs("a", "b"), bound, x, y)
	for i := range o.Services {
		o.Services[i].Objectives[0].Margin = margin
	}
	return o
}

func decide(t *testing.T, p *Policy, o policy.Observation) policy.Decision {
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

func carried(a policy.Action, x, y float64) float64 {
	ba, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: "a"})
	bb, _ := a.Get(policy.KnobID{Kind: policy.Blocking, Target: "b"})
	return x*(1-ba) + y*(1-bb)
}

// At loads between the table's, the choice is the optimum by enumeration of the truth.
func TestDecideFindsTheOptimum(t *testing.T) {
	p := configured(t)
	grid, err := policy.Grid(plugintest.Knobs("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	for _, margin := range []float64{0, .1} {
		for _, load := range [][]float64{{20, 20}, {12.5, 17}, {7, 6}, {18, 11}} {
			const bound = .06
			best := 0.0
			for _, a := range grid {
				v := plugintest.Shared(a, load)
				if math.Max(v[0], v[1])*(1+margin) <= bound+1e-7 {
					best = math.Max(best, carried(a, load[0], load[1]))
				}
			}
			d := decide(t, p, observation(load[0], load[1], bound, margin))
			v := plugintest.Shared(d.Action, load)
			if worst := math.Max(v[0], v[1]) * (1 + margin); worst > bound+1e-6 {
				t.Errorf("load %v, margin %v: latency %v under its margin, bound %v", load, margin, worst, bound)
			}
			if got := carried(d.Action, load[0], load[1]); got < best-planning.Hysteresis*(load[0]+load[1])-1e-6 {
				t.Errorf("load %v, margin %v: carries %v, the optimum %v", load, margin, got, best)
			}
			if math.Abs(d.Expected[0].Value-v[0]) > 1e-6 {
				t.Errorf("load %v: expects %v, the truth is %v", load, d.Expected[0].Value, v[0])
			}
		}
	}
}

func TestDecideKeepsToTheLimits(t *testing.T) {
	p := configured(t)
	o := observation(20, 20, .06, 0)
	o.Limits = policy.Limits{MaxStep: .2, TotalBlocking: .5}
	for range 10 {
		d := decide(t, p, o)
		if r := guard.Check(o, d.Action); !d.Infeasible && len(r.Edits) > 0 {
			t.Fatalf("the guard had to edit %v: %+v", d.Action, r.Edits)
		}
		o.Live = guard.Check(o, d.Action).Action
	}
	if v := plugintest.Shared(o.Live, []float64{20, 20}); math.Max(v[0], v[1]) > .06+1e-6 {
		t.Errorf("after ten cycles the latencies are %v", v)
	}
}

func TestNothingFeasibleShedsWhatIsAboveItsBound(t *testing.T) {
	p := configured(t)
	d := decide(t, p, observation(20, 20, .001, 0))
	if b, _ := d.Action.Get(policy.KnobID{Kind: policy.Blocking, Target: "a"}); !d.Infeasible || b != 1 {
		t.Errorf("infeasible %v, blocking %v; want true, 1", d.Infeasible, b)
	}
}

// Beyond the data the policy plans with the nearest known load, but never opens up.
func TestOutsideTheDataNothingIsUnblocked(t *testing.T) {
	p := configured(t)
	for _, bound := range []float64{.5, .06, .05, .001} {
		for _, live := range []float64{0, .2, .5, 1} {
			o := observation(25, 10, bound, 0)
			o.Live.Set(policy.KnobID{Kind: policy.Blocking, Target: "a"}, live)
			d := decide(t, p, o)
			for i, k := range o.Knobs {
				if k.Kind == policy.Blocking && d.Action[i].Value < o.Live[i].Value {
					t.Errorf("bound %v: %s lowered from %v to %v", bound, k.KnobID, o.Live[i].Value, d.Action[i].Value)
				}
			}
			if d.Expected[0].Supported || d.ExpectedLive[1].Supported {
				t.Errorf("bound %v: a prediction claims support", bound)
			}
			v := plugintest.Shared(d.Action, []float64{20, 10})
			if !d.Infeasible && math.Max(v[0], v[1]) > bound+1e-6 {
				t.Errorf("bound %v, live blocking %v: latencies %v at the nearest known load", bound, live, v)
			}
		}
	}
}

func TestSupportIsTheDatas(t *testing.T) {
	tb := table(t)
	tb.Support = []model.Span{{Min: 4, Max: 21}, {Min: 4, Max: 21}}
	b, err := tb.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := New()
	if err := p.Configure(context.Background(), policy.Config{Artefact: b}); err != nil {
		t.Fatal(err)
	}
	if d := decide(t, p, observation(20.5, 4.5, .06, 0)); !d.Expected[0].Supported {
		t.Error("a load within the data has no support")
	}
	if d := decide(t, p, observation(21.5, 4.5, .06, 0)); d.Expected[0].Supported {
		t.Error("a load beyond the data has support")
	}
}

// brute is the best score of the admissible actions by a judge of its own.
func brute(tb *model.Table, o policy.Observation, pricing margin.Pricing) float64 {
	grid, err := policy.Grid(o.Knobs)
	if err != nil {
		panic(err)
	}
	offered := []float64{o.State.Role("a", policy.RoleOffered).Value, o.State.Role("b", policy.RoleOffered).Value}
	j := margin.Judge{Terms: policy.NewTerms(o.Knobs, o.Services), Pricing: pricing, Scales: tb.Scales, Tails: tb.Tails()}
	j.Begin(&o, tb.Signals, offered, plugintest.Shared(o.Live, offered))
	best := math.Inf(-1)
	for _, a := range grid {
		if len(guard.Limit(o, a).Edits) > 0 {
			continue
		}
		cost, _ := j.Weigh(plugintest.Shared(a, offered), a)
		best = math.Max(best, carried(a, offered[0], offered[1])-cost)
	}
	return best
}

// One piece of code chooses under margins and under prices: the best score of all
// admissible actions, with whatever the host hands.
func TestDecideMaximisesTheScore(t *testing.T) {
	tb := table(t)
	for range tb.Services { // half as sure at a prediction of 60 ms as at one of 20
		tb.Scales = append(tb.Scales, margin.Scale{At: []float64{.02, .06}, Value: []float64{.7, 1.4}})
	}
	artefact, err := tb.Encode()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for settings, pricing := range map[string]margin.Pricing{
		`{}`: margin.PriceNone, `{"objectives": "price"}`: margin.PriceAll, `{"objectives": "auto"}`: margin.PriceCalibrated,
	} {
		p := New()
		if err := p.Configure(context.Background(), policy.Config{Artefact: artefact, Settings: []byte(settings)}); err != nil {
			t.Fatal(err)
		}
		for n := range 24 {
			o := observation(6+14*rng.Float64(), 6+14*rng.Float64(), .06, .2*rng.Float64())
			o.Limits = policy.Limits{MaxStep: .4, TotalBlocking: 1 - .5*float64(n%2)}
			for s := range o.Services {
				obj := &o.Services[s].Objectives[0]
				obj.Price, obj.Lag, obj.Residual = 40*rng.Float64(), .3*float64(n%3), .1*rng.NormFloat64()
				obj.Calibrated = rng.IntN(2) == 0
				obj.Correction = make([]float64, policy.NewTerms(o.Knobs, o.Services).Len())
				for i := range obj.Correction {
					obj.Correction[i] = .01 * rng.NormFloat64()
				}
			}
			for i := range o.State { // what was measured is 4 % above the model
				if s := &o.State[i]; s.Role == policy.RoleLatency {
					s.Value *= 1.04
				}
			}
			d, want := decide(t, p, o), brute(tb, o, pricing)
			if d.Infeasible != math.IsInf(want, -1) {
				t.Fatalf("infeasible %v, but the best score is %v", d.Infeasible, want)
			}
			if d.Infeasible {
				continue
			}
			load := []float64{o.State.Role("a", policy.RoleOffered).Value, o.State.Role("b", policy.RoleOffered).Value}
			j := margin.Judge{Terms: policy.NewTerms(o.Knobs, o.Services), Pricing: pricing, Scales: tb.Scales, Tails: tb.Tails()}
			j.Begin(&o, tb.Signals, load, plugintest.Shared(o.Live, load))
			cost, _ := j.Weigh(plugintest.Shared(d.Action, load), d.Action)
			if got := carried(d.Action, load[0], load[1]) - cost; got < want-planning.Hysteresis*(load[0]+load[1])-1e-4 || got > want+1e-4 {
				t.Fatalf("%s, case %d: score %v, the best one is %v", settings, n, got, want)
			}
			for i, e := range d.Expected {
				if risk := j.Risk(i, plugintest.Shared(d.Action, load)[i], d.Action); math.Abs(e.Risk-risk) > 1e-4 || !(e.Risk > 0) {
					t.Fatalf("%s, case %d: a risk of %v is said, it is %v", settings, n, e.Risk, risk)
				}
			}
		}
	}
}

func TestSettingsAreStrict(t *testing.T) {
	artefact, err := table(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{`{"objectives": "soft"}`, `{"hysteresis": 2}`, `{"steps": 1}`, `[]`} {
		if err := New().Configure(context.Background(), policy.Config{Artefact: artefact, Settings: []byte(bad)}); err == nil {
			t.Errorf("settings %s were taken", bad)
		}
	}
}

func TestDecideIsPure(t *testing.T) {
	p, q := configured(t), configured(t)
	first := decide(t, p, observation(12, 17, .06, 0))
	decide(t, p, observation(20, 5, .05, .2))
	if d := cmp.Diff(first, decide(t, p, observation(12, 17, .06, 0))); d != "" {
		t.Errorf("a decision in between changed it:\n%s", d)
	}
	if d := cmp.Diff(first, decide(t, q, observation(12, 17, .06, 0))); d != "" {
		t.Errorf("a restart changed it:\n%s", d)
	}
}

func TestUnusableInputIsAnError(t *testing.T) {
	if _, err := New().Decide(context.Background(), observation(10, 10, .06, 0)); err == nil {
		t.Error("decided without a table")
	}
	for _, artefact := range [][]byte{nil, []byte("x")} {
		if err := New().Configure(context.Background(), policy.Config{Artefact: artefact}); err == nil {
			t.Errorf("artefact %q was taken", artefact)
		}
	}
	short := table(t)
	short.Values = short.Values[1:]
	b, err := short.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := New().Configure(context.Background(), policy.Config{Artefact: b}); err == nil {
		t.Error("a damaged table was taken")
	}
	p := configured(t)
	o := observation(10, 10, .06, 0)
	for i := range o.State {
		o.State[i].Status = policy.Stale
	}
	if _, err := p.Decide(context.Background(), o); err == nil {
		t.Error("decided on stale loads")
	}
	o = observation(10, 10, .06, 0)
	o.Knobs = o.Knobs[1:]
	if _, err := p.Decide(context.Background(), o); err == nil {
		t.Error("decided for other knobs")
	}
}

// decisions are the cases of the benchmark: an easy one, one where nothing is
// feasible, and one where the guard's cap refuses most of what is.
func decisions() map[string]policy.Observation {
	capped := observation(20, 20, .045, 0)
	capped.Limits = policy.Limits{MaxStep: .2, TotalBlocking: .1}
	return map[string]policy.Observation{
		"feasible": observation(12.5, 17, .06, 0), "infeasible": observation(12.5, 17, .001, 0), "capped": capped,
	}
}

func TestDecideAllocatesOnlyItsAnswer(t *testing.T) {
	p := configured(t)
	for name, o := range decisions() {
		// The action, the predictions, the reason, two alternatives, and the guard's look at each improvement.
		if n := testing.AllocsPerRun(20, func() { decide(t, p, o) }); n > 40 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	p := configured(&testing.T{})
	for name, o := range decisions() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Decide(context.Background(), o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The guard has nothing to edit, whatever is observed.
func TestTheGuardHasNothingToEdit(t *testing.T) {
	o := observation(14, 14, .05, 0)
	plugintest.Unedited(t, configured(t), o, 400)
}

// What would carry more is told with what is predicted of it, and so is what is in force.
func TestAlternativesSayWhatTheyWouldBreak(t *testing.T) {
	p := configured(t)
	o := observation(20, 20, .06, .1)
	d := decide(t, p, o)
	if len(d.Alternatives) == 0 {
		t.Fatal("none, although not all of the load is carried")
	}
	more := d.Alternatives[0]
	if carried(more.Action, 20, 20) <= carried(d.Action, 20, 20) || !strings.HasPrefix(more.Reason, "worth the most of what the limits admit; under the margin above the bound: a at ") {
		t.Errorf("%+v", more)
	}
	v := plugintest.Shared(more.Action, []float64{20, 20})
	if math.Max(v[0], v[1])*1.1 <= .06 || more.Score != carried(more.Action, 20, 20) {
		t.Errorf("%v with a score of %v: it breaks no bound", v, more.Score)
	}
	for _, a := range d.Alternatives {
		if a.Action.Equal(d.Action, 1e-9) {
			t.Errorf("what is done is an alternative: %+v", a)
		}
	}
	if last := d.Alternatives[len(d.Alternatives)-1]; !d.Action.Equal(o.Live, 1e-9) && !strings.HasPrefix(last.Reason, "the live action") {
		t.Errorf("the live action is not among them: %+v", d.Alternatives)
	}
	if d := decide(t, p, observation(5, 5, 10, 0)); carried(d.Action, 5, 5) < 10 || len(d.Alternatives) > 1 {
		t.Errorf("all of the load is carried, and yet %+v", d.Alternatives)
	}
}

// Rules that leave a knob less room than the table has make no answer that the host refuses.
func TestAlternativesAreWithinTheRules(t *testing.T) {
	p := configured(t)
	o := observation(20, 20, .06, .5)
	o.Knobs = slices.Clone(o.Knobs)
	for i := range o.Knobs {
		if o.Knobs[i].Kind == policy.Blocking {
			o.Knobs[i].Min = .2 // while nothing is blocked yet
		}
	}
	d := decide(t, p, o)
	for _, a := range d.Alternatives {
		if err := a.Action.Validate(o.Knobs); err != nil {
			t.Errorf("%+v: %v", a, err)
		}
	}
	if len(d.Alternatives) != 1 || !strings.HasPrefix(d.Alternatives[0].Reason, "worth the most of what the limits admit") {
		t.Errorf("%+v, want what carries more within the rules, and not the live action", d.Alternatives)
	}
}
