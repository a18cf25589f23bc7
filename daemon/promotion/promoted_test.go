package promotion_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/promotion"
	"github.com/windvane/windvane/sim/eval"
)

// size is that of the report which the documentation quotes.
type size struct {
	each   int // of each kind of sabotage, and a quarter of the better ones
	rows   int
	cycles int
	seed   uint64 // of the meshes
}

// verdict is what became of a candidate.
type verdict struct {
	name      string
	opened    int // cycle at which the gate let it be a canary; 0: never
	canary    int // cycles that it was one
	promoted  bool
	why       string
	advantage float64 // of it as the active policy, over the one that it would take the place of, by the emulator; of better ones
}

// trial has candidates be shadows of an active policy, and those that pass be canaries on the same
// requests; where the truth is asked for, each decides by itself, too.
func trial(t *testing.T, g eval.Graph, active candidate, candidates []candidate, seed uint64, z size, servers float64, truth bool) []verdict {
	t.Helper()
	_, m := smallMesh(t)
	m.Promotion.Minimum, m.Promotion.CanaryMinimum = time.Duration(z.cycles/3)*m.Interval, time.Duration(z.cycles/6)*m.Interval
	r := newRun(t, newField(t, g, m, seed, z.cycles, servers), active, candidates, false)
	out := make([]verdict, len(candidates))
	r.cycles(z.cycles, func() {
		for k := range candidates {
			if out[k].opened > 0 {
				continue
			}
			items := r.evidence[k].Gate(r.asked)
			if out[k].why = closed(items); promotion.Passed(items) {
				out[k].opened = r.cycle
			}
		}
	})
	base := r.worth()
	t.Logf("%s carries %.3f and breaks %.3f, worth %.3f", active.name, r.carried/r.offered, r.violated/r.intervals, base)
	for k, c := range candidates {
		out[k].name = c.name
		if truth {
			alone := newRun(t, newField(t, g, m, seed, z.cycles, servers), c, nil, false)
			alone.cycles(z.cycles, nil)
			out[k].advantage = alone.worth() - base
		}
		if out[k].opened == 0 {
			continue
		}
		on := newRun(t, newField(t, g, m, seed, z.cycles, servers), c, nil, true)
		for n := 0; n < z.cycles && !out[k].promoted && on.rolled == ""; n += promotion.BlockCycles {
			on.cycles(promotion.BlockCycles, nil)
			items := on.evidence[0].Canary(on.asked, epoch)
			out[k].why, out[k].promoted = closed(items), promotion.Passed(items)
		}
		if on.rolled != "" {
			out[k].promoted, out[k].why = false, on.rolled
		}
		out[k].canary = on.cycle
	}
	return out
}

// worth is what the gate calls it: carried, less what error budgets are exceeded by, as a share of
// the offered load.
func (r *run) worth() float64 { return r.carried/r.offered - max(0, r.violated/r.intervals-.05) }

// closed says which items keep a policy from passing, and why.
func closed(items []promotion.Item) string {
	var out []string
	for _, i := range items {
		if !i.Open() {
			out = append(out, i.Code+" "+i.State+": "+i.Why)
		}
	}
	return strings.Join(out, "; ")
}

func (v verdict) String() string {
	state := "not a canary"
	switch {
	case v.promoted:
		state = fmt.Sprintf("canary after %d cycles, active after %d more", v.opened, v.canary)
	case v.opened > 0:
		state = fmt.Sprintf("canary after %d cycles, not active after %d more", v.opened, v.canary)
	}
	return fmt.Sprintf("%-20s worth %+.3f: %s %s", v.name, v.advantage, state, v.why)
}

// Of sabotaged models none gets as far as being active, beside a policy without a model and beside
// one with a good one. Of better ones it prints how many do, and how soon. PROMOTION_REPORT=1500 runs
// it, for as many cycles; that takes some minutes.
func TestWhoIsPromoted(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("PROMOTION_REPORT"))
	if err != nil {
		t.Skip("takes minutes; PROMOTION_REPORT=1500 runs it")
	}
	z := size{each: 5, rows: 1500, cycles: n, seed: 1}
	g, m := smallMesh(t)
	good := trained(t, "good", m, samples(t, g, m, 1900, z.rows, present), 1900)
	bad := sabotaged(t, g, m, z.each, z.rows)
	var better []candidate
	for n := range 4 * z.each {
		seed := 3000 + uint64(n)
		better = append(better, trained(t, fmt.Sprintf("better %d", n+1), m, samples(t, g, m, seed, z.rows, present), seed))
	}
	old := trained(t, "old capacity", m, samples(t, g, m, 1950, z.rows, 1), 1950)
	for _, c := range []struct {
		name       string
		active     candidate
		candidates []candidate
		seed       uint64
		bad        bool
	}{
		{"sabotaged beside thresholds", thresholds(), bad, z.seed + 0, true},
		{"sabotaged beside a good model", good, bad, z.seed + 1, true},
		{"better beside thresholds", thresholds(), better, z.seed + 2, false},
		{"better beside an old model", old, better, z.seed + 3, false},
	} {
		verdicts := trial(t, g, c.active, c.candidates, c.seed, z, present, !c.bad)
		promoted, canaries, truly := 0, 0, 0
		var soon []int
		for _, v := range verdicts {
			t.Logf("%s: %s", c.name, v)
			if v.opened > 0 {
				canaries++
			}
			if v.advantage > 0 {
				truly++
			}
			if v.promoted {
				promoted++
				soon = append(soon, v.opened)
			}
		}
		slices.Sort(soon)
		t.Logf("%s: of %d, %d of which do better, %d are canaries and %d active; the gate opens after %v cycles", c.name, len(verdicts), truly, canaries, promoted, soon)
		if c.bad && promoted > 0 {
			t.Errorf("%s: %d promoted", c.name, promoted)
		}
	}
}
