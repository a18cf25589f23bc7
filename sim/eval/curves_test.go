package eval

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/sim/train"
)

func TestFrontier(t *testing.T) {
	r, err := whole()
	if err != nil {
		t.Fatal(err)
	}
	points := map[string][]FrontierPoint{}
	for _, p := range r.Frontier {
		points[p.Policy] = append(points[p.Policy], p)
	}
	for policy, want := range map[string]int{Optimum: 2, Tabular: 2, Learned: 2, Threshold: 1, Static: 1, None: 1, Random: 0} {
		if len(points[policy]) != want {
			t.Errorf("%s: %d points, want %d", policy, len(points[policy]), want)
		}
	}
	for _, policy := range []string{Optimum, Tabular, Learned} {
		for i, p := range points[policy] {
			if p.Budget == nil || p.Violated.Half == nil || p.Violated.Mean > *p.Budget+.02 {
				t.Errorf("%s, point %d: violated %v of a budget of %v", policy, i, p.Violated, *p.Budget)
			}
			if i > 0 && (p.Carried.Mean < points[policy][i-1].Carried.Mean || *p.Budget <= *points[policy][i-1].Budget) {
				t.Errorf("%s, point %d: a greater budget carries less: %v, then %v", policy, i, points[policy][i-1].Carried, p.Carried)
			}
			if i > 0 && p.Violated.Mean <= points[policy][i-1].Violated.Mean {
				t.Errorf("%s, point %d: a greater budget is not used: violated %v, then %v", policy, i, points[policy][i-1].Violated, p.Violated)
			}
		}
	}
	// The point of the rules' own budgets is the row's.
	row := find(t, r, Tabular, "budget", LoadUnseen, OnHeldOut)
	own := points[Tabular][0]
	if math.Abs(*own.Budget-.15) > 1e-12 || own.Violated.Mean != (row.ViolatedRatio["a"]+row.ViolatedRatio["b"])/2 {
		t.Errorf("point %+v of row %+v", own, row)
	}
	if p := points[None][0]; p.Carried.Mean != 1 || p.Budget != nil {
		t.Errorf("no control: %+v, want everything carried and no budget", p)
	}
}

func TestSweepLeavesOutWhatIsNoBudget(t *testing.T) {
	g := &train.Goal{Budget: []float64{.1, .3, 1}} // nothing is promised of the last
	if !canScale(g, 2) || canScale(g, 4) {
		t.Error("want twice .3 to be a budget, and four times to be none")
	}
	m := tinyMesh(t)
	twice := scaledBudgets(m, 2).PolicyServices()
	if twice[0].Objectives[0].Budget != .2 || m.PolicyServices()[0].Objectives[0].Budget != .1 {
		t.Errorf("budget %v, and %v in the rules", twice[0].Objectives[0].Budget, m.PolicyServices()[0].Objectives[0].Budget)
	}
}

func TestOptimumKeepsWhatASmallerBudgetFound(t *testing.T) {
	runs := []tally{{value: 1}, {value: 5}}
	keepBetter(runs, []tally{{value: 2}, {value: 3}})
	if runs[0].value != 2 || runs[1].value != 5 {
		t.Errorf("kept %v and %v, want the better of each run", runs[0].value, runs[1].value)
	}
}

func TestLoadStep(t *testing.T) {
	r, err := whole()
	if err != nil {
		t.Fatal(err)
	}
	l := r.LoadStep
	if l.Before["a"] != 6 || l.After["a"] != 4+.9*8 || l.Bar["a"] != settledBar(.1) || len(l.Bar) != 2 {
		t.Errorf("step %+v", l)
	}
	var got []string
	for _, p := range l.Policies {
		got = append(got, p.Policy)
		if len(p.Windows["a"]) != stepAfter-window+1 || p.First["a"] != p.Windows["a"][0] {
			t.Errorf("%s: %d windows, the first %v, want %v", p.Policy, len(p.Windows["a"]), p.Windows["a"][0], p.First["a"])
		}
		if settles := p.Policy != None && p.Policy != Static; settles && (p.Settled == nil || *p.Settled > 500) {
			t.Errorf("%s has not settled: %v", p.Policy, p.Settled)
		}
	}
	if d := cmp.Diff([]string{Tabular, Rollout, Learned, Threshold, Static, None}, got); d != "" {
		t.Errorf("policies (-want +got):\n%s", d)
	}
}

func TestWindowShares(t *testing.T) {
	one, other := make([]bool, window+2), make([]bool, window+2)
	one[0], one[1], other[1], other[window+1] = true, true, true, true
	if d := cmp.Diff([]float64{3. / 2 / window, 2. / 2 / window, 1. / 2 / window}, windowShares([][]bool{one, other})); d != "" {
		t.Errorf("shares (-want +got):\n%s", d)
	}
	if got := windowShares([][]bool{{true, false}}); !cmp.Equal([]float64{.5}, got) {
		t.Errorf("a window longer than the run: %v", got)
	}
	at := settled(map[string][]float64{"a": {.9, .1, .1}, "b": {0, .3, .2}}, map[string]float64{"a": .1, "b": .2})
	if at == nil || *at != 2 {
		t.Errorf("settled at %v, want the first window in which both are", at)
	}
	if at := settled(map[string][]float64{"a": {.9, .2}}, map[string]float64{"a": .1}); at != nil {
		t.Errorf("settled at %d, never below its bar", *at)
	}
}

func TestTimeline(t *testing.T) {
	r, err := whole()
	if err != nil {
		t.Fatal(err)
	}
	l := r.Timeline
	if l == nil || l.Policy != Tabular || l.Seed != 3 || l.From != timelineFrom || len(l.Services) != 2 {
		t.Fatalf("timeline %+v", l)
	}
	below, least, most := 0, math.Inf(1), 0.
	for _, s := range l.Services {
		if len(s.Latency) != timelineLength || len(s.Aim) != timelineLength || len(s.Blocked) != timelineLength || len(s.Offered) != timelineLength {
			t.Fatalf("service %s: not %d intervals", s.Name, timelineLength)
		}
		for i := range s.Latency {
			if s.Latency[i] <= s.Bound {
				below++
			}
			least, most = math.Min(least, s.Aim[i]/s.Bound), math.Max(most, s.Aim[i]/s.Bound)
			if s.Aim[i] <= 0 || s.Aim[i] > 2*s.Bound {
				t.Fatalf("service %s aims at %v with a bound of %v", s.Name, s.Aim[i], s.Bound)
			}
		}
	}
	if of := 2 * timelineLength; below < of*7/10 || least == most {
		t.Errorf("%d of %d intervals keep the bound, aims from %v to %v of it: not the planner's run", below, of, least, most)
	}
}

func TestTextOfOneRunHasNoIntervals(t *testing.T) {
	five := .05
	one := Report{
		Seeds: 1, Budget: map[string]float64{"a": .1},
		Rows:     []Row{{Policy: Optimum, Violated: map[string]Estimate{"a": {Mean: .0512}}, WorstWindow: map[string]float64{"a": .19}}},
		Frontier: []FrontierPoint{{Policy: Optimum, Budget: &five, Violated: Estimate{Mean: .05}, Carried: Estimate{Mean: .7}}},
		LoadStep: LoadStep{Bar: map[string]float64{"a": .16}, Policies: []Settling{{Policy: None, First: map[string]float64{"a": 1}}}},
	}
	var b bytes.Buffer
	if err := one.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"5.1 %", "19 %", "optimum  5 %     5.0 %     70.0 %", "none    not in the run  100.0 %", "single runs are noisy"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "±") {
		t.Errorf("an interval from one run:\n%s", b.String())
	}
}
