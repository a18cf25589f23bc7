package eval

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// tiny is a truth that is fitted on tinyData, with the residuals of its fit.
func tiny(t *testing.T) *evaluation {
	t.Helper()
	m := tinyMesh(t)
	e, err := prepare(Options{Rules: m, Dataset: tinyData(m), Seeds: 1, Trees: tinyTrees, Progress: func(string, int, int) {}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The parts are tested on one fit.
func TestParts(t *testing.T) {
	e := tiny(t)
	for name, test := range map[string]func(*testing.T, *evaluation){
		"the reward's optimum is found": rewardOptimum, "the oracle keeps the budgets": oracleKeeps,
		"violations are counted": violationsCounted, "actions off the grid": offTheGrid, "the noise is aligned": noiseAligned,
		"seen loads": seenLoads, "unseen loads": unseenLoads, "the setting to begin with": beginning, "a policy that is handed in": tried,
	} {
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
}

// predicted is what the truth's trees say, without its table.
func predicted(e *evaluation, a policy.Action, offered []float64) []float64 {
	settings, out := make([]float64, len(a)), make([]float64, 2)
	for i, s := range a {
		settings[i] = s.Value
	}
	e.full.Model.Predictor().Latency(out, settings, offered)
	return out
}

func rewardOptimum(t *testing.T, e *evaluation) {
	c := e.truth.choices
	model.EachLoad(e.loads, func(offered []float64) {
		got := rewardPlan(e.goal, c, [][]float64{offered})[0]
		best := 0.0
		for i, a := range c.Grid {
			best = math.Max(best, e.goal.Reward(predicted(e, a, offered), offered, c.Admitted[i], c.Cost[i]))
		}
		if v := e.goal.Reward(predicted(e, c.Grid[got], offered), offered, c.Admitted[got], c.Cost[got]); v < best-1e-4 {
			t.Errorf("load %v: reward %v, the best is %v", offered, v, best)
		}
	})
}

// In the mean over the noise the oracle keeps both budgets, and no other plan of one
// action for each load that keeps them, of many tried, is worth more than a little more.
func oracleKeeps(t *testing.T, e *evaluation) {
	rng := rand.New(rand.NewPCG(1, 2))
	var cells [][]float64
	model.EachLoad(e.loads, func(offered []float64) { cells = append(cells, append([]float64(nil), offered...)) })
	s := series{offered: cells, noise: e.noise[:600]}
	c := e.truth.choices
	tails := make([]train.Tail, 2)
	for j := range tails {
		var r []float64
		for _, n := range s.noise {
			r = append(r, n[j])
		}
		tails[j] = train.NewTail(r)
	}
	judge := func(plan []int) (value float64, kept bool) {
		broken := make([]float64, 2)
		for t, i := range plan {
			value += e.goal.Value(cells[t], c.Admitted[i], 0)
			for j, l := range predicted(e, c.Grid[i], cells[t]) {
				broken[j] += tails[j].Above(l, e.goal.Bound[j]) / float64(len(cells))
			}
		}
		return value, broken[0] <= e.goal.Budget[0]+1e-3 && broken[1] <= e.goal.Budget[1]+1e-3
	}
	plan := budgetPlan(e.goal, c, s)
	best, kept := judge(plan)
	if !kept {
		t.Error("the oracle breaks a budget")
	}
	for range 1000 {
		other := append([]int(nil), plan...)
		for range 1 + rng.IntN(3) {
			other[rng.IntN(len(other))] = rng.IntN(len(c.Grid))
		}
		if v, kept := judge(other); kept && v > best*1.04 {
			t.Fatalf("a plan within the budgets is worth %v, the oracle's %v", v, best)
		}
	}
}

func violationsCounted(t *testing.T, e *evaluation) {
	r := &arena{evaluation: e, on: OnModel, truth: e.truth, trained: e.full}
	s := series{offered: seen(e.loads, rand.New(rand.NewPCG(1, 1)))}
	s.noise = draw(e.noise, len(s.offered), rand.New(rand.NewPCG(2, 1)))
	const action = 17
	plan := make([]int, len(s.offered))
	for i := range plan {
		plan[i] = action
	}
	got := r.follow(s, plan)
	want, nominal, offered := make([]int, 2), 0.0, 0.0
	for i, load := range s.offered {
		for j, l := range predicted(e, e.truth.choices.Grid[action], load) {
			if l*(1+s.noise[i][j]) > e.goal.Bound[j] {
				want[j]++
			}
			offered += load[j]
			nominal += load[j] * e.truth.choices.Admitted[action][j]
		}
	}
	for j := range want {
		// The table has 32 bits: a latency on the bound may fall to either side.
		if d := got.violated[j] - want[j]; d > 1 || d < -1 {
			t.Errorf("service %d: %d violations, want %d", j, got.violated[j], want[j])
		}
	}
	if got.intervals != len(s.offered) || math.Abs(got.nominal/got.offered-nominal/offered) > 1e-9 {
		t.Errorf("tally %+v, want %v carried of %v", got, nominal, offered)
	}
}

// On the grid and off it a truth gives the same answer for the same action.
func offTheGrid(t *testing.T, e *evaluation) {
	a, b := e.truth.asker(), e.truth.asker()
	for i, action := range e.truth.choices.Grid {
		load := []float64{4 + float64(i%9), 5 + float64(i%7)}
		a.at(load, i)
		one := b.single(action)
		b.corners, _ = one.latency.Corners(b.corners, load, 1)
		one.latency.Predict(b.seconds, b.corners, 0)
		one.carried.Predict(b.measured, b.corners, 0)
		for s := range a.seconds {
			if math.Abs(a.seconds[s]-b.seconds[s]) > 1e-6 || math.Abs(a.measured[s]-b.measured[s]) > 1e-5 {
				t.Fatalf("action %d, load %v: %v and %v on the grid, %v and %v off it", i, load, a.seconds, a.measured, b.seconds, b.measured)
			}
		}
	}
	off := e.truth.choices.Grid[3].Clone()
	off[0].Value = .3
	a.of([]float64{8, 8}, off)
	if math.Abs(a.admitted[0]-.7) > 1e-9 {
		t.Errorf("admitted %v with .3 blocked", a.admitted)
	}
}

func noiseAligned(t *testing.T, _ *evaluation) {
	m := &model.System{Fit: []model.Fit{{}, {}}}
	for row := range int32(300) {
		if row%3 != 0 {
			m.Fit[0].At, m.Fit[0].Residuals = append(m.Fit[0].At, row), append(m.Fit[0].Residuals, float64(row))
		}
		if row%5 != 0 {
			m.Fit[1].At, m.Fit[1].Residuals = append(m.Fit[1].At, row), append(m.Fit[1].Residuals, -float64(row))
		}
	}
	noise, err := noiseOf(m)
	if err != nil {
		t.Fatal(err)
	}
	last := -1.0
	for _, n := range noise {
		if n[0] != -n[1] || n[0] <= last {
			t.Fatalf("residuals %v of different rows, or out of order", n)
		}
		last = n[0]
	}
	if len(noise) != 160 {
		t.Errorf("%d rows, want those that both have: 160", len(noise))
	}
	m.Fit[1].At = m.Fit[1].At[:50]
	m.Fit[1].Residuals = m.Fit[1].Residuals[:50]
	if _, err := noiseOf(m); err == nil {
		t.Error("a few rows were enough")
	}
	piece := draw(noise, 200, rand.New(rand.NewPCG(1, 1)))
	for i := 1; i < len(piece); i++ {
		if d := piece[i][0] - piece[i-1][0]; d < 1 && d > -290 || d > 3 {
			t.Errorf("the piece jumps by %v", d)
		}
	}
}

func seenLoads(t *testing.T, e *evaluation) {
	count := map[[2]float64]int{}
	for _, l := range seen(e.loads, rand.New(rand.NewPCG(1, 1))) {
		count[[2]float64{l[0], l[1]}]++
	}
	for cell, n := range count {
		if n != count[[2]float64{e.loads[0][0], e.loads[1][0]}] {
			t.Errorf("loads %v for %d intervals, others for another time", cell, n)
		}
	}
	if len(count) != 9 {
		t.Errorf("%d combinations of loads, want 9", len(count))
	}
	many := make([]float64, 200)
	for i := range many {
		many[i] = float64(i)
	}
	if n := len(seen([][]float64{many, many}, rand.New(rand.NewPCG(1, 1)))); n != 40_000 {
		t.Errorf("%d intervals for 40,000 combinations, want one each", n)
	}
}

func unseenLoads(t *testing.T, e *evaluation) {
	l := unseen([][]float64{{5, 10, 20}, {5, 20}}, rand.New(rand.NewPCG(1, 1)))
	for s := range 2 {
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range l {
			low, high = math.Min(low, v[s]), math.Max(high, v[s])
		}
		if math.Abs(low-5) > .01 || math.Abs(high-20) > .01 {
			t.Errorf("service %d: loads from %v to %v, want 5 to 20", s, low, high)
		}
	}
	if l[0][0] != l[500][0] && math.Abs(l[0][0]-l[500][0]) > 1e-9 || math.Abs(l[0][1]-l[400][1]) > 1e-9 {
		t.Error("the periods are not 500 and 400")
	}
}

func beginning(t *testing.T, e *evaluation) {
	a := begin(e.truth.latency.Knobs, e.truth.choices.Grid)
	for _, s := range a {
		if s.Kind == policy.Blocking && s.Value != 0 || s.Kind == policy.Weight && s.Value != .5 {
			t.Errorf("begins with %s = %v", s.KnobID, s.Value)
		}
	}
}

// What is not known is null, never NaN, which JSON cannot hold.
func TestReportHoldsNoNaN(t *testing.T) {
	e := &evaluation{goal: &train.Goal{Services: []policy.Service{{Name: "a"}}, Budget: []float64{.1}}, loads: [][]float64{{1}}}
	nothing := tally{intervals: 1, measured: math.NaN(), violated: []int{0}, worst: []float64{0}}
	r := e.report([]judged{{rows: tallies{
		subject{train.ObjectiveReward, LoadSeen, OnModel, Optimum, ""}:     nothing,
		subject{train.ObjectiveBudget, LoadSeen, OnModel, Optimum, ""}:     nothing,
		subject{train.ObjectiveBudget, LoadUnseen, OnHeldOut, Optimum, ""}: nothing,
	}}})
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `"reward_ratio":null,"violated_ratio":{"a":0},"carried_ratio":0,"carried_measured_ratio":null`
	if n := strings.Count(string(got), want); n != 3 {
		t.Errorf("%s\nwant %s in every row", got, want)
	}
}

// sameAgain holds a report against the same one made again.
func sameAgain(t *testing.T, judge func() (any, error)) {
	t.Helper()
	var reports [2]string
	for i := range reports {
		r, err := judge()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		reports[i] = string(text)
	}
	if d := cmp.Diff(reports[0], reports[1]); d != "" {
		t.Errorf("the same options give another report:\n%s", d)
	}
}
