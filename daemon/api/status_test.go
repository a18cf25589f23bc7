package api

import (
	"strings"
	"testing"
	"time"
)

// What could not be kept is said beside the budgets, and nothing of it where all could.
func TestTextTellsOfInfeasibleIntervals(t *testing.T) {
	at, half := time.Unix(0, 0), .5
	for infeasible, want := range map[int]string{
		12: "latency of shop: nothing was feasible in 12 of 400 intervals, of which 50.0% violated",
		0:  "",
	} {
		s := Status{Meshes: []Mesh{{At: &at, Services: []Service{{
			Name: "shop", Objectives: []Objective{{Signal: "latency", Intervals: 400, Infeasible: infeasible, Unmet: &half}},
		}}}}}
		var b strings.Builder
		if err := s.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "feasible"); got != (want != "") || !strings.Contains(b.String(), want) {
			t.Errorf("%d infeasible intervals:\n%s", infeasible, b.String())
		}
	}
}
