package main

import (
	"context"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/integration/loadgen"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/model"
)

func TestRulesAreValid(t *testing.T) {
	l := &lesson{artefact: "a/b"}
	for _, policies := range []string{"", shedding, l.planning(), strings.ReplaceAll(explorer, "%d", "7")} {
		m, err := rules.Parse("rules.toml", []byte(shopRules(rules.AuthorityAct, policies)))
		if err != nil {
			t.Fatal(err)
		}
		if err := initial.Validate(m.Knobs()); err != nil {
			t.Errorf("the initial settings: %v", err)
		}
		for _, s := range m.PolicyServices() {
			if s.Objectives[0].Bound != bounds[s.Name].Seconds() || math.Abs(s.Objectives[0].Budget-stack.Budget) > 1e-9 {
				t.Errorf("%s: %+v", s.Name, s.Objectives)
			}
		}
	}
}

// The emulated shop tells the controllers apart as the real one does: what is done nothing
// about breaks the bounds, and what has learned keeps them while it carries most.
func TestEmulate(t *testing.T) {
	var b strings.Builder
	if err := emulate(t.Context(), &b, 1001, 1, 400, 200); err != nil {
		t.Fatal(err)
	}
	figures := map[string][]float64{}
	for line := range strings.Lines(b.String()) {
		f := strings.Fields(strings.ReplaceAll(line, "%", ""))
		if len(f) != 6 || f[0] == "load" {
			continue
		}
		for _, x := range f[2:] {
			v, err := strconv.ParseFloat(x, 64)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			figures[f[0]+" "+f[1]] = append(figures[f[0]+" "+f[1]], v)
		}
	}
	for _, kind := range judged {
		nothing, learned := figures[kind+" "+none], figures[kind+" "+tabular]
		if len(nothing) != 4 || len(learned) != 4 {
			t.Fatal(b.String())
		}
		if nothing[0] < 20 || nothing[1] < 20 || learned[0] > 12 || learned[1] > 12 || learned[2] < 70 {
			t.Errorf("%s load\n%s", kind, b.String())
		}
	}
}

func TestScenesAreTheSameAgain(t *testing.T) {
	for _, kind := range []string{exploring, periodic, crowd} {
		a, err := newScene(kind, 1001, 10, 600)
		b, err2 := newScene(kind, 1001, 10, 600)
		other, err3 := newScene(kind, 1002, 10, 600)
		if err != nil || err2 != nil || err3 != nil {
			t.Fatal(err, err2, err3)
		}
		differ := false
		for k := range a.loads {
			for x := range 610 {
				at := float64(x)
				if a.loads[k].Rate(at) != b.loads[k].Rate(at) {
					t.Fatalf("%s: another load for the same seed at %v s", kind, at)
				}
				differ = differ || a.loads[k].Rate(at) != other.loads[k].Rate(at)
			}
		}
		if !differ {
			t.Errorf("%s: the same load for another seed", kind)
		}
		if o := a.offered(); o[0] < 60 || o[0] > 200 || o[1] < 50 || o[1] > 170 {
			t.Errorf("%s: %v requests/s are offered on average", kind, o)
		}
	}
}

func TestBudgetOfASweep(t *testing.T) {
	ok, bad, unknown := .01, 10., math.NaN()
	for _, c := range []struct {
		latency []float64
		n       int
		broken  bool
	}{
		{[]float64{ok, ok, bad}, 20, false}, // 1 of 20
		{[]float64{bad, ok, bad}, 20, true},
		{[]float64{bad, unknown}, 20, true}, // 1 of 19
		{[]float64{ok, unknown}, 2, false},
	} {
		if got := broken([][]float64{{ok}, c.latency}, c.n); got != c.broken {
			t.Errorf("%v of %d: %v", c.latency, c.n, got)
		}
	}
	all := blockings([]map[string]float64{{"information": .5, "compute": .5}, {"information": .75, "compute": .5}}, []float64{100, 50})
	if len(all) != 98 {
		t.Fatalf("%d settings", len(all))
	}
	last := -1.0
	for _, s := range all {
		refused := 100*s.Blocking["information"] + 50*s.Blocking["compute"]
		if refused < last-1e-9 {
			t.Fatalf("%v after one that refuses %v", s, last)
		}
		last = refused
	}
	if all[0].Blocking["information"] != 0 || all[1].V1["information"] != .75 {
		t.Errorf("first %v, then %v", all[0], all[1])
	}
}

func TestUnknownIsNoSuccess(t *testing.T) {
	rec := &record{
		clients: [][]loadgen.Interval{{{Offered: 4, Carried: 3, Failed: 1, P95: 1}, {Offered: 2, Shed: 2, P95: math.NaN()}}, nil},
		signals: [][]float64{{math.NaN(), .1}, nil},
	}
	got := count(rec, 0)
	want := counts{offered: 6, carried: 3, shed: 2, failed: 1, violatedClient: 1, knownClient: 1, knownSignals: 1}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for what, a := range map[string]loadgen.Answer{
		"": {Status: 429}, "status 504": {Status: 504}, "connection failed": {Err: io.EOF}, "no answer within 15s": {Err: context.DeadlineExceeded},
	} {
		if got := failure(a); got != what {
			t.Errorf("%+v: %q, want %q", a, got, what)
		}
	}
	if v := ratio(0, 0); v != nil {
		t.Errorf("nothing of nothing is %v", *v)
	}
}

func TestOptimumOfTheModel(t *testing.T) {
	m, err := rules.Parse("rules.toml", []byte(shopRules(rules.AuthorityObserve, "")))
	if err != nil {
		t.Fatal(err)
	}
	table := &model.Table{Knobs: m.Knobs(), Services: []string{"compute", "information"}, Signals: []string{"latency", "latency"}, Loads: [][]float64{{50}, {100}}}
	grid, err := policy.Grid(m.Knobs())
	if err != nil {
		t.Fatal(err)
	}
	// Information is too slow as long as less than 40 % are blocked; compute never is.
	for _, a := range grid {
		slow := float32(.1)
		for _, s := range a {
			if s.Target == "information" && s.Value < .35 {
				slow = 1
			}
		}
		table.Values = append(table.Values, .1, slow)
	}
	got, err := optimum(table, [][]loadgen.Interval{{{Offered: 100}, {Offered: 100}}, {{Offered: 50}, {Offered: 50}}})
	if err != nil || math.Abs(got[0]-120) > 1e-6 || got[1] != 100 {
		t.Errorf("%v, want 120 of information and 100 of compute; %v", got, err)
	}
}

func TestStages(t *testing.T) {
	s, err := parseStages(strings.NewReader(`# TYPE windvane_loop_stage_duration_seconds histogram
windvane_loop_stage_duration_seconds_bucket{mesh="shop",stage="apply",le="0.01"} 50
windvane_loop_stage_duration_seconds_bucket{mesh="shop",stage="apply",le="0.02"} 100
windvane_loop_stage_duration_seconds_bucket{mesh="shop",stage="apply",le="+Inf"} 100
windvane_loop_stage_duration_seconds_sum{mesh="shop",stage="apply"} 1
windvane_loop_stage_duration_seconds_count{mesh="shop",stage="apply"} 100
`))
	if err != nil {
		t.Fatal(err)
	}
	total := stageCounts{}
	total.add(s)
	total.add(s)
	got := total.list()
	if len(got) != 1 || got[0].Name != "apply" || got[0].Count != 200 || math.Abs(*got[0].P50-.01) > 1e-9 || math.Abs(*got[0].P99-.0198) > 1e-9 {
		t.Errorf("%+v", got)
	}
	if !math.IsNaN(quantile(nil, .5)) {
		t.Error("a quantile of nothing")
	}
	if _, err := parseStages(strings.NewReader("x{")); err == nil {
		t.Error("no error of what is no metrics")
	}
}

func TestBars(t *testing.T) {
	r := newResult(smoke, 1001, 1)
	for _, x := range []struct {
		controller, service string
		violated            float64
		carried             int
	}{
		{none, "information", .5, 10}, {none, "compute", .1, 10}, {fixed, "information", .04, 6}, {fixed, "compute", 0, 5},
	} {
		r.Rows = append(r.Rows, row{Load: crowd, Seed: 1001, Controller: x.controller, Service: x.service, ViolatedSignals: ratio(x.violated, 1), Offered: 10, Carried: x.carried})
	}
	if got := r.bars(); len(got) != 0 {
		t.Errorf("without a run of windvane: %+v", got)
	}
	for _, held := range []bool{true, false} {
		violated := .069
		if !held {
			violated = .071
		}
		one := *r
		one.Rows = append(slices.Clone(r.Rows),
			row{Load: crowd, Seed: 1001, Controller: tabular, Service: "information", ViolatedSignals: &violated, Offered: 10, Carried: 7},
			row{Load: crowd, Seed: 1001, Controller: tabular, Service: "compute", Offered: 10, Carried: 9})
		got := one.bars()
		if len(got) != 1 || len(got[0].Asked) != 1 || (len(got[0].Held) == 1) != held || *got[0].Carried != .8 || *got[0].Static != .55 {
			t.Errorf("violated %v: %+v", violated, got)
		}
	}
}

func TestTable(t *testing.T) {
	r := newResult(smoke, 1001, 1)
	r.Static[crowd] = &static{V1: map[string]float64{"information": .5, "compute": .5}, Tried: 1}
	r.Rows = []row{{Load: crowd, Seed: 1001, Controller: none, Service: "compute", ViolatedClient: ratio(1, 4), CarriedRatio: ratio(4, 5), OptimumPredicted: ratio(1, 1), Failed: 3}}
	r.Failures["crowd none: status 504"] = 3
	r.Bars = []bar{{Load: crowd, Seed: 1001, Asked: []string{"compute"}, Carried: ratio(4, 5), Static: ratio(3, 5)}}
	r.Stages = []stage{{Name: "apply", Count: 2, P50: ratio(1, 100), P99: ratio(1, 50)}}
	var b strings.Builder
	if err := printResult(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"held for 0 of 1", "by static 60.0 %", "NONE KEPT", "25.0 %", "80.0 %", "10.0 ms", "20.0 ms", "     3 crowd none: status 504"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if got := lineOf([]loadgen.Answer{{Status: 200, Latency: time.Second}, {Status: 429}, {}}); !strings.HasSuffix(got, " 3     1     1      1  1000 ms") {
		t.Errorf("%q", got)
	}
}
