package promotion_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/promotion"
)

// Evidence that goes on from the blocks of an earlier process is that of one that never ended; the
// blocks of other pairs are not taken for its own.
func TestEvidenceGoesOn(t *testing.T) {
	pair := promotion.Pair{Policy: "s", Of: "1", Active: "a", ActiveOf: "2"}
	s, whole, first := newStage(1000), promotion.NewEvidence(pair), promotion.NewEvidence(pair)
	second := promotion.NewEvidence(pair)
	var blocks []journal.Trial
	for n := range 4 * promotion.BlockCycles {
		in := s.next(careful, nil, knows(capacity))
		whole.Add(in)
		if n < 3*promotion.BlockCycles {
			if b := first.Add(in); b != nil {
				blocks = append(blocks, *b)
			}
			continue
		}
		second.Add(in)
	}
	other := blocks[0]
	other.Of = "3"
	second.Prepend(append([]journal.Trial{other}, blocks...))
	second.Prepend(blocks) // twice is once
	got, want := second.Total(), whole.Total()
	if got.Cycles != want.Cycles || got.Objectives[0].Predicted != want.Objectives[0].Predicted-1 || !got.From.Equal(want.From) || !got.To.Equal(want.To) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if len(blocks) != 3 || want.Cycles != 240 || want.Answered != 240 || want.Compared < 120 {
		t.Errorf("%d blocks, %+v", len(blocks), want)
	}
	if d := cmp.Diff(pair, promotion.Of(blocks[0])); d != "" {
		t.Error(d)
	}
}
