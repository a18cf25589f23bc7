package eval

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/search"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/model"
)

// oneService is the smallest mesh with a route: few cells, so that its chances are
// sampled at once.
const oneService = `
fault = { node = "a", servers = 0.5 }
[[node]]
name = "a"
servers = 4
work = "100ms"
shape = "lognormal"
variation = 0.3
[[node]]
name = "b"
servers = 2
work = "100ms"
shape = "lognormal"
variation = 0.3
[[service]]
name = "only"
load = { minimum = 10, maximum = 50 }
timeout = "600ms"
[[service.destination]]
name = "v1"
path = [{ node = "a" }]
[[service.destination]]
name = "v2"
path = [{ node = "b" }]
`

const oneServiceRules = `
mesh = "one"
[signals]
offered = 'windvane:offered:rate'
carried = 'windvane:carried:rate'
latency = 'windvane:latency_seconds:p95'
[[service]]
name = "only"
  [[service.objective]]
  signal = "latency"
  bound = "300ms"
  target = 0.95
  [[service.route]]
  virtual_service = "default/shop"
  http = "only"
  destinations = ["v1", "v2"]
  levels = 4
  [service.blocking]
  maximum = 0.8
  levels = 5
[guard]
authority = "act"
max_step = 0.34
total_blocking = 0.8
`

func emulatorOptions(t *testing.T) EmulatorOptions {
	t.Helper()
	g, err := ParseGraph("one.toml", []byte(oneService))
	if err != nil {
		t.Fatal(err)
	}
	m, err := rules.Parse("rules.toml", []byte(oneServiceRules))
	if err != nil {
		t.Fatal(err)
	}
	return EmulatorOptions{
		Graph: g, Rules: m, Budgets: []float64{.05}, Delays: []Delay{DelayDaemon}, Seed: 1001, Runs: 2, samples: 400,
		phases: []emulatorPhase{{PhaseNormal, 110}, {PhaseFault, 220}, {PhaseBack, 60}, {PhaseGrowth, 110}},
	}
}

func TestEmulatorIsDeterministic(t *testing.T) {
	o := emulatorOptions(t)
	o.samples, o.phases = 160, []emulatorPhase{{PhaseNormal, 30}, {PhaseFault, 30}, {PhaseBack, 30}, {PhaseGrowth, 30}}
	sameAgain(t, func() (any, error) { return Emulator(t.Context(), o) })
}

func TestEmulatorJudges(t *testing.T) {
	r, err := Emulator(t.Context(), emulatorOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 4*3 || r.Sampled == 0 || !slices.Equal(r.Seeds, []uint64{1001, 1002}) || len(r.Bars) == 0 {
		t.Fatalf("%d rows, %d bars, %d intervals behind the oracle, seeds %v", len(r.Rows), len(r.Bars), r.Sampled, r.Seeds)
	}
	at := map[string]EmulatorRow{}
	for _, row := range r.Rows {
		at[row.Controller+" "+row.Phase] = row
	}
	if v := at["zero fault"].Violated["only"].Mean; v < .2 {
		t.Errorf("planning on the mean violates %.3f after the fault: it asks for nothing", v)
	}
	for _, phase := range []string{PhaseNormal, PhaseBack} {
		if row := at["full "+phase]; row.Violated["only"].Mean > .12 || row.OfOptimum.Mean < .6 || row.OfOptimum.Mean > 1.05 {
			t.Errorf("full, %s: violated %.3f, carried %.3f of the oracle", phase, row.Violated["only"].Mean, row.OfOptimum.Mean)
		}
	}
	if a, b := at["zero fault"].Violated["only"].Mean, at["full fault"].Violated["only"].Mean; b > a/2 {
		t.Errorf("after the fault full violates %.3f, zero %.3f", b, a)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "growth") || strings.Contains(text.String(), "NaN") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// Blocking thins the arrivals, so the chances at the admitted load are those of the
// blocked one: held against the emulator itself, with the blocking in force.
func TestChancesAreThoseOfTheBlockedLoad(t *testing.T) {
	e, err := newEmulation(emulatorOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	c := e.newChances()
	if err := e.measure(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	between := 0
	for range 25 {
		route, capacity := rng.IntN(len(c.routes)), rng.IntN(capacities)
		offered, blocking := 10+60*rng.Float64(), .2*float64(rng.IntN(5))
		got := make([]float64, 1)
		c.at(got, capacity, route, []float64{offered * (1 - blocking)})
		action := c.routes[route].Clone()
		action[0].Value = blocking
		cell, err := e.newCell(action, capacity, []float64{offered}, rng.Uint64())
		if err != nil {
			t.Fatal(err)
		}
		cell.run(400)
		above, _ := cell.means()
		want := above[0]
		if want > .02 && want < .98 {
			between++
		}
		// The cells are 7 requests/s apart, in which the chance may go from 0 to 1.
		if math.Abs(got[0]-want) > .08+4*math.Sqrt(want*(1-want)/400) {
			t.Errorf("route %v, capacity %d, %.1f/s blocked by %.1f: chance %.3f, measured %.3f", c.routes[route], capacity, offered, blocking, got[0], want)
		}
	}
	if between < 3 {
		t.Errorf("%d of 25 chances are neither 0 nor 1: nothing is tested", between)
	}
	truthIsThatOfTheEmulator(t, e, c)
}

// The tables of mean latencies are right on average about the loads that are learned,
// and the faulty mesh is the slower one.
func truthIsThatOfTheEmulator(t *testing.T, e *emulation, c *chances) {
	t.Helper()
	l, err := e.learnTruth(c)
	if err != nil {
		t.Fatal(err)
	}
	if median := l.fits[0].Quantile(.5); math.Abs(median) > .05 || len(l.fits[0].Residuals) < 300 {
		t.Errorf("%d residuals with a median of %.3f, want about 0", len(l.fits[0].Residuals), median)
	}
	if first := e.initial(l, 0)("only", "latency"); !(first.Margin > 0 && first.Spread > 0 && first.Flow == 50) {
		t.Errorf("calibration %+v", first)
	}
	whole, err := model.DecodeTable(l.artefact)
	if err != nil {
		t.Fatal(err)
	}
	faulty, err := model.DecodeTable(l.faulty)
	if err != nil {
		t.Fatal(err)
	}
	slower := 0.
	for i, v := range whole.Values {
		slower += math.Log(float64(faulty.Values[i])/float64(v)) / float64(len(whole.Values))
	}
	if !(slower > .05) {
		t.Errorf("the faulty mesh is slower by exp(%.3f) on average", slower)
	}
}

func TestChancesAreMonotone(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	levels := []float64{1, 2, 3, 4, 5}
	c := &chances{levels: [][]float64{levels, levels}}
	at, exact := make([][]float64, 25), make([][]float64, 25)
	for i := range at {
		p := 1 / (1 + math.Exp(6-float64(i/5+i%5)))
		exact[i] = []float64{p, p / 2}
		at[i] = []float64{p + .1*rng.Float64() - .05, p/2 + .1*rng.Float64() - .05}
	}
	noisy := slices.Clone(at)
	c.monotone(at)
	before, after := 0., 0.
	for i := range at {
		for s := range 2 {
			before, after = before+math.Abs(noisy[i][s]-exact[i][s]), after+math.Abs(at[i][s]-exact[i][s])
			if i%5 > 0 && at[i][s] < at[i-1][s] || i >= 5 && at[i][s] < at[i-5][s] {
				t.Fatalf("cell %d, service %d: %v falls with a load", i, s, at[i][s])
			}
		}
	}
	if after >= before {
		t.Errorf("error %.3f before, %.3f after", before, after)
	}
}

func TestScenarioHasItsPhases(t *testing.T) {
	g, m, err := SmallGraph()
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range []uint64{1000, 1001} {
		s, err := g.newScenario(g.Mesh, m.Interval, phasesOf(emulatorIntervals), seed)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for t := range s.intervals() {
			count[s.phaseAt((s.from()+time.Duration(t+1)*s.interval).Seconds())]++
		}
		if d := cmp.Diff(map[string]int{PhaseNormal: 1000, PhaseFault: 1000, PhaseBack: 500, PhaseGrowth: 1000}, count); d != "" {
			t.Errorf("intervals (-want +got):\n%s", d)
		}
		from, to := s.span(PhaseFault)
		if f := s.graph.Faults[0]; f.From != from || f.To != to || to-from != 5000 || f.Node != "front-1" {
			t.Errorf("fault %+v, want it from %v to %v", f, from, to)
		}
		growing, _ := s.span(PhaseGrowth)
		for i, r := range g.Loads {
			least, greatest, beyond := math.Inf(1), 0., 0.
			for at := s.from().Seconds(); at < growing+5000; at += 5 {
				v := s.graph.Services[i].Load.Rate(at)
				if at < growing {
					least, greatest = math.Min(least, v), math.Max(greatest, v)
				} else {
					beyond = math.Max(beyond, v)
				}
			}
			if least < r.Least-1e-9 || greatest > r.Most+1e-9 || beyond <= r.Most || beyond > growth*r.Most+1e-9 {
				t.Errorf("seed %d: load from %v to %v, then up to %v; the range is %+v", seed, least, greatest, beyond, r)
			}
		}
		again, err := g.newScenario(g.Mesh, m.Interval, phasesOf(emulatorIntervals), seed)
		if err != nil || again.graph.Services[0].Load.Rate(777) != s.graph.Services[0].Load.Rate(777) {
			t.Errorf("the same seed gives another load: %v", err)
		}
	}
}

// The example of six services, under a policy that moves every knob.
func TestSixServicesRun(t *testing.T) {
	g, err := LoadGraph("../../examples/six/graph.toml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := rules.Load("../../examples/six/rules.toml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := g.newScenario(g.measurable(m), m.Interval, []emulatorPhase{{PhaseNormal, 12}, {PhaseFault, 12}, {PhaseBack, 12}, {PhaseGrowth, 12}}, 1001)
	if err != nil {
		t.Fatal(err)
	}
	trace := run(t, ClosedLoop{
		Mesh: m, Emulator: emulator.Options{Graph: s.graph, Seed: 1, SettleSeconds: g.SettleSeconds}, Params: margin.Defaults(), Start: epoch,
		From: s.from(), Intervals: s.intervals(), Scrape: g.Scrape, Phase: s.phaseAt,
		Policy: decider(func(o policy.Observation) (policy.Decision, error) {
			a := o.Live.Clone()
			for i, k := range o.Knobs {
				switch k.Kind {
				case policy.Blocking:
					a[i].Value = .2 - a[i].Value
				case policy.Weight:
					a[i].Value = 1 - a[i].Value
				case policy.Replicas:
				}
			}
			return policy.Decision{Action: a}, nil
		}),
	})
	for _, phase := range []string{PhaseNormal, PhaseFault, PhaseBack, PhaseGrowth} {
		for _, of := range trace.Summarise(phase, m.Knobs()) {
			if of.Intervals != 12 || of.Unknown > 0 || of.Actions < 11 || of.Blocked == 0 || of.CarriedRatio() < .4 || of.CarriedRatio() > .99 {
				t.Errorf("%s, %s: %+v", phase, of.Service, of)
			}
		}
	}
}

// Where settings cannot be enumerated, they are searched.
func TestEmulatorSearches(t *testing.T) {
	o := emulatorOptions(t)
	o.samples = 160
	e, err := newEmulation(o)
	if err != nil {
		t.Fatal(err)
	}
	e.policy = search.Name
	l, err := e.learn(1001)
	if err != nil {
		t.Fatal(err)
	}
	e.phases = []emulatorPhase{{PhaseNormal, 10}, {PhaseFault, 10}, {PhaseBack, 10}, {PhaseGrowth, 10}}
	all, err := e.run(t.Context(), l, 1001, trial{controller: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range all.phases {
		if !(m.carried > .1*m.offered && m.carried <= m.offered) || !math.IsNaN(m.rest[0]) || !(m.violated[0] <= 1) {
			t.Errorf("phase %d: %+v", i, m)
		}
	}
}

// Who prices violations plans otherwise than who keeps margins, from prices that the
// model says; where risks have to come true first, it begins as they do.
func TestEmulatorPrices(t *testing.T) {
	o := emulatorOptions(t)
	o.Controllers, o.Runs, o.samples = []string{"full", "price+correction", "auto"}, 1, 160
	o.phases = []emulatorPhase{{PhaseNormal, 60}, {PhaseFault, 40}, {PhaseBack, 40}, {PhaseGrowth, 40}}
	e, err := newEmulation(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := e.learn(1001)
	if err != nil {
		t.Fatal(err)
	}
	if first := e.initial(l, 0)("only", "latency"); !(first.Price > 0) {
		t.Errorf("the model says a price of %v", first.Price)
	}
	carried := map[string]float64{}
	for i, c := range e.controllers {
		all, err := e.run(t.Context(), l, 1001, trial{controller: i})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all.phases {
			carried[c.Name] += m.carried
		}
	}
	if carried["auto"] != carried["full"] || carried["price+correction"] == carried["full"] {
		t.Errorf("carried in fewer intervals than a calibration takes: %v", carried)
	}
	e.policy = search.Name
	if err := e.canPrice(); err == nil || !strings.Contains(err.Error(), "price+correction") {
		t.Errorf("search was taken for a policy that prices: %v", err)
	}
}

// Who knows the mesh carries about what the oracle does: somewhat more where a queue
// takes longer to fill than a setting stays, as the chances are those of settings that stay.
func TestTheTruthIsPlannedOn(t *testing.T) {
	o := emulatorOptions(t)
	o.Controllers, o.Runs, o.Delays = []string{ControllerTrue}, 1, []Delay{0}
	r, err := Emulator(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if row.OfOptimum.Mean < .75 || row.OfOptimum.Mean > 1.15 || row.Violated["only"].Mean > .12 {
			t.Errorf("%s: violated %.3f, carried %.3f of the oracle", row.Phase, row.Violated["only"].Mean, row.OfOptimum.Mean)
		}
	}
	o.Graph.Mesh.Services[0].Retries = emulator.Retries{Attempts: 1, BackoffSeconds: .1, Refused: true}
	if _, err := Emulator(t.Context(), o); err == nil || !strings.Contains(err.Error(), "there is none here") {
		t.Errorf("without an oracle: %v", err)
	}
}

func TestEmulatorRefusesWhatDoesNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(o *EmulatorOptions)
		want  string
	}{
		"budget":     {func(o *EmulatorOptions) { o.Budgets = []float64{1} }, "budget 1"},
		"no delays":  {func(o *EmulatorOptions) { o.Delays = nil }, "want budgets, delays"},
		"controller": {func(o *EmulatorOptions) { o.Controllers = []string{"ful"} }, `did you mean "full"`},
		"rules":      {func(o *EmulatorOptions) { o.Rules = tinyMesh(t) }, "the emulator has not"},
	} {
		o := emulatorOptions(t)
		c.spoil(&o)
		if _, err := Emulator(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, c.want)
		}
	}
}

func TestThereIsNoOracleWhereCallersTryAgain(t *testing.T) {
	o := emulatorOptions(t)
	o.Graph.Mesh.Services[0].Retries = emulator.Retries{Attempts: 1, BackoffSeconds: .1, Refused: true}
	e, err := newEmulation(o)
	if err != nil {
		t.Fatal(err)
	}
	if c := e.newChances(); c != nil || !strings.Contains(c.describe(e), "send failed requests again") {
		t.Error("there are chances of the admitted load alone")
	}
}

func TestDelayText(t *testing.T) {
	for text, want := range map[string]Delay{"daemon": DelayDaemon, "0": 0, "3": 3} {
		if got, err := ParseDelay(text); err != nil || got != want || got.String() != text {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "1.5", "101", "soon"} {
		if _, err := ParseDelay(text); err == nil {
			t.Errorf("%q is no delay", text)
		}
	}
}

func TestEmulatorBarsAreAboutTheFullController(t *testing.T) {
	row := func(phase, controller string, delay Delay, optimum float64) EmulatorRow {
		return EmulatorRow{
			Budget: .05, Delay: delay, Phase: phase, Controller: controller, First: &Estimate{Mean: .1}, FirstMost: .26, Rest: &Estimate{Mean: .05}, RestMost: .066,
			Violated: map[string]Estimate{"a": {Mean: .45}}, ViolatedMost: map[string]float64{"a": .5}, OfOptimum: &Estimate{Mean: optimum}, OptimumLeast: new(.76),
			Flagged: .06,
		}
	}
	failed := map[string]bool{}
	bars := emulatorBarsOf([]EmulatorRow{
		row(PhaseFault, ControllerZero, 0, 1), row(PhaseFault, ControllerFull, 0, .9), row(PhaseFault, ControllerFull, 1, .82), row(PhaseGrowth, ControllerFull, 0, .9),
	})
	for _, b := range bars {
		if !b.Met {
			failed[b.Phase+" "+b.Delay.String()+" "+b.Name+" "+b.Want] = true
		}
	}
	want := map[string]bool{
		"fault 0 violated in the first 100, every service in every run <= 0.25": true, "fault 0 intervals with nothing feasible <= 0.05": true,
		"fault 1 violated in the first 100, every service in every run <= 0.25": true, "fault 1 intervals with nothing feasible <= 0.05": true,
		"fault 1 cost of one interval of delay, of the oracle <= 0.07":               true,
		"growth 0 violated after the first 100, every service in every run <= 0.065": true, "growth 0 intervals with nothing feasible <= 0.05": true,
	}
	if d := cmp.Diff(want, failed); d != "" || len(bars) != 7+5+3 {
		t.Errorf("%d bars; those that are not met (-want +got):\n%s", len(bars), d)
	}
}
