package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/simserver"
	"github.com/windvane/windvane/plugins/simserver/simtest"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/model"
)

// carried is the load that is carried within 61 ms, which none of the mesh's latencies is near.
type carried struct{}

func (carried) Reward(latency, offered, admitted []float64, _ float64) float64 {
	sum := 0.0
	for s, v := range latency {
		if v <= .061 {
			sum += offered[s] * admitted[s]
		}
	}
	return sum
}

// simulate serves the mesh of plugintest until the test ends.
func simulate(t *testing.T) (address string, mesh *model.Table) {
	t.Helper()
	mesh = plugintest.Table(t, [][]float64{{5, 20, 40}, {5, 20, 40}}, plugintest.Shared)
	grid, err := env.NewGrid(mesh, carried{})
	if err != nil {
		t.Fatal(err)
	}
	scenario := &simserver.Scenario{Mesh: "m", Services: mesh.Services, Backend: grid, Points: env.Cross(mesh.Loads)}
	return "unix:" + simtest.Serve(t, scenario), mesh
}

func TestTrains(t *testing.T) {
	address, mesh := simulate(t)
	told := uint64(0)
	training := policy.Training{
		Settings: []byte(`{"levels": 2, "steps": 160}`), Simulator: address, Seed: 1000, Progress: func(done, _ uint64, _ string) { told = done },
	}
	first, err := (&lookup{}).Train(t.Context(), training)
	if err != nil {
		t.Fatal(err)
	}
	again, err := (&lookup{}).Train(t.Context(), training)
	if err != nil || string(again.Artefact) != string(first.Artefact) {
		t.Errorf("the same training gives another artefact; %v", err)
	}
	if told != 160 || !strings.HasPrefix(first.Summary, "4 rows, found in 20480 steps; an interval is worth ") {
		t.Errorf("told %d, says %q", told, first.Summary)
	}
	l := &lookup{}
	if err := l.Configure(t.Context(), policy.Config{Artefact: first.Artefact}); err != nil {
		t.Fatal(err)
	}
	actions, err := mesh.Actions()
	if err != nil {
		t.Fatal(err)
	}
	for _, offered := range [][]float64{{5, 5}, {5, 40}, {40, 5}, {40, 40}} {
		worth := func(a policy.Action) float64 {
			blockedA, _ := plugintest.Of(a, "a")
			blockedB, _ := plugintest.Of(a, "b")
			return carried{}.Reward(plugintest.Shared(a, offered), offered, []float64{1 - blockedA, 1 - blockedB}, 0)
		}
		best := slices.MaxFunc(actions, func(a, b policy.Action) int { return int(1e6 * (worth(a) - worth(b))) })
		d, err := l.Decide(t.Context(), plugintest.Observation(mesh.Knobs, .06, offered[0], offered[1]))
		if err != nil || worth(d.Action) < .95*worth(best) {
			t.Errorf("at %v/s: %v is worth %v, %v is worth %v; %v", offered, d.Action, worth(d.Action), best, worth(best), err)
		}
	}
}

func TestRoundsLoadsUp(t *testing.T) {
	table := &table{Levels: 3, Services: []service{{"a", 10, 20}, {"b", 0, 4}}}
	for _, c := range []struct {
		loads []float64
		row   int
	}{{[]float64{10, 0}, 0}, {[]float64{10.1, 0}, 3}, {[]float64{15, 4}, 5}, {[]float64{99, 99}, 8}, {[]float64{0, -1}, 0}} {
		if got := table.row(c.loads); got != c.row {
			t.Errorf("%v/s: row %d, want %d", c.loads, got, c.row)
		}
		if c.row == 5 && !slices.Equal(table.loads()[5], c.loads) {
			t.Errorf("row 5 is of %v/s", table.loads()[5])
		}
	}
}

func TestRefuses(t *testing.T) {
	for want, c := range map[string]policy.Config{
		"there are levels and steps": {Settings: []byte(`{"level": 3}`)},
		"at least 2 levels":          {Settings: []byte(`{"levels": 1}`)},
		"`windvane train` makes one": {},
		"artefact: invalid":          {Artefact: []byte("x")},
		"1 rows for 3 levels of 1":   {Artefact: []byte(`{"services": [{"name": "a"}], "levels": 3, "rows": [[]]}`)},
	} {
		if err := (&lookup{}).Configure(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	l := &lookup{&table{Levels: 2, Services: []service{{"a", 0, 1}}, Rows: make([]policy.Action, 2)}}
	o := plugintest.Observation(plugintest.Knobs("a", "b"), .06, 10, 20)
	if _, err := l.Decide(t.Context(), o); err == nil || !strings.Contains(err.Error(), "train it again") {
		t.Errorf("other knobs: %v", err)
	}
	for i := range o.State {
		o.State[i].Status = policy.Stale
	}
	if d, err := l.Decide(t.Context(), o); err != nil || !d.Abstain {
		t.Errorf("without a load: %+v, %v", d, err)
	}
}
