package rules

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/windvane/windvane/plugins/policy"
)

var plain = cmp.Options{cmpopts.IgnoreUnexported(Mesh{}, Query{})}

func TestLoadOfTheDesignsExample(t *testing.T) {
	got, err := Load("testdata/good/shop.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := &Mesh{
		Name: "shop", File: "testdata/good/shop.toml", Prometheus: "main", Interval: 5 * time.Second, Settle: 2 * time.Second,
		Signals: Signals{By: "service", Queries: []Query{
			{Name: "carried", Role: policy.RoleCarried, Expr: "windvane:carried:rate"},
			{Name: "latency", Role: policy.RoleLatency, Expr: "windvane:latency_seconds:p95"},
			{Name: "offered", Role: policy.RoleOffered, Expr: "windvane:offered:rate"},
		}},
		Services: []Service{{
			Name: "information", Value: 1, MinimumCarried: 2,
			Objectives: []Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .035, Target: .95, Window: time.Hour}},
			Routes:     []Route{{VirtualService: "default/front", HTTP: "information", Destinations: []string{"v1", "v2"}, Levels: 6}},
			Blocking:   &Blocking{Maximum: .8, Status: 429, Levels: 6},
		}},
		Workloads: []Workload{{Name: "node-v1", Deployment: "default/node-v1", Minimum: 1, Maximum: 5, Cost: .2}},
		Guard:     Guard{Authority: AuthorityObserve, MaxStep: .2, TotalBlocking: .5, ChangesPerHour: 600},
		Policies:  []PolicyRef{{Name: "planner", Plugin: "planner", Role: RoleActive}},
	}
	if d := cmp.Diff(want, got, plain); d != "" {
		t.Errorf("mesh (-want +got):\n%s", d)
	}
	if w := got.Warnings(); len(w) != 0 {
		t.Errorf("warnings: %v", w)
	}
}
