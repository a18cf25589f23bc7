package explore

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/policy"
)

func observation(latency float64, status policy.Status) policy.Observation {
	o := policy.Observation{
		Knobs: []policy.Knob{
			{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Service: "a", Max: .8, Levels: 5},
			{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "ns/d"}, Min: 1, Max: 3, Levels: 3},
			{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v1"}, Service: "a", Max: 1, Levels: 5},
			{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v2"}, Service: "a", Max: 1, Levels: 5},
			{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v3"}, Service: "a", Max: 1, Levels: 5},
		},
		Limits:   policy.Limits{MaxStep: .25, TotalBlocking: .8},
		Services: []policy.Service{{Name: "a", Objectives: []policy.Objective{{Signal: "latency", Kind: policy.LatencyObjective, Bound: .1, Budget: .05}}}},
		State: policy.State{
			{Name: "latency", Service: "a", Role: policy.RoleLatency, Value: latency, Status: status},
			{Name: "offered", Service: "a", Role: policy.RoleOffered, Value: 10, Status: policy.Valid},
		},
	}
	for i, v := range []float64{.4, 2, .25, .25, .5} {
		o.Live = append(o.Live, policy.Setting{KnobID: o.Knobs[i].KnobID, Value: v})
	}
	return o
}

func configured(t *testing.T, settings string) *Explore {
	t.Helper()
	e := New()
	if err := e.Configure(t.Context(), policy.Config{Settings: []byte(settings)}); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestBlockingFollowsWhatWasMeasured(t *testing.T) {
	for _, c := range []struct {
		name        string
		latency     float64
		status      policy.Status
		least, most float64
	}{
		{"bound broken", .2, policy.Valid, .4, .8},
		{"bound kept", .05, policy.Valid, .2, .4},
		{"not measured", 0, policy.Stale, .4, .8},
	} {
		seen := map[float64]bool{}
		for seed := range 40 {
			e := configured(t, fmt.Sprintf(`{"seed": %d}`, seed))
			o := observation(c.latency, c.status)
			d, err := e.Decide(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Action.Validate(o.Knobs); err != nil {
				t.Fatal(err)
			}
			b := d.Action[0].Value
			if b < c.least-1e-9 || b > c.most+1e-9 {
				t.Errorf("%s: blocking from 0.4 to %v, want %v to %v", c.name, b, c.least, c.most)
			}
			seen[b] = true
		}
		if len(seen) < 2 {
			t.Errorf("%s: always the same blocking", c.name)
		}
	}
}

func TestDecideIsPure(t *testing.T) {
	e, o := configured(t, `{"seed": 3}`), observation(.05, policy.Valid)
	before := observation(.05, policy.Valid)
	a, err := e.Decide(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	later := o
	later.At = later.At.AddDate(0, 0, 1)
	if _, err := e.Decide(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	b, err := e.Decide(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("the same observation got %v, then %v", a.Action, b.Action)
	}
	if !reflect.DeepEqual(o, before) {
		t.Error("Decide changed the observation")
	}
}

func TestASettingStays(t *testing.T) {
	e, o := configured(t, `{"seed": 3, "hold": "3s"}`), observation(.2, policy.Valid)
	changed := map[int]int{}
	for second := range 300 {
		o.At = time.Date(2026, 1, 2, 3, 0, second, 0, time.UTC)
		d, err := e.Decide(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if !d.Action.Equal(o.Live, 1e-9) {
			changed[second%3]++
		}
	}
	if changed[1]+changed[2] > 0 || changed[0] < 80 {
		t.Errorf("changes by seconds after the time to change: %v", changed)
	}
	o.At = o.At.Truncate(3 * time.Second).Add(time.Millisecond) // a cycle that was woken
	if d, err := e.Decide(t.Context(), o); err != nil || !d.Action.Equal(o.Live, 1e-9) {
		t.Errorf("%v, %v", d.Action, err)
	}
}

func TestConfigureRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, settings := range []string{`{"sede": 1}`, `{"seed": -1}`, `{"seed": 1.5}`, `{"hold": "soon"}`, `{"hold": "-3s"}`, `[`} {
		if err := New().Configure(t.Context(), policy.Config{Settings: []byte(settings)}); err == nil {
			t.Errorf("%s was taken", settings)
		}
	}
}

func TestDecideRefusesALiveActionOfOtherKnobs(t *testing.T) {
	o := observation(.05, policy.Valid)
	o.Live = o.Live[1:]
	if _, err := New().Decide(t.Context(), o); err == nil {
		t.Error("it was taken")
	}
}
