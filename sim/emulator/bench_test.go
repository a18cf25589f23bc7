package emulator_test

import (
	"testing"

	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/load"
)

// BenchmarkAdvance reports events per second: an arrival or the end of a visit each.
func BenchmarkAdvance(b *testing.B) {
	g := shop()
	g.Faults = nil
	for i := range g.Services {
		g.Services[i].Load = load.Constant(60)
	}
	e := start(b, emulator.Options{Graph: g, Seed: 1})
	e.Advance(1000)
	e.Take()
	events := 0
	b.ReportAllocs()
	for b.Loop() {
		e.Advance(e.Now() + 60)
		for _, t := range e.Take() {
			events += t.Offered + 2*t.Answered
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkCollect(b *testing.B) {
	e := start(b, emulator.Options{Graph: shop(), Seed: 1})
	e.Advance(100)
	sum := 0.0
	b.ReportAllocs()
	for b.Loop() {
		e.Collect(func(_ int, v float64) { sum += v })
	}
	if sum == 0 {
		b.Error("nothing collected")
	}
}

func TestAdvanceAllocatesNothing(t *testing.T) {
	g := shop()
	store := emulator.Visit{Node: "store", Work: .5}
	for i := range g.Services {
		s := &g.Services[i]
		s.Destinations[0].Path = []emulator.Visit{s.Destinations[0].Path[0], {Fork: []emulator.Visit{store, store}}}
		s.Retries = emulator.Retries{Attempts: 2, BackoffSeconds: .1, Refused: true, TimedOut: true}
	}
	g.Nodes[0].Pauses = emulator.Pauses{EverySeconds: 3, MeanSeconds: .1}
	g.Nodes[1].Bursts = emulator.Bursts{EverySeconds: 3, MeanSeconds: 3, Factor: .5}
	e := start(t, emulator.Options{Graph: g, Seed: 1, Initial: emulator.Settings{Blocking: []float64{.2, .2}}})
	e.Advance(3000)
	if n := testing.AllocsPerRun(50, func() { e.Advance(e.Now() + 10) }); n > 0 {
		t.Errorf("%v allocations in 10 s of a warm emulator, want none", n)
	}
}
