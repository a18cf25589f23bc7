package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/load"
)

// static is a setting that stays.
type static struct {
	V1       map[string]float64 `json:"v1"` // share, by service
	Blocking map[string]float64 `json:"blocking"`
	Kept     bool               `json:"kept"`  // the error budgets, in its own run of the sweep
	Tried    int                `json:"tried"` // settings, most of them not to the end
}

func (s static) action() policy.Action { return stack.Plan(s.V1, s.Blocking) }

// broken reports whether the intervals in which a service was above its bound are more than
// the budget admits of n. Intervals that are not known count for nobody.
func broken(latency [][]float64, n int) bool {
	for k, of := range latency {
		bad, unknown := 0, 0
		for _, l := range of {
			switch {
			case l > bounds[stack.Services[k]].Seconds():
				bad++
			case !(l >= 0):
				unknown++
			}
		}
		if float64(bad) > stack.Budget*float64(n-unknown) {
			return true
		}
	}
	return false
}

// sweepSize is how thorough a sweep is.
type sweepSize struct {
	probe     int // intervals for each split; 0: no split but the initial one is tried
	splits    int // the best of them that are tried with each blocking
	intervals int // of a run
	tries     int // at most
}

// search sweeps: it finds the setting that refuses least of those that keep the error budgets by
// Prometheus' signals when they stay for a whole scene. First the splits are put in order,
// at a load that the shop can barely carry; then blocking is tried with the best of them,
// the most permissive first, each until a budget is broken.
func (r *rig) search(ctx context.Context, s scene, size sweepSize) (*static, error) {
	splits, err := r.splits(ctx, s, size)
	if err != nil {
		return nil, err
	}
	candidates := blockings(splits, s.offered())
	candidates = candidates[:min(len(candidates), size.tries)]
	out := &static{}
	for i, c := range candidates {
		if err := r.set(ctx, c.action()); err != nil {
			return nil, err
		}
		lost := false
		if _, err := r.play(ctx, s, func(latency [][]float64) bool { lost = broken(latency, s.intervals); return lost }); err != nil {
			return nil, err
		}
		c.Tried, c.Kept = i+1, !lost
		if out = &c; c.Kept {
			r.passed(0, (len(candidates)-c.Tried)*(s.warm+s.intervals))
			break
		}
	}
	return out, r.set(ctx, initial)
}

// splits returns the best ones, the best first: those whose worst service exceeds its
// bound in the fewest intervals, of these the fastest.
func (r *rig) splits(ctx context.Context, s scene, size sweepSize) ([]map[string]float64, error) {
	if size.probe == 0 {
		return []map[string]float64{{"information": .5, "compute": .5}}, nil
	}
	type probed struct {
		v1     map[string]float64
		excess float64 // mean of the worst service's latency over its bound, at most 2
	}
	// As much as the shop can just answer within the bounds, and always the same.
	probe := scene{seed: s.seed, loads: []load.Process{load.Constant(means[0]), load.Constant(means[1])}, warm: s.warm, intervals: size.probe}
	var all []probed
	for _, a := range []float64{.25, .5, .75} {
		for _, b := range []float64{.25, .5, .75} {
			p := probed{v1: map[string]float64{"information": a, "compute": b}}
			if err := r.set(ctx, stack.Plan(p.v1, nil)); err != nil {
				return nil, err
			}
			rec, err := r.play(ctx, probe, nil)
			if err != nil {
				return nil, err
			}
			p.excess = excess(rec.signals)
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b probed) int { return cmp.Compare(a.excess, b.excess) })
	var out []map[string]float64
	for _, p := range all[:min(size.splits, len(all))] {
		out = append(out, p.v1)
	}
	return out, nil
}

func excess(latency [][]float64) float64 {
	worst := 0.0
	for k, of := range latency {
		sum, n := 0.0, 0
		for _, l := range of {
			if l >= 0 {
				sum, n = sum+min(2, l/bounds[stack.Services[k]].Seconds()), n+1
			}
		}
		if n > 0 {
			worst = max(worst, sum/float64(n))
		}
	}
	return worst
}

// blockings are all levels of blocking with each of the splits, those first that refuse
// least of what is offered.
func blockings(splits []map[string]float64, offered []float64) []static {
	const levels, maximum = 7, .8
	type ranked struct {
		static
		refused float64
	}
	var all []ranked
	for a := range levels {
		for b := range levels {
			share := []float64{maximum * float64(a) / (levels - 1), maximum * float64(b) / (levels - 1)}
			for _, v1 := range splits {
				s := static{V1: v1, Blocking: map[string]float64{stack.Services[0]: share[0], stack.Services[1]: share[1]}}
				all = append(all, ranked{s, share[0]*offered[0] + share[1]*offered[1]})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(a.refused, b.refused) })
	out := make([]static, len(all))
	for i := range all {
		out[i] = all[i].static
	}
	return out
}
