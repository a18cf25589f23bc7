//go:build integration

package suite

import (
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/actuate"
	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/integration/inforce"
	"github.com/windvane/windvane/integration/loadgen"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/sim/load"
)

// actuator is windvane's, with windvane's rights. At the end of the test the mesh is as it
// was before.
func actuator(t *testing.T) *istio.Actuator {
	a, err := shared.Actuator(windvane)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, r := range a.Release(context.Background(), actuate.ReleaseOptions{Force: true}) {
			if r.Problem != "" {
				t.Errorf("release: %+v", r)
			}
		}
	})
	return a
}

// binomial99 says whether k of n is what a share of p gives in 99 % of all cases, or, of
// many, in all of them.
func binomial99(k, n int, p float64, many int) bool {
	if p == 0 || p == 1 || n == 0 {
		return float64(k) == p*float64(n)
	}
	tail := .005 / float64(many)
	return atMost(k, n, p) >= tail && 1-atMost(k-1, n, p) >= tail
}

// atMost is the chance of k or fewer of n, each with a chance of p.
func atMost(k, n int, p float64) float64 {
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x + 1)); return v }
	sum := 0.0
	for i := range k + 1 {
		sum += math.Exp(lg(n) - lg(i) - lg(n-i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

func TestCommandedIsObserved(t *testing.T) {
	const plans, settle, look = 24, 500 * time.Millisecond, 2 * time.Second
	a := actuator(t)
	random := rand.New(rand.NewPCG(1001, 0))
	within, checks := 0, 0
	for i := range plans {
		v1, blocking := map[string]float64{}, map[string]float64{}
		for _, s := range stack.Services {
			v1[s], blocking[s] = float64(random.IntN(11))/10, float64(random.IntN(9))/10*float64(random.IntN(2))
		}
		want := stack.Plan(v1, blocking)
		if err := a.Apply(t.Context(), nil, want, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(settle)
		seen := offer(t, 200, look, uint64(i))
		for _, s := range stack.Services {
			n := seen[s]
			checks += 2
			for what, c := range map[string]struct {
				k, n int
				p    float64
			}{"blocked": {n.shed, n.offered, blocking[s]}, "to v1": {n.v1, n.offered - n.shed, v1[s]}} {
				if binomial99(c.k, c.n, c.p, 1) {
					within++
				}
				if !binomial99(c.k, c.n, c.p, 4*plans) {
					t.Errorf("plan %d, %s %s: %d of %d, commanded %v", i, s, what, c.k, c.n, c.p)
				}
			}
			if n.failed > 0 {
				t.Errorf("plan %d, %s: %d of %d got neither an answer nor the commanded 429", i, s, n.failed, n.offered)
			}
		}
	}
	t.Logf("%d of %d shares of %d random plans within the 99 %% binomial interval", within, checks, plans)
}

// seen is what clients saw of a service.
type seen struct{ offered, shed, v1, failed int }

// offer asks both services for a while.
func offer(t *testing.T, rate float64, during time.Duration, seed uint64) map[string]seen {
	out := map[string]seen{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for k, s := range stack.Services {
		all.Go(func() {
			answers := loadgen.Run(t.Context(), loadgen.Options{URL: shop.URL(s), Load: load.Constant(rate), For: during, Seed: seed + 1000*uint64(k), Timeout: 10 * time.Second})
			var n seen
			for _, a := range answers {
				n.offered++
				switch {
				case a.Status == http.StatusTooManyRequests:
					n.shed++
				case a.Status != http.StatusOK:
					n.failed++
				case a.Version == "v1":
					n.v1++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			out[s] = n
		})
	}
	all.Wait()
	return out
}

// From the patch to the last answer under the old rule, where all requests change sides.
func TestPatchIsSoonInForce(t *testing.T) {
	const times = 25
	switches, err := inforce.Measure(t.Context(), actuator(t), shop, times)
	if err != nil {
		t.Fatal(err)
	}
	var patch, last []float64 // seconds
	for _, s := range switches {
		patch, last = append(patch, s.Patch.Seconds()), append(last, s.Last.Seconds())
	}
	for _, x := range []struct {
		what string
		v    []float64
	}{{"patch", patch}, {"patch to the last answer under the old rule", last}} {
		t.Logf("%s: p50 %.0f ms, p99 %.0f ms, of %d", x.what, 1000*loadgen.Quantile(slices.Clone(x.v), .5), 1000*loadgen.Quantile(slices.Clone(x.v), .99), times)
		if m := slices.Max(x.v); m > .6 || math.IsNaN(m) {
			t.Errorf("%s: %v s at most", x.what, m)
		}
	}
}
