package demo

import (
	"context"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/eval"
)

func scenario(t *testing.T, seed uint64, l Lengths) *Scenario {
	t.Helper()
	s, err := NewScenario(seed, l)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mesh(t *testing.T) *rules.Mesh {
	t.Helper()
	m, err := ParseRules(RulesOptions{
		Authority: rules.AuthorityAct, Directory: "rules.d",
		Policies: []rules.PolicyRef{
			{Name: "planner", Plugin: "planner", Role: rules.RoleActive, Artefact: "artefact"},
			{Name: "rules", Plugin: "rules", Role: rules.RoleFallback},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// hold changes nothing.
type hold struct{}

func (hold) Describe(context.Context) (policy.Description, error) { return policy.Description{}, nil }
func (hold) Configure(context.Context, policy.Config) error       { return nil }
func (hold) Decide(context.Context, policy.Observation) (policy.Decision, error) {
	return policy.Decision{Abstain: true}, nil
}

func closedLoop(s *Scenario, m *rules.Mesh, p policy.Policy) eval.ClosedLoop {
	return eval.ClosedLoop{
		Mesh: m, Emulator: s.Emulator(), Policy: p, Params: margin.Defaults(), Start: time.Unix(1000, 0).UTC(),
		From: s.Act(), Intervals: s.Lengths.Act, Phase: s.PhaseAt,
	}
}

func play(t *testing.T, c eval.ClosedLoop) *eval.Trace {
	t.Helper()
	out, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNoControlBreaksTheObjectives(t *testing.T) {
	m := mesh(t)
	for _, seed := range []uint64{1000, 1001} {
		s := scenario(t, seed, Lengths{})
		trace := play(t, closedLoop(s, m, hold{}))
		if len(trace.Intervals) < 600 {
			t.Errorf("part 3 has %d intervals, want at least 600", len(trace.Intervals))
		}
		for _, sum := range trace.Summarise("", m.Knobs()) {
			if v := sum.ViolatedRatio(); v < .2 || v > .6 {
				t.Errorf("seed %d: without control %s is broken in %.3f of the intervals, want .2 to .6", seed, sum.Service, v)
			}
			if sum.Unknown > 0 {
				t.Errorf("seed %d: %d intervals of %s are unknown", seed, sum.Unknown, sum.Service)
			}
		}
		for _, phase := range []string{PhaseSinusoid, PhaseBurst, PhaseFault} {
			if n := trace.Summarise(phase, nil)[0].Intervals; n != 200 {
				t.Errorf("phase %s has %d intervals, want 200", phase, n)
			}
		}
	}
}

func TestSameSeedSameScenario(t *testing.T) {
	a, b, c := scenario(t, 1000, Lengths{}), scenario(t, 1000, Lengths{}), scenario(t, 1001, Lengths{})
	differ := false
	for i := range a.Graph.Services {
		for at := 0.; at < 5000; at += 13 {
			rate := a.Graph.Services[i].Load.Rate(at)
			if rate != b.Graph.Services[i].Load.Rate(at) {
				t.Fatalf("the load of service %d at %v differs for the same seed", i, at)
			}
			differ = differ || rate != c.Graph.Services[i].Load.Rate(at)
		}
	}
	if !differ {
		t.Error("another seed has the same load")
	}
}

// Who starts shortly before part 3 sees the same requests there.
func TestPartThreeHasTheSameRequestsWithoutWhatCameBefore(t *testing.T) {
	s := scenario(t, 1002, Lengths{Observe: 5, Explore: 40, Act: 30})
	var offered [2][]int
	for i, o := range []emulator.Options{s.Emulator(), s.actEmulator()} {
		e, err := emulator.New(o)
		if err != nil {
			t.Fatal(err)
		}
		e.Advance(s.Act().Seconds())
		e.Take()
		for at := s.Act().Seconds(); at < s.Phases[4].To().Seconds(); at += 5 {
			e.Advance(at + 5)
			for _, total := range e.Take() {
				offered[i] = append(offered[i], total.Offered, total.Carried)
			}
		}
	}
	for i := range offered[0] {
		if offered[0][i] != offered[1][i] {
			t.Fatalf("count %d: %d requests, %d without what came before", i, offered[0][i], offered[1][i])
		}
	}
}

func TestRulesFile(t *testing.T) {
	m := mesh(t)
	if w := m.Warnings(); len(w) > 0 {
		t.Errorf("the rules file has warnings: %v", w)
	}
	grid, err := policy.Grid(m.Knobs())
	if err != nil || len(grid) > 1500 {
		t.Errorf("the grid has %d actions, want at most 1500: %v", len(grid), err)
	}
	if m.Policies[0].Artefact != "rules.d/artefact" {
		t.Errorf("the artefact is at %s", m.Policies[0].Artefact)
	}
	for _, s := range m.PolicyServices() {
		if s.Objectives[0].Budget != Budget {
			t.Errorf("%s has a budget of %v", s.Name, s.Objectives[0].Budget)
		}
	}
}

func TestScenarioRefusesEmptyParts(t *testing.T) {
	if _, err := NewScenario(1, Lengths{Act: 2}); err == nil {
		t.Error("a part 3 of two intervals was not refused")
	}
}
