package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
)

func loadFull(t *testing.T) *Mesh {
	t.Helper()
	m, err := Load("testdata/good/full.toml")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestKnobs(t *testing.T) {
	m := loadFull(t)
	weight := func(target, part string, levels int) policy.Knob {
		id := policy.KnobID{Kind: policy.Weight, Target: target, Part: part}
		return policy.Knob{KnobID: id, Service: "storage", Max: 1, Levels: levels}
	}
	want := []policy.Knob{
		{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "storage"}, Service: "storage", Max: 1, Levels: 11},
		{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "shop/node"}, Min: 2, Max: 2, Levels: 1},
		weight("shop/front/storage", "v1", 11),
		weight("shop/front/storage", "v2", 11),
		weight("shop/front/storage", "v3", 11),
		weight("shop/front/storage-batch", "storage-big.shop.svc.cluster.local", 6),
		weight("shop/front/storage-batch", "storage.shop.svc.cluster.local", 6),
	}
	got := m.Knobs()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("knobs (-want +got):\n%s", d)
	}
	for _, k := range got {
		if id, err := policy.ParseKnobID(k.String()); err != nil || id != k.KnobID {
			t.Errorf("knob %s reads back as %v (%v)", k.KnobID, id, err)
		}
	}
	if d := cmp.Diff(policy.Limits{MaxStep: 1, TotalBlocking: 1}, m.Limits()); d != "" {
		t.Errorf("limits (-want +got):\n%s", d)
	}
}

func TestPolicyServices(t *testing.T) {
	want := []policy.Service{
		{Name: "information", Value: 1, Objectives: []policy.Objective{
			{Signal: "latency", Kind: policy.LatencyObjective, Bound: .035, Budget: .001},
		}},
		{Name: "storage", Value: 2, Objectives: []policy.Objective{
			{Signal: "latency", Kind: policy.LatencyObjective, Bound: .11, Budget: .1},
			{Signal: "latency_p50", Kind: policy.LatencyObjective, Bound: .02, Budget: .5},
			{Signal: "errors", Kind: policy.RatioObjective, Budget: .01},
			{Signal: "ratio", Kind: policy.RatioObjective, Budget: .02},
			{Signal: "ratio_2", Kind: policy.RatioObjective, Budget: .02},
		}},
	}
	if d := cmp.Diff(want, loadFull(t).PolicyServices()); d != "" {
		t.Errorf("services (-want +got):\n%s", d)
	}
}

func TestQueries(t *testing.T) {
	m := loadFull(t)
	type row struct {
		Service, Name string
		Role          policy.Role
	}
	var got []row
	for _, q := range m.Queries() {
		got = append(got, row{q.Service, q.Name, q.Role})
	}
	want := []row{
		{"", "carried", policy.RoleCarried},
		{"", "cpu", policy.RoleContext},
		{"", "errors", policy.RoleRatio},
		{"", "latency", policy.RoleLatency},
		{"", "latency_p50", policy.RoleLatency},
		{"", "offered", policy.RoleOffered},
		{"storage", "ratio", policy.RoleRatio},
		{"storage", "ratio_2", policy.RoleRatio},
		{"information", "latency", policy.RoleLatency},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("queries (-want +got):\n%s", d)
	}
	ratio := m.Services[0].Queries[0]
	expr := `(sum(rate(requests_total{code=~"5..",service="storage"}[10s]))) / (sum(rate(requests_total{service="storage"}[10s])))`
	if ratio.Expr != expr {
		t.Errorf("ratio is\n%s, want\n%s", ratio.Expr, expr)
	}
	if _, err := promql.ParseExpr(ratio.Expr); err != nil {
		t.Errorf("ratio does not parse: %v", err)
	}
	if d := cmp.Diff([]string{`requests_total{code=~"5..",service="storage"}`, `requests_total{service="storage"}`}, ratio.Selectors()); d != "" {
		t.Errorf("selectors (-want +got):\n%s", d)
	}
	if q, ok := m.Query("cpu"); !ok || q.Expr != "windvane:cpu:ratio" {
		t.Errorf("Query(cpu) = %v, %v", q, ok)
	}
	if q, ok := m.Query("ratio"); ok {
		t.Errorf("Query(ratio) = %v, want none: it is a service's own", q)
	}
}

func TestPoliciesAndReward(t *testing.T) {
	m := loadFull(t)
	fallback, shadow := m.Policies[0], m.Policies[1]
	if shadow.Artefact != "testdata/good/artefacts/mo1" {
		t.Errorf("artefact is %q, want it beside the file", shadow.Artefact)
	}
	settings, err := shadow.SettingsJSON()
	want := `{"depth":3,"discount":0.9,"names":["a","b"],"nested":{"on":true}}`
	if err != nil || string(settings) != want {
		t.Errorf("settings are %s (%v), want %s", settings, err, want)
	}
	if none, err := fallback.SettingsJSON(); none != nil || err != nil {
		t.Errorf("no settings are %s (%v), want nil", none, err)
	}
	reward := &Reward{Name: RewardMO1, Steepness: 200, Theta: map[string]float64{"information": .05, "storage": .113}}
	if d := cmp.Diff(reward, m.Reward); d != "" {
		t.Errorf("reward (-want +got):\n%s", d)
	}
}
