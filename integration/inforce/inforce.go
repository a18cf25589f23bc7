// Package inforce measures how soon what the mesh is told is what its clients see.
package inforce

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/integration/loadgen"
	"github.com/windvane/windvane/integration/stack"
	"github.com/windvane/windvane/sim/load"
)

// Switch is one change of a split by which all requests go to the other side.
type Switch struct {
	Patch time.Duration // what the patch itself took
	Last  time.Duration // from its beginning to the end of the last answer under the old rule
}

// before is how long requests are offered before the patch.
const before = 200 * time.Millisecond

// Measure switches the shop to and fro under load. Each switch takes about a second.
func Measure(ctx context.Context, a *istio.Actuator, shop *stack.Shop, times int) ([]Switch, error) {
	side := func(v1 float64) error {
		return a.Apply(ctx, nil, stack.Plan(map[string]float64{"information": v1, "compute": v1}, nil), nil)
	}
	if err := side(0); err != nil {
		return nil, err
	}
	time.Sleep(time.Second)
	var out []Switch
	for i := range times {
		s, err := measure(ctx, shop, uint64(i), stack.Versions[(i+1)%2], func() error { return side(float64((i + 1) % 2)) })
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, ctx.Err()
}

// measure offers load while the version named old is left.
func measure(ctx context.Context, shop *stack.Shop, seed uint64, old string, patch func() error) (Switch, error) {
	var s Switch
	var begin time.Time
	done := make(chan error, 1)
	go func() {
		time.Sleep(before)
		begin = time.Now()
		err := patch()
		s.Patch = time.Since(begin)
		done <- err
	}()
	start := time.Now()
	// Less than one version carries alone: an answer that waits at a node is no old rule.
	answers := loadgen.Run(ctx, loadgen.Options{
		URL: shop.URL("information"), Load: load.Constant(150), For: 4 * before, Seed: seed, Timeout: 10 * time.Second,
	})
	if err := <-done; err != nil {
		return s, err
	}
	for _, x := range answers {
		if x.Status != http.StatusOK {
			return s, fmt.Errorf("an answer of %d: %w", x.Status, x.Err)
		}
		if x.Version == old {
			s.Last = max(s.Last, start.Add(x.Due+x.Latency).Sub(begin))
		}
	}
	return s, nil
}
