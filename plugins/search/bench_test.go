package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

// figure is one line of bench.json.
type figure struct {
	Value   float64  `json:"value"`
	Unit    string   `json:"unit"`
	Peer    *float64 `json:"peer"` // the same of the mixed integer program; null where it is no peer
	N       int      `json:"n"`    // instances or decisions behind the value, which is their median unless its name says more
	Command string   `json:"command"`
	Commit  string   `json:"commit"`
}

type bench struct {
	figures map[string]figure
	order   []string
}

// TestBench is part of `make bench`: it is skipped unless BENCH_JSON names a file,
// to which it adds its figures.
func TestBench(t *testing.T) {
	out := os.Getenv("BENCH_JSON")
	if out == "" {
		t.Skip("a benchmark: run it by make bench")
	}
	b := &bench{figures: map[string]figure{}}
	fmt.Printf("\nsearch: seeds 1 to 5, %d cores, %s\n\n", runtime.GOMAXPROCS(0), runtime.Version())
	b.exact()
	all := readInstances(t).Instances
	for _, c := range []struct{ services, budget int }{{4, 200_000}, {20, 2_000_000}, {50, 15_000_000}, {100, 15_000_000}} {
		b.cold(all, c.services, c.budget)
	}
	b.warm(t, all)
	b.learned(t)
	b.print()
	if err := b.write(out); err != nil {
		t.Fatal(err)
	}
}

// exact compares with a plain enumeration.
func (b *bench) exact() {
	least, n := math.Inf(1), 0
	for services := 2; services <= 3; services++ {
		for seed := uint64(1); seed <= 5; seed++ {
			in := generate(services, seed)
			least = min(least, must(Solve(in.problem(nil), 200_000, 1)).Value/in.best())
			n++
		}
	}
	b.add("search_2_3_share_least", least, "1", nil, n)
}

// cold starts with everything blocked. A share is of the bound that no solution
// exceeds; the peer's is that of the solution that it found in its time.
func (b *bench) cold(all []storedInstance, services, budget int) {
	var share, seconds, rate, peer, peerSeconds, greedy []float64
	for i := range all {
		in := &all[i]
		if len(in.Services) != services {
			continue
		}
		p := in.problem(nil)
		start := time.Now()
		r := must(Solve(p, budget, 1))
		seconds = append(seconds, time.Since(start).Seconds())
		rate = append(rate, float64(r.Evaluations)/seconds[len(seconds)-1])
		share, greedy = append(share, r.Value/in.Reference.Bound), append(greedy, r.Greedy.Value/in.Reference.Bound)
		peer, peerSeconds = append(peer, in.Reference.Value/in.Reference.Bound), append(peerSeconds, in.Reference.Seconds)
	}
	name := fmt.Sprintf("search_%d_", services)
	b.add(name+"share", median(share), "1", new(median(peer)), len(share))
	b.add(name+"share_least", slices.Min(share), "1", new(slices.Min(peer)), len(share))
	b.add(name+"greedy_share", median(greedy), "1", nil, len(share))
	b.add(name+"seconds", median(seconds), "s", new(median(peerSeconds)), len(share))
	b.add(name+"evaluations", median(rate), "1/s", nil, len(share))
}

// warm starts with the choices of a search before each load changed by up to 5 %.
func (b *bench) warm(t *testing.T, all []storedInstance) {
	const budget, changes = 100_000, 10
	var millis, share []float64
	for i := range all {
		in := &all[i]
		if len(in.Services) != 100 {
			continue
		}
		rng := rand.New(rand.NewPCG(in.Seed, 5))
		live := must(Solve(in.problem(nil), 1_000_000, 1)).Choices
		for range changes {
			next := in.instance
			next.Services = slices.Clone(in.Services)
			for s := range next.Services {
				next.Services[s].Rate *= .95 + .1*rng.Float64()
			}
			p := next.problem(live)
			start := time.Now()
			r := must(Solve(p, budget, 1))
			millis = append(millis, 1e3*time.Since(start).Seconds())
			share = append(share, r.Value/must(Solve(next.problem(nil), 4_000_000, 1)).Value)
			if !r.Feasible || !next.feasible(r.Choices) {
				t.Fatalf("seed %d: not feasible after a change of the load", in.Seed)
			}
		}
	}
	b.add("search_100_warm", median(millis), "ms", nil, len(millis))
	b.add("search_100_warm_most", slices.Max(millis), "ms", nil, len(millis))
	b.add("search_100_warm_share", median(share), "1", nil, len(share))
	b.add("search_100_warm_share_least", slices.Min(share), "1", nil, len(share))
}

// learned decides by the system model of 10 services, with the policy's own budget. A
// share is of what 50 times as many evaluations find.
func (b *bench) learned(t *testing.T) {
	const decisions = 20
	var millis, share []float64
	for seed := uint64(1); seed <= 5; seed++ {
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
			start := time.Now()
			d := decide(t, p, next)
			millis = append(millis, 1e3*time.Since(start).Seconds())
			if n == 0 {
				share = append(share, carriedValue(next, d.Action)/carriedValue(next, decide(t, long, next).Action))
			}
			o.Live = d.Action
		}
	}
	b.add("search_learned_10", median(millis), "ms", nil, len(millis))
	b.add("search_learned_10_most", slices.Max(millis), "ms", nil, len(millis))
	b.add("search_learned_10_share", median(share), "1", nil, len(share))
	b.add("search_learned_10_share_least", slices.Min(share), "1", nil, len(share))
}

func (b *bench) add(name string, value float64, unit string, peer *float64, n int) {
	b.order = append(b.order, name)
	b.figures[name] = figure{value, unit, peer, n, os.Getenv("BENCH_COMMAND"), os.Getenv("BENCH_COMMIT")}
}

func (b *bench) print() {
	for _, name := range b.order {
		f := b.figures[name]
		format := "%.4g"
		if f.Value >= 10000 {
			format = "%.0f"
		}
		line := fmt.Sprintf("%-30s %12s %-4s n = %d", name, fmt.Sprintf(format, f.Value), f.Unit, f.N)
		if f.Peer != nil {
			line += fmt.Sprintf("   HiGHS %.4g", *f.Peer)
		}
		fmt.Println(line)
	}
}

// write adds the figures to those that are in the file.
func (b *bench) write(path string) error {
	all := map[string]json.RawMessage{}
	src, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(src, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	for name, f := range b.figures {
		all[name] = must(json.Marshal(f))
	}
	return os.WriteFile(path, append(must(json.MarshalIndent(all, "", "  ")), '\n'), 0o600)
}

func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

// must is for a benchmark, whose input is the repository's.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
