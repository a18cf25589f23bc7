package istio

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// What was applied is what is live, to the last bit of what policy.Quantise says, from
// whatever state; and what is live is not written again.
func TestLiveIsWhatWasApplied(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	routes := []Route{
		{Service: "a", VirtualService: "default/front", HTTP: "one", Destinations: []string{"v1", "v2"}},
		{Service: "a", VirtualService: "default/back", HTTP: "two", Destinations: []string{"v1", "v2"}},
		{Service: "b", VirtualService: "default/front", HTTP: "three", Destinations: []string{"v2", "v1"}},
	}
	for i := range 100 {
		n := func() string { return weight(1 + r.IntN(200)) }
		fault := []string{"", "{}", aborts(r.Float64()*100, 503), `{"delay":{"fixedDelay":"1s"}}`, `{"delay":{"fixedDelay":"1s"},` + aborts(1, 429)[1:]}
		c := &cluster{objects: map[string]string{
			"default/front": vs("front", nil, httpRoute("three", n(), n(), fault[r.IntN(len(fault))]), httpRoute("one", n(), n(), fault[r.IntN(len(fault))])),
			"default/back":  vs("back", nil, httpRoute("two", n(), n(), fault[r.IntN(len(fault))])),
		}}
		a := actuator(t, c, routes...)
		for step := range 4 {
			var want policy.Action
			for _, route := range routes {
				first := r.Float64() * float64(r.IntN(2))
				w := [2]float64{first, 1 - first}
				for j, d := range route.Destinations {
					want = append(want, policy.Setting{KnobID: policy.KnobID{Kind: policy.Weight, Target: route.VirtualService + "/" + route.HTTP, Part: d}, Value: w[j]})
				}
			}
			for _, service := range []string{"a", "b"} {
				share := float64(r.IntN(3)) / 2 * r.Float64()
				want = append(want, policy.Setting{KnobID: policy.KnobID{Kind: policy.Blocking, Target: service}, Value: share})
			}
			want.Sort()
			where := fmt.Sprintf("%d, step %d: %s", i, step, text(want))
			quantised := policy.Quantise(want)
			if err := a.Apply(t.Context(), nil, want, nil); err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			live, _, err := a.Live(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			// A share in percent and back may lose the last bit of a double.
			if !live.Equal(quantised, 1e-15) {
				t.Fatalf("%s:\nlive      %s\nquantised %s", where, text(live), text(quantised))
			}
			patches := len(c.patches)
			for name, same := range map[string]policy.Action{"wanted": want, "live": live, "quantised": quantised} {
				if err := a.Apply(t.Context(), nil, same, nil); err != nil || len(c.patches) > patches {
					t.Fatalf("%s: applying what is %s: %v, and a patch %s", where, name, err, c.patches[len(c.patches)-1])
				}
			}
		}
	}
}
