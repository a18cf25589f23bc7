package demo

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/windvane/windvane/plugins/explore"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/eval"
)

func explored(t *testing.T, s *Scenario, m *rules.Mesh) *eval.Trace {
	t.Helper()
	l := closedLoop(s, m, nil)
	e := explore.New()
	if err := e.Configure(t.Context(), policy.Config{Settings: fmt.Appendf(nil, `{"seed": %d}`, s.Seed)}); err != nil {
		t.Fatal(err)
	}
	l.Policy = e
	l.From, l.Intervals = s.phase(PhaseExplore).From, s.Lengths.Explore
	return play(t, l)
}

func TestExplorationIsBounded(t *testing.T) {
	m := mesh(t)
	for _, seed := range []uint64{1000, 1003} {
		s := scenario(t, seed, Lengths{})
		trace := explored(t, s, m)
		if n := len(trace.Intervals); n < 300 || n > 600 {
			t.Errorf("%d intervals, want 300 to 600", n)
		}
		seen := map[string]map[float64]bool{}
		for _, in := range trace.Intervals {
			if len(in.Edits) > 0 || in.Refused != "" {
				t.Fatalf("seed %d at %v: the guard had to step in: %v %v", seed, in.Seconds, in.Edits, in.Refused)
			}
			for _, k := range in.Live {
				if seen[k.String()] == nil {
					seen[k.String()] = map[float64]bool{}
				}
				seen[k.String()][k.Value] = true
			}
		}
		for knob, values := range seen {
			if len(values) < 5 {
				t.Errorf("seed %d: %s took %d values only: %v", seed, knob, len(values), values)
			}
		}
		l := closedLoop(s, m, hold{})
		l.From, l.Intervals = s.phase(PhaseExplore).From, s.Lengths.Explore
		for i, none := range play(t, l).Summarise("", nil) {
			if tried := trace.Summarise("", nil)[i]; tried.ViolatedRatio() > none.ViolatedRatio() {
				t.Errorf("seed %d: %s is broken in %.3f of the intervals, more than the %.3f without control",
					seed, tried.Service, tried.ViolatedRatio(), none.ViolatedRatio())
			}
		}
	}
}

func TestExplorationIsAFunctionOfItsSeed(t *testing.T) {
	m := mesh(t)
	s := scenario(t, 1000, Lengths{Explore: 50})
	if a, b := explored(t, s, m), explored(t, s, m); !reflect.DeepEqual(a.Intervals, b.Intervals) {
		t.Error("the same seed tries other settings")
	}
	a := explored(t, s, m)
	s.Seed++
	s.Graph.Faults = nil
	if b := explored(t, s, m); a.Intervals[30].Live.Equal(b.Intervals[30].Live, 1e-9) && a.Intervals[40].Live.Equal(b.Intervals[40].Live, 1e-9) {
		t.Error("another seed tries the same settings")
	}
}
