package guard

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// BenchmarkCheck has a third of the services blocked beyond the cap, and all weights moved
// too far: every limit has something to say.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{2, 10, 1000} {
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		o := policy.Observation{Limits: policy.Limits{MaxStep: .2, TotalBlocking: .2}}
		for i := range n {
			name := fmt.Sprintf("service-%04d", i)
			o.Services = append(o.Services, policy.Service{Name: name, Value: 1, Floor: 2, Objectives: []policy.Objective{{Signal: "latency", Bound: .1}}})
			for signal, v := range map[string]float64{"offered": 10, "carried": 9, "latency": .05} {
				o.State = append(o.State, policy.Signal{Name: signal, Service: name, Role: policy.Role(signal), Value: v, Status: policy.Valid})
			}
			o.Knobs = append(o.Knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}, Service: name, Max: .8})
			for _, part := range []string{"v1", "v2"} {
				o.Knobs = append(o.Knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/" + name, Part: part}, Service: name, Max: 1})
			}
		}
		o.State.Sort()
		policy.SortKnobs(o.Knobs)
		var want policy.Action
		for i, k := range o.Knobs {
			live, wanted := .5, float64(i%2)
			if k.Kind == policy.Blocking {
				live, wanted = .1, .8*float64(rng.IntN(3))/2
			}
			o.Live = append(o.Live, policy.Setting{KnobID: k.KnobID, Value: live})
			want = append(want, policy.Setting{KnobID: k.KnobID, Value: wanted})
		}
		b.Run(fmt.Sprintf("%d services", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := Check(o, want); r.Refused != "" || len(r.Edits) == 0 {
					b.Fatal(r.Refused, len(r.Edits))
				}
			}
		})
	}
}
