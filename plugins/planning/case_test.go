package planning

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
	"github.com/windvane/windvane/sim/model"
)

// flat is a table of two services over two destinations each, of which nothing is slow.
func flat(t *testing.T) *model.Table {
	t.Helper()
	tb := &model.Table{Services: []string{"a", "b"}, Signals: []string{"latency", "latency"}, Loads: [][]float64{{0, 20}, {0, 20}}}
	tb.Knobs = append(plugintest.Knobs(tb.Services...), policy.Knob{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "ns/n"}, Min: 1, Max: 3, Levels: 3, Cost: .5})
	policy.SortKnobs(tb.Knobs)
	grid, err := policy.Grid(tb.Knobs)
	if err != nil {
		t.Fatal(err)
	}
	tb.Values = make([]float32, 4*len(grid)*2)
	return tb
}

func observe(c *Case, rng *rand.Rand, loads ...float64) policy.Observation {
	o := policy.Observation{
		Knobs: c.Table.Knobs, Live: c.Grid[rng.IntN(len(c.Grid))].Clone(),
		Limits: policy.Limits{MaxStep: .2 * float64(1+rng.IntN(5)), TotalBlocking: .2 + .8*rng.Float64()},
	}
	for i, s := range c.Table.Services {
		o.Services = append(o.Services, policy.Service{Name: s, Value: 1, Floor: 4 * rng.Float64() * float64(rng.IntN(2))})
		o.State = append(o.State, policy.Signal{Name: "offered", Service: s, Role: policy.RoleOffered, Value: loads[i], Status: policy.Valid})
	}
	o.State.Sort()
	return o
}

// What Within and Allowed let through the guard does not edit. The other way round too,
// but for live settings that are beyond a floor or the cap: there the guard takes larger
// steps down.
func TestLimitsAreTheGuards(t *testing.T) {
	c, err := NewCase("test", flat(t), Defaults())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	admitted, edited := 0, 0
	for range 400 {
		o := observe(c, rng, 20*rng.Float64(), 20*rng.Float64())
		if err := c.Begin(o); err != nil {
			t.Fatal(err)
		}
		regular := c.Allowed(o.Live)
		for range 50 {
			a := c.Grid[rng.IntN(len(c.Grid))]
			edits := guard.Limit(o, a).Edits
			switch ours := c.Within(a) && c.Allowed(a); {
			case ours && len(edits) > 0:
				t.Fatalf("%v from %v is let through; the guard edits %+v", a, o.Live, edits)
			case !ours && regular && len(edits) == 0:
				t.Fatalf("%v from %v is refused; the guard has no edit", a, o.Live)
			case ours:
				admitted++
			default:
				edited++
			}
		}
	}
	if admitted < 100 || edited < 100 {
		t.Errorf("%d actions admitted, %d not: want plenty of both", admitted, edited)
	}
}

// A table that does not predict something is refused when it is read, not when that is looked at.
func TestTablesThatDoNotPredictAreRefused(t *testing.T) {
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), -1} {
		tb := flat(t)
		tb.Values[len(tb.Values)-1] = v
		if _, err := NewCase("test", tb, Defaults()); err == nil || !strings.Contains(err.Error(), "the artefact predicts") || !strings.Contains(err.Error(), "latency of b with") {
			t.Errorf("%v: error %v", v, err)
		}
	}
}

// Beyond the data no service is blocked less than it is.
func TestOutsideTheDataNothingIsUnblocked(t *testing.T) {
	c, err := NewCase("test", flat(t), Defaults())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	o := observe(c, rng, 25, 10)
	o.Live[0].Value = .4
	if err := c.Begin(o); err != nil {
		t.Fatal(err)
	}
	if c.Inside || c.Moves(0, .4, .2) || !c.Moves(0, .4, .4) || !c.Moves(0, .4, 1) {
		t.Error("blocking can be lowered beyond the data, or not be raised")
	}
}

func TestNearestIsOfTheWholeGrid(t *testing.T) {
	c, err := NewCase("test", flat(t), Defaults())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 3))
	for range 50 {
		a := c.Grid[rng.IntN(len(c.Grid))].Clone()
		for i := range a {
			a[i].Value += .4 * (rng.Float64() - .5)
		}
		distance := func(b policy.Action) (d float64) {
			for i := range b {
				d += (a[i].Value - b[i].Value) * (a[i].Value - b[i].Value)
			}
			return d
		}
		got := distance(c.Grid[c.nearest(a)])
		for _, b := range c.Grid {
			if distance(b) < got-1e-12 {
				t.Fatalf("%v is nearer to %v than %v", b, a, c.Grid[c.nearest(a)])
			}
		}
	}
}

func TestSettingsAreStrict(t *testing.T) {
	for src, want := range map[string]string{
		`{"objectives": "soft"}`: `objectives = "soft"`, `{"hysteresis": 2}`: "hysteresis = 2", `{"steps": 1}`: `unknown field "steps"; there are`, `[]`: "there are objectives",
	} {
		s := Defaults()
		err := Parse("test", []byte(src), &s, "")
		if err == nil {
			err = s.Check("test")
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "test: settings") {
			t.Errorf("%s: error %v does not say %q", src, err, want)
		}
	}
	s := Defaults()
	if err := Parse("test", nil, &s, ""); err != nil || s != Defaults() || s.Check("test") != nil {
		t.Errorf("no settings: %+v, %v", s, err)
	}
}
