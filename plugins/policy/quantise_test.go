package policy

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPercents(t *testing.T) {
	third := 1. / 3
	for _, tc := range []struct {
		weights []float64
		want    []int
	}{
		{[]float64{1, 0}, []int{100, 0}},
		{[]float64{.29, .71}, []int{29, 71}}, // 100*.29 is 28.999…
		{[]float64{.29, .29, .42}, []int{29, 29, 42}},
		{[]float64{.29, .355, .355}, []int{29, 36, 35}},
		{[]float64{.57, .01, .42}, []int{57, 1, 42}},
		{[]float64{third, third, third}, []int{34, 33, 33}},
		{[]float64{.5049, .4951}, []int{50, 50}},
		{[]float64{.505, .495}, []int{51, 49}},
		{[]float64{.001, .001, .998}, []int{0, 0, 100}},
		{[]float64{.006, .006, .988}, []int{1, 0, 99}},
		{[]float64{1 - 1e-6, 0}, []int{100, 0}}, // within the tolerance of a sum
		{[]float64{-1e-9, 1}, []int{0, 100}},    // within that of a range
	} {
		if d := cmp.Diff(tc.want, Percents(tc.weights)); d != "" {
			t.Errorf("%v (-want +got):\n%s", tc.weights, d)
		}
	}
}

// Whole percents stay as they are, though most are no whole number once they went
// through a float64.
func TestWholePercentsStay(t *testing.T) {
	for a := range 101 {
		for b := range 101 - a {
			want := []int{a, b, 100 - a - b}
			got := Percents([]float64{float64(a) / 100, float64(b) / 100, float64(100-a-b) / 100})
			if !slices.Equal(got, want) {
				t.Fatalf("%v became %v", want, got)
			}
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
		off := 0.0
		if r.IntN(2) == 0 { // as far from a sum of 1 as an action may be
			off = WeightTolerance
			w[0] = min(1, max(0, w[0]+(2*r.Float64()-1)*off))
		}
		p := Percents(w)
		sum := 0
		again := make([]float64, len(p))
		for i := range p {
			sum += p[i]
			again[i] = float64(p[i]) / 100
			if d := math.Abs(again[i] - w[i]); p[i] < 0 || d >= .01+off || len(w) == 2 && d > .005+off {
				t.Fatalf("%v -> %v: %d is too far off", w, p, p[i])
			}
		}
		if sum != 100 {
			t.Fatalf("%v -> %v: the sum is %d", w, p, sum)
		}
		if got := Percents(again); !slices.Equal(got, p) {
			t.Fatalf("%v -> %v -> %v, not idempotent", w, p, got)
		}
	}
}

// Knobs of others pass through Quantise untouched, and its argument stays as it was.
func TestQuantise(t *testing.T) {
	weight := func(part string, v float64) Setting {
		return Setting{KnobID{Kind: Weight, Target: "ns/vs/a", Part: part}, v}
	}
	want := Action{
		{KnobID{Kind: Replicas, Target: "default/a"}, 3},
		weight("v1", .2949),
		weight("v2", .7051),
		{KnobID{Kind: Blocking, Target: "a"}, .12345678},
	}
	before := want.Clone()
	got := Quantise(want)
	if d := cmp.Diff(before, want); d != "" {
		t.Errorf("the argument was changed:\n%s", d)
	}
	if d := cmp.Diff(Action{
		{KnobID{Kind: Blocking, Target: "a"}, .123457},
		{KnobID{Kind: Replicas, Target: "default/a"}, 3},
		weight("v1", .29),
		weight("v2", .71),
	}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(got, Quantise(got)); d != "" {
		t.Errorf("not idempotent:\n%s", d)
	}
}
