package policyv1_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

func observation() policy.Observation {
	id := policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v1"}
	return policy.Observation{
		Mesh: "m", At: time.UnixMilli(1000).UTC(),
		State:  policy.State{{Name: "latency", Service: "a", Role: policy.RoleLatency, Value: .1, Status: policy.Valid}},
		Live:   policy.Action{{KnobID: id, Value: 1}},
		Knobs:  []policy.Knob{{KnobID: id, Service: "a", Max: 1, Levels: 6}},
		Limits: policy.Limits{MaxStep: .2, TotalBlocking: .5, Frozen: "cooldown"},
		Services: []policy.Service{{Name: "a", Value: 1, Floor: 2, Objectives: []policy.Objective{{
			Signal: "latency", Kind: policy.LatencyObjective, Bound: .1, Budget: .05,
			Margin: .1, Correction: []float64{.1, -.2, 3}, Residual: -.05, Price: 12, Lag: .3, Calibrated: true,
		}}}},
	}
}

func TestObservationSurvivesTheWire(t *testing.T) {
	wire, err := proto.Marshal(policyv1.FromObservation(observation()))
	if err != nil {
		t.Fatal(err)
	}
	var back policyv1.Observation
	if err := proto.Unmarshal(wire, &back); err != nil {
		t.Fatal(err)
	}
	got, err := policyv1.ToObservation(&back)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(observation(), got); d != "" {
		t.Errorf("it changed (-sent +received):\n%s", d)
	}
}

func TestDecisionSurvivesTheWire(t *testing.T) {
	sent := policy.Decision{
		Action:   observation().Live,
		Expected: []policy.Prediction{{Service: "a", Signal: "latency", Value: .1, Supported: true, Risk: .03}},
		Reason:   "because",
	}
	got, err := policyv1.ToDecision(policyv1.FromDecision(sent))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sent, got); d != "" {
		t.Errorf("it changed (-sent +received):\n%s", d)
	}
	for _, risk := range []float64{-.1, 1.1, math.NaN(), math.Inf(1)} {
		sent.Expected[0].Risk = risk
		if _, err := policyv1.ToDecision(policyv1.FromDecision(sent)); err == nil {
			t.Errorf("a risk of %v was taken", risk)
		}
	}
}

func TestNumbersThatAreNotFiniteAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*policy.Objective){
		"margin":     func(o *policy.Objective) { o.Margin = math.NaN() },
		"correction": func(o *policy.Objective) { o.Correction[1] = math.Inf(1) },
		"residual":   func(o *policy.Objective) { o.Residual = math.Inf(-1) },
		"price":      func(o *policy.Objective) { o.Price = math.NaN() },
		"lag":        func(o *policy.Objective) { o.Lag = math.NaN() },
	} {
		o := observation()
		spoil(&o.Services[0].Objectives[0])
		if _, err := policyv1.ToObservation(policyv1.FromObservation(o)); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
}
