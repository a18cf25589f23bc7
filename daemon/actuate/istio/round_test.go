package istio

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
)

func TestPercents(t *testing.T) {
	third := 1. / 3
	for _, tc := range []struct {
		weights []float64
		want    []int
	}{
		{[]float64{1, 0}, []int{100, 0}},
		{[]float64{.29, .71}, []int{29, 71}}, // 100*.29 is 28.999…
		{[]float64{third, third, third}, []int{34, 33, 33}},
		{[]float64{.5049, .4951}, []int{50, 50}},
		{[]float64{.505, .495}, []int{51, 49}},
		{[]float64{.001, .001, .998}, []int{0, 0, 100}},
		{[]float64{.006, .006, .988}, []int{1, 0, 99}},
		{[]float64{1 - 1e-6, 0}, []int{100, 0}}, // within the tolerance of a sum
	} {
		if d := cmp.Diff(tc.want, Percents(tc.weights)); d != "" {
			t.Errorf("%v (-want +got):\n%s", tc.weights, d)
		}
	}
}

// some are n weights that sum to 1, some of them 0, of very different sizes.
func some(r *rand.Rand, n int) []float64 {
	w := make([]float64, n)
	sum := 0.0
	for sum == 0 {
		for i := range w {
			switch r.IntN(4) {
			case 0:
				w[i] = 0
			case 1:
				w[i] = math.Pow(10, -6*r.Float64())
			default:
				w[i] = r.Float64()
			}
			sum += w[i]
		}
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

func TestPercentsSumTo100(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		w := some(r, 2+r.IntN(20))
		if r.IntN(2) == 0 { // as far from a sum of 1 as an action may be
			w[0] = min(1, max(0, w[0]+(2*r.Float64()-1)*policy.WeightTolerance))
		}
		p := Percents(w)
		sum := 0
		again := make([]float64, len(p))
		for i := range p {
			sum += p[i]
			again[i] = float64(p[i]) / 100
			if d := math.Abs(again[i] - w[i]); p[i] < 0 || d >= Tolerance+policy.WeightTolerance || len(w) == 2 && d > .005+policy.WeightTolerance {
				t.Fatalf("%v -> %v: %d is too far off", w, p, p[i])
			}
		}
		if sum != 100 {
			t.Fatalf("%v -> %v: the sum is %d", w, p, sum)
		}
		if d := cmp.Diff(p, Percents(again)); d != "" {
			t.Fatalf("%v -> %v, not idempotent:\n%s", w, p, d)
		}
	}
}

// What was applied is what is live, to the last bit of what Quantise says, from
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
				w := some(r, 2)
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
			quantised := Quantise(want)
			if d := cmp.Diff(quantised, Quantise(quantised)); d != "" {
				t.Fatalf("%s: Quantise is not idempotent:\n%s", where, d)
			}
			if !quantised.Equal(want, Tolerance) {
				t.Fatalf("%s: Quantise gives %s", where, text(quantised))
			}
			if err := a.Apply(t.Context(), want); err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			live, err := a.Live(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			// A share in percent and back may lose the last bit of a double.
			if !live.Equal(quantised, 1e-15) {
				t.Fatalf("%s:\nlive      %s\nquantised %s", where, text(live), text(quantised))
			}
			patches := len(c.patches)
			for name, same := range map[string]policy.Action{"wanted": want, "live": live, "quantised": quantised} {
				if err := a.Apply(t.Context(), same); err != nil || len(c.patches) > patches {
					t.Fatalf("%s: applying what is %s: %v, and a patch %s", where, name, err, c.patches[len(c.patches)-1])
				}
			}
		}
	}
}

// Knobs of others pass through Quantise untouched, and its argument stays as it was.
func TestQuantiseLeavesTheRestAlone(t *testing.T) {
	want := policy.Action{
		{KnobID: policy.KnobID{Kind: policy.Replicas, Target: "default/a"}, Value: 3},
		{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Value: .12345678},
	}
	before := want.Clone()
	got := Quantise(want)
	if d := cmp.Diff(before, want); d != "" {
		t.Errorf("the argument was changed:\n%s", d)
	}
	if text(got) != "blocking:a=0.123457 replicas:default/a=3" {
		t.Errorf("got %s", text(got))
	}
}
