package learned

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/nn"
)

// artefact is of a network that was not trained: it proposes anything, so that what
// the policy does with proposals is on its own.
func artefact(t *testing.T, seed uint64) *Artefact {
	t.Helper()
	table := plugintest.Table(t, [][]float64{{5, 10, 20}, {5, 20}}, func(a policy.Action, load []float64) []float64 {
		out := make([]float64, len(load))
		for s, name := range []string{"a", "b"} {
			b, w := plugintest.Of(a, name)
			out[s] = .02 + .002*load[s]*(1-b)*(1+w)
		}
		return out
	})
	net := nn.New(4, 16, 24)
	net.Orthogonal(rand.New(rand.NewPCG(seed, 1)), 1)
	return &Artefact{Net: net, Table: table, Bound: []float64{.06, .06}}
}

func configured(t *testing.T, a *Artefact) *Policy {
	t.Helper()
	src, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := New()
	if err := p.Configure(context.Background(), policy.Config{Artefact: src}); err != nil {
		t.Fatal(err)
	}
	return p
}

// Whatever the network proposes: the action is on the grid and valid, the guard has
// nothing to edit, no margin is broken by the table, the same observation gets the same
// decision, and infeasible sheds what is above its bound.
func TestWhateverTheNetworkProposes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[bool]int{}
	for seed := range uint64(20) {
		a := artefact(t, seed)
		p := configured(t, a)
		for range 100 {
			o := plugintest.Observation(a.Table.Knobs, .025+.05*rng.Float64(), 4+18*rng.Float64(), 4+18*rng.Float64())
			o.Limits = policy.Limits{MaxStep: .2 + .8*rng.Float64(), TotalBlocking: .3 + .7*rng.Float64()}
			o.Live = p.choice.Grid[rng.IntN(len(p.choice.Grid))].Clone()
			o.Services[0].Floor = float64(rng.IntN(3))
			for s := range o.Services {
				o.Services[s].Objectives[0].Margin = -.3 + rng.Float64()
				o.Services[s].Objectives[0].Lag = .3 * rng.Float64()
			}
			d, err := p.Decide(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			again, err := p.Decide(context.Background(), o)
			if err != nil || cmp.Diff(d, again) != "" {
				t.Fatalf("two decisions differ (%v)", err)
			}
			if err := d.Action.Validate(o.Knobs); err != nil {
				t.Fatal(err)
			}
			if len(d.Expected) != 2 || len(d.ExpectedLive) != 2 || d.Reason == "" {
				t.Fatalf("decision %+v", d)
			}
			seen[d.Infeasible]++
			if edits := guard.Limit(o, d.Action).Edits; len(edits) > 0 {
				t.Fatalf("the guard edits %v", edits)
			}
			if d.Infeasible {
				continue
			}
			var latency []float64
			for _, e := range d.Expected {
				latency = append(latency, e.Value)
			}
			if cost, excess := p.choice.Judge.Weigh(latency, d.Action); cost != 0 || excess > 1 {
				t.Fatalf("the action breaks a margin: %v", excess)
			}
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("decisions that are infeasible or not: %v; want some of both", seen)
	}
}

func TestInfeasibleShedsWhatIsAboveItsBound(t *testing.T) {
	a := artefact(t, 1)
	p := configured(t, a)
	o := plugintest.Observation(a.Table.Knobs, .019, 10, 10) // below what an idle service has
	o.Services[1].Objectives[0].Bound = 1
	d, err := p.Decide(context.Background(), o)
	if err != nil || !d.Infeasible || d.Action[0].Value != 1 || d.Action[1].Value != o.Live[1].Value {
		t.Errorf("decision %+v, %v", d, err)
	}
}

func TestBeyondTheDataNothingIsPromised(t *testing.T) {
	a := artefact(t, 1)
	p := configured(t, a)
	o := plugintest.Observation(a.Table.Knobs, 1, 40, 10)
	for i := range 2 {
		o.Live[i].Value = .4
	}
	d, err := p.Decide(context.Background(), o)
	if err != nil || d.Expected[0].Supported || !strings.Contains(d.Reason, "outside the data") {
		t.Errorf("decision %+v, %v", d, err)
	}
	for i := range 2 {
		if d.Action[i].Value < .4 {
			t.Errorf("blocking of %s was lowered to %v", d.Action[i].Target, d.Action[i].Value)
		}
	}
}

func TestDecideRefuses(t *testing.T) {
	a := artefact(t, 1)
	p := configured(t, a)
	for name, c := range map[string]struct {
		change func(o *policy.Observation)
		want   string
	}{
		"other knob":    {func(o *policy.Observation) { o.Knobs = slices.Clone(o.Knobs); o.Knobs[0].Target = "z" }, "blocking:z"},
		"fewer knobs":   {func(o *policy.Observation) { o.Knobs = o.Knobs[1:] }, "6 knobs"},
		"other service": {func(o *policy.Observation) { o.Services[1].Name = "z" }, "service b"},
		"no load":       {func(o *policy.Observation) { o.State = nil }, "offered load"},
		"infinite load": {func(o *policy.Observation) { o.State[1].Value = math.Inf(1) }, "offered load"},
		"short steps": {func(o *policy.Observation) {
			o.Limits.MaxStep = .05
			o.Live[2].Value, o.Live[3].Value = .5, .5
		}, "raise max_step"},
	} {
		o := plugintest.Observation(a.Table.Knobs, .06, 10, 10)
		c.change(&o)
		if _, err := p.Decide(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not say %q", name, err, c.want)
		}
	}
	if _, err := New().Decide(context.Background(), policy.Observation{}); err == nil {
		t.Error("a policy without an artefact decides")
	}
}

func TestConfigureRefusesWhatDoesNotFit(t *testing.T) {
	good := artefact(t, 1)
	encode := func(change func(a *Artefact)) []byte {
		a := *good
		change(&a)
		src, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	card := func(name string, knobs []policy.Knob, services ...string) []byte {
		var list []map[string]string
		for _, s := range services {
			list = append(list, map[string]string{"service": s})
		}
		b, err := json.Marshal(map[string]any{"policy": name, "knobs": knobs, "services": list})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	same := encode(func(*Artefact) {})
	table, err := good.Table.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config policy.Config
		want   string
	}{
		"nothing":         {policy.Config{}, "train it again"},
		"a table":         {policy.Config{Artefact: table}, "train it again"},
		"settings":        {policy.Config{Artefact: same, Settings: []byte(`{"x":1}`)}, "settings"},
		"prices":          {policy.Config{Artefact: same, Settings: []byte(`{"objectives":"price"}`)}, "trained to keep margins"},
		"some prices":     {policy.Config{Artefact: same, Settings: []byte(`{"objectives":"auto"}`)}, "trained to keep margins"},
		"much hysteresis": {policy.Config{Artefact: same, Settings: []byte(`{"hysteresis":2}`)}, "hysteresis = 2"},
		"other inputs":    {policy.Config{Artefact: encode(func(a *Artefact) { a.Net = nn.New(3, 24) })}, "3 inputs"},
		"other outputs":   {policy.Config{Artefact: encode(func(a *Artefact) { a.Net = nn.New(4, 23) })}, "23 outputs"},
		"no bounds":       {policy.Config{Artefact: encode(func(a *Artefact) { a.Bound = nil })}, "0 bounds"},
		"negative bound":  {policy.Config{Artefact: encode(func(a *Artefact) { a.Bound = []float64{-1, 1} })}, "bound of a"},
		"card of tabular": {policy.Config{Artefact: same, Card: card("tabular", good.Table.Knobs, "a", "b")}, `"tabular"`},
		"other services":  {policy.Config{Artefact: same, Card: card(Name, good.Table.Knobs, "a", "c")}, "card"},
		"other knobs":     {policy.Config{Artefact: same, Card: card(Name, good.Table.Knobs[1:], "a", "b")}, "card"},
		"no card":         {policy.Config{Artefact: same, Card: []byte("{")}, "card"},
	} {
		p := configured(t, good)
		if err := p.Configure(context.Background(), c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not say %q", name, err, c.want)
		}
		if _, err := p.Decide(context.Background(), plugintest.Observation(good.Table.Knobs, .06, 10, 10)); err != nil {
			t.Errorf("%s: the policy did not stay as it was: %v", name, err)
		}
	}
	if err := New().Configure(context.Background(), policy.Config{Artefact: same, Card: card(Name, good.Table.Knobs, "a", "b")}); err != nil {
		t.Error(err)
	}
}

// The proposals are the most probable actions, as sorting all of them would have it.
func TestProposalsAreTheMostProbable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	sizes := []int{3, 6, 2, 5}
	p := newProposals(sizes, []int{60, 10, 5, 1})
	for range 50 {
		logits := make([]float32, 16)
		for i := range logits {
			logits[i] = float32(rng.NormFloat64())
		}
		admit := func(axis, category int) bool { return axis != 1 || category != 2 }
		if axis := p.find(logits, admit); axis >= 0 {
			t.Fatalf("stuck at axis %d", axis)
		}
		var all []float64
		for action := range 3 * 6 * 2 * 5 {
			sum, rest, at, ok := 0., action, 0, true
			for axis, n := range sizes {
				c := rest / p.stride[axis]
				rest %= p.stride[axis]
				sum += float64(logits[at+c] - slices.Max(logits[at:at+n]))
				ok = ok && admit(axis, c)
				at += n
			}
			if ok {
				all = append(all, sum)
			}
		}
		slices.SortFunc(all, func(a, b float64) int { return -int(math.Copysign(1, a-b)) })
		if len(p.best) != most {
			t.Fatalf("%d proposals", len(p.best))
		}
		for i, b := range p.best {
			if math.Abs(b.logp-all[i]) > 1e-5 {
				t.Fatalf("proposal %d has %v, want %v", i, b.logp, all[i])
			}
		}
	}
	if axis := p.find(make([]float32, 16), func(axis, _ int) bool { return axis != 2 }); axis != 2 {
		t.Errorf("stuck at %d, want 2", axis)
	}
}

func BenchmarkDecide(b *testing.B) {
	t := &testing.T{}
	a := artefact(t, 1)
	p := configured(t, a)
	o := plugintest.Observation(a.Table.Knobs, .06, 12, 13)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Decide(context.Background(), o); err != nil {
			b.Fatal(err)
		}
	}
}

// The guard has nothing to edit, whatever is observed.
func TestTheGuardHasNothingToEdit(t *testing.T) {
	for seed := range uint64(2) {
		a := artefact(t, seed)
		plugintest.Unedited(t, configured(t, a), plugintest.Observation(a.Table.Knobs, .05, 14, 14), 200)
	}
}
