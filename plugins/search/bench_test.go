package search

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/windvane/windvane/internal/bench"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

type benchmark struct{ *bench.Report }

// TestBench is part of `make bench`.
func TestBench(t *testing.T) {
	b := benchmark{bench.Start(t)}
	b.Section("search, seeds 1 to 5, as a share of the bound that none exceeds; peer: HiGHS in 120 s, as recorded")
	b.exact()
	all := readInstances(t).Instances
	for _, c := range []struct{ services, budget int }{{4, 200_000}, {20, 2_000_000}, {50, 15_000_000}, {100, 15_000_000}} {
		b.cold(all, c.services, c.budget)
	}
	b.warm(t, all)
	b.learned(t)
}

// exact compares with a plain enumeration.
func (b benchmark) exact() {
	least, n := math.Inf(1), 0
	for services := 2; services <= 3; services++ {
		for seed := uint64(1); seed <= 5; seed++ {
			in := generate(services, seed)
			least = min(least, must(Solve(in.problem(nil), 200_000, 1)).Value/in.best())
			n++
		}
	}
	b.Add("search_2_3_share_least", least, "1", n)
}

// cold starts with everything blocked. A share is of the bound that no solution
// exceeds; the peer's is that of the solution that it found in its time.
func (b benchmark) cold(all []storedInstance, services, budget int) {
	var share, seconds, rate, peer, peerSeconds, greedy []float64
	for i := range all {
		in := &all[i]
		if len(in.Services) != services {
			continue
		}
		b.Stage(fmt.Sprintf("instances of %d services", services), len(share), 5)
		p := in.problem(nil)
		start := bench.CPUTime()
		r := must(Solve(p, budget, 1))
		seconds = append(seconds, (bench.CPUTime() - start).Seconds())
		rate = append(rate, float64(r.Evaluations)/seconds[len(seconds)-1])
		share, greedy = append(share, r.Value/in.Reference.Bound), append(greedy, r.Greedy.Value/in.Reference.Bound)
		peer, peerSeconds = append(peer, in.Reference.Value/in.Reference.Bound), append(peerSeconds, in.Reference.Seconds)
	}
	name := fmt.Sprintf("search_%d_", services)
	b.AddPeer(name+"share", bench.Median(share), "1", bench.Median(peer), len(share))
	b.AddPeer(name+"share_least", slices.Min(share), "1", slices.Min(peer), len(share))
	b.Add(name+"greedy_share", bench.Median(greedy), "1", len(share))
	b.AddPeer(name+"seconds", bench.Median(seconds), "s", bench.Median(peerSeconds), len(share))
	b.Add(name+"evaluations", bench.Median(rate), "1/s", len(share))
}

// warm starts with the choices of a search before each load changed by up to 5 %.
func (b benchmark) warm(t *testing.T, all []storedInstance) {
	const budget, changes = 100_000, 10
	var millis, share []float64
	for i := range all {
		in := &all[i]
		if len(in.Services) != 100 {
			continue
		}
		b.Stage("instances of 100 services whose loads change", len(share)/changes, 5)
		rng := rand.New(rand.NewPCG(in.Seed, 5))
		live := must(Solve(in.problem(nil), 1_000_000, 1)).Choices
		for range changes {
			next := in.instance
			next.Services = slices.Clone(in.Services)
			for s := range next.Services {
				next.Services[s].Rate *= .95 + .1*rng.Float64()
			}
			p := next.problem(live)
			start := bench.CPUTime()
			r := must(Solve(p, budget, 1))
			millis = append(millis, 1e3*(bench.CPUTime()-start).Seconds())
			share = append(share, r.Value/must(Solve(next.problem(nil), 4_000_000, 1)).Value)
			if !r.Feasible || !next.feasible(r.Choices) {
				t.Fatalf("seed %d: not feasible after a change of the load", in.Seed)
			}
		}
	}
	b.Add("search_100_warm", bench.Median(millis), "ms", len(millis))
	b.Add("search_100_warm_most", slices.Max(millis), "ms", len(millis))
	b.Add("search_100_warm_share", bench.Median(share), "1", len(share))
	b.Add("search_100_warm_share_least", slices.Min(share), "1", len(share))
}

// learned decides by the system model of 10 services, with the policy's own budget. A
// share is of what 50 times as many evaluations find.
func (b benchmark) learned(t *testing.T) {
	const decisions = 20
	var millis, share []float64
	for seed := uint64(1); seed <= 5; seed++ {
		b.Stage("system models of 10 services", int(seed)-1, 5)
		in, artefact := fitted(t, 10, seed, 3000, model.DefaultTreeParams())
		p := configured(t, artefact, "")
		long := configured(t, artefact, fmt.Sprintf(`{"evaluations": %d}`, 50*p.evaluations))
		rng := rand.New(rand.NewPCG(seed, 6))
		o := in.observation(1, .1)
		for n := range decisions / 5 {
			next := o
			next.State = slices.Clone(o.State)
			for i := range next.State {
				if s := &next.State[i]; s.Role == policy.RoleOffered {
					s.Value *= .95 + .1*rng.Float64()
				}
			}
			start := bench.CPUTime()
			d := decide(t, p, next)
			millis = append(millis, 1e3*(bench.CPUTime()-start).Seconds())
			if n == 0 {
				share = append(share, carriedValue(next, d.Action)/carriedValue(next, decide(t, long, next).Action))
			}
			o.Live = d.Action
		}
	}
	b.Add("search_learned_10", bench.Median(millis), "ms", len(millis))
	b.Add("search_learned_10_most", slices.Max(millis), "ms", len(millis))
	b.Add("search_learned_10_share", bench.Median(share), "1", len(share))
	b.Add("search_learned_10_share_least", slices.Min(share), "1", len(share))
}

// must is for a benchmark, whose input is the repository's.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
