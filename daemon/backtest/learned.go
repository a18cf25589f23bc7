package backtest

import (
	"math/rand/v2"

	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
)

const (
	// blockRows follow each other in what is learned from and in what is drawn from it: bursts
	// and queues last for several intervals, and seldom for so many.
	blockRows = 60
	// mostRows of a part of the history are learned from. Of a longer one every second block is
	// left out, every fourth, and so on.
	mostRows = 8000
)

// learned is a part of the history, in a bounded number of rows.
type learned struct {
	data  *dataset.Dataset
	block []int // by row: its number
	rows  int   // that there were
	every int   // so many blocks give one
}

func newLearned(m *rules.Mesh) *learned {
	return &learned{data: dataset.Of(m.Name, m.Interval, m.Knobs(), m.PolicyServices()), every: 1}
}

// add takes an interval, the next of its part.
func (l *learned) add(iv lifecycle.Interval) error {
	if iv.Reason != "" {
		return nil
	}
	block := l.rows / blockRows
	l.rows++
	if block%l.every != 0 {
		return nil
	}
	if err := l.data.Append(iv.Row); err != nil {
		return err
	}
	if l.block = append(l.block, block); len(l.block) > mostRows {
		l.every *= 2
		l.keep(func(row int) bool { return l.block[row]%l.every == 0 })
	}
	return nil
}

// keep leaves out all other rows.
func (l *learned) keep(row func(int) bool) {
	data := l.data.Select(row)
	var block []int
	for i, b := range l.block {
		if row(i) {
			block = append(block, b)
		}
	}
	l.data, l.block = data, block
}

// half is a random half of the blocks.
func (l *learned) half(rng *rand.Rand) *dataset.Dataset {
	kept := map[int]bool{}
	var blocks []int
	for _, b := range l.block {
		if len(blocks) == 0 || blocks[len(blocks)-1] != b {
			blocks = append(blocks, b)
		}
	}
	for _, i := range rng.Perm(len(blocks))[:(len(blocks)+1)/2] {
		kept[blocks[i]] = true
	}
	return l.data.Select(func(row int) bool { return kept[l.block[row]] })
}
