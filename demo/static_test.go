package demo

import (
	"bytes"
	"context"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/eval"
)

// tiny is the demo's mesh with a grid of 3*3*4*4 actions.
func tiny(t *testing.T) *rules.Mesh {
	t.Helper()
	text := Rules(RulesOptions{Authority: rules.AuthorityObserve})
	text = bytes.ReplaceAll(text, []byte("levels = 7"), []byte("levels = 4"))
	text = bytes.ReplaceAll(text, []byte("levels = 5"), []byte("levels = 3"))
	m, err := rules.Parse(RulesFile, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestBestStaticIsThatOfBruteForce(t *testing.T) {
	m := tiny(t)
	for _, seed := range []uint64{1000, 1001} {
		s := scenario(t, seed, Lengths{Observe: 2, Explore: 2, Act: 36})
		got, err := BestStatic(t.Context(), s, m)
		if err != nil {
			t.Fatal(err)
		}
		grid, err := policy.Grid(m.Knobs())
		if err != nil {
			t.Fatal(err)
		}
		best := Static{Carried: -1}
		for _, a := range grid {
			l := closedLoop(s, m, hold{})
			if l.Emulator.Initial, err = eval.Settings(s.Graph, m, a); err != nil {
				t.Fatal(err)
			}
			kept, carried := true, 0
			for _, sum := range play(t, l).Summarise("", nil) {
				kept = kept && sum.ViolatedRatio() <= Budget
				carried += sum.Carried
			}
			if kept && carried > best.Carried {
				best = Static{Action: a, Carried: carried}
			}
		}
		if got.Carried != best.Carried || !got.Action.Equal(best.Action, 1e-9) {
			t.Errorf("seed %d: best static setting %v carries %d, brute force finds %v with %d", seed, got.Action, got.Carried, best.Action, best.Carried)
		}
		if got.Tried > len(grid) || got.Tried < 1 {
			t.Errorf("seed %d: %d of %d settings were tried", seed, got.Tried, len(grid))
		}
	}
}

func TestBestStaticStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := BestStatic(ctx, scenario(t, 1000, Lengths{}), tiny(t)); err == nil {
		t.Error("a search that was cancelled gave an answer")
	}
}
