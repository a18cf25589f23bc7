package host

import (
	"slices"
	"testing"
	"time"

	"github.com/windvane/windvane/internal/bench"
	"github.com/windvane/windvane/plugins/plugintest"
	"github.com/windvane/windvane/plugins/policy"
)

// TestBench is part of `make bench`: what the boundary between daemon and plugin costs a
// decision of a policy that answers with what is live. It is wall time: it has a process
// on both sides.
func TestBench(t *testing.T) {
	b := bench.Start(t)
	b.Section("a decision over the boundary, wall time; peer: a bare call on the same connection")
	h := mustStart(t, "plain")
	s := h.view.Load().session
	const calls = 3000
	bare := timed(t, calls, func() error { return s.ping(time.Second) })
	p50, p99 := quantiles(bare)
	b.Add("plugin_bare_call_p50", p50, "us", calls)
	b.Add("plugin_bare_call_p99", p99, "us", calls)
	in := &fakePolicy{mode: "plain"}
	for _, size := range []struct {
		name     string
		services int
		calls    int
	}{{"10", 10, calls}, {"500", 500, calls / 10}} {
		o := observationOf(size.services)
		over50, over99 := quantiles(timed(t, size.calls, func() error { _, err := h.Decide(t.Context(), o); return err }))
		in50, in99 := quantiles(timed(t, size.calls, func() error { _, err := in.Decide(t.Context(), o); return err }))
		b.AddPeer("plugin_decide_"+size.name+"_p50", over50, "us", p50, size.calls)
		b.AddPeer("plugin_decide_"+size.name+"_p99", over99, "us", p99, size.calls)
		b.Add("in_process_decide_"+size.name+"_p50", in50, "us", size.calls)
		b.Add("in_process_decide_"+size.name+"_p99", in99, "us", size.calls)
	}
}

// observationOf has so many services, each with a blocking and a route to two
// destinations, and two signals. The first is called a, as fakePolicy's predictions are.
func observationOf(services int) policy.Observation {
	names, loads := make([]string, services), make([]float64, services)
	for i := range names {
		names[i], loads[i] = string(rune('a'+i)), 10
	}
	o := plugintest.Observation(plugintest.Knobs(names...), .1, loads...)
	o.Services[0].Objectives[0].Signal = "p95"
	return o
}

// timed returns how long each call took, in microseconds, after a tenth as many to warm up.
func timed(t *testing.T, calls int, call func() error) []float64 {
	t.Helper()
	var out []float64
	for i := range calls + calls/10 {
		began := time.Now()
		if err := call(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); i >= calls/10 {
			out = append(out, float64(took.Nanoseconds())/1e3)
		}
	}
	return out
}

func quantiles(v []float64) (p50, p99 float64) {
	slices.Sort(v)
	return v[len(v)/2], v[len(v)*99/100]
}
