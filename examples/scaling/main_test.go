package main

import (
	"bytes"
	"math"
	"os"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestTheTraceIsWhatTheGeneratorWrites(t *testing.T) {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), must(os.ReadFile("trace.csv"))) {
		t.Error("trace.csv differs; run go run ./examples/scaling > examples/scaling/trace.csv")
	}
}

// The queues against what is known of them: with one server 1/(rate - arrivals), with
// two 1/rate / (1 - (utilisation)^2).
func TestSojourn(t *testing.T) {
	for _, tt := range []struct {
		arrivals, rate float64
		servers        int
		want           float64
	}{
		{0, 2, 1, 0},
		{1, 2, 1, 1},
		{3, 2, 2, .5 / (1 - .75*.75)},
		{2, 2, 1, timeoutSeconds},
		{1.999, 2, 1, timeoutSeconds},
		{1e-9, 2, 5, .5},
	} {
		if got := sojourn(tt.arrivals, tt.rate, tt.servers); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%v requests/s at %d servers of %v: %v s, want %v", tt.arrivals, tt.servers, tt.rate, got, tt.want)
		}
	}
}

// truth is the best reward of the published formula at a load on the formulas of the
// queues, with the setting that has it.
func truth(offered float64) (best, weight float64, servers int) {
	best = math.Inf(-1)
	for _, p := range weights {
		for _, c := range replicas {
			if r := reward(latency(offered, p, c), c); r > best {
				best, weight, servers = r, p, c
			}
		}
	}
	return best, weight, servers
}

// reward as it was published: 6-c if d+0.4 <= 1.0 else 1.0-(d+0.4).
func reward(d float64, c int) float64 {
	if d+.4 <= 1 {
		return 6 - float64(c)
	}
	return 1 - (d + .4)
}

// What is learned from the trace, enumerated, is the optimum of the queues themselves;
// and no setting that never changes comes near it.
func TestTabularIsTheOptimum(t *testing.T) {
	m := must(rules.Load("rules.toml"))
	mapping := must(dataset.ReadMapping("mapping.toml", must(os.ReadFile("mapping.toml"))))
	d, _, err := mapping.Import("trace.csv", bytes.NewReader(must(os.ReadFile("trace.csv"))))
	if err != nil {
		t.Fatal(err)
	}
	tab := must(train.EnumerateTabularAt(m, d, [][]float64{loads}, model.TreeParamsFor(d.Rows()), "", 1))
	goal, choices := must(train.NewGoal(m, d.Services)), must(train.NewChoices(tab.Table))
	setting := func(a policy.Action, kind policy.KnobKind) float64 {
		for _, s := range a { // the first weight is that of node-1
			if s.Kind == kind {
				return s.Value
			}
		}
		return math.NaN()
	}
	var corners []model.Corner
	sum := 0.
	for i, want := range []float64{5, 3, 2} { // 1, 3 and 4 replicas
		offered := []float64{loads[i]}
		best, p, c := truth(loads[i])
		if best != want {
			t.Errorf("load %v: the truth's best reward is %v with %v and %d replicas, want %v", loads[i], best, p, c, want)
		}
		corners, _ = tab.Table.Corners(corners, offered, len(choices.Grid))
		action, _ := choices.Best(corners, func(a int, seconds []float64) float64 {
			return goal.Reward(seconds, offered, choices.Admitted[a], choices.Cost[a])
		})
		a := choices.Grid[action]
		gotC, gotP := int(setting(a, policy.Replicas)), setting(a, policy.Weight)
		if got := reward(latency(loads[i], gotP, gotC), gotC); got != want {
			t.Errorf("load %v: %d replicas with a share of %v earn %v, want %v", loads[i], gotC, gotP, got, want)
		}
		sum += want
	}
	static := tab.Card.BestStatic[0]
	if static.Objective != train.ObjectiveReward || static.Reward == nil {
		t.Fatalf("static setting %+v", static)
	}
	if got := *static.Reward; math.Abs(got-6/sum) > 1e-6 { // 4 replicas all the time: 2, 2, 2
		t.Errorf("the best static setting has %v of the optimum, want %v", got, 6/sum)
	}
}
