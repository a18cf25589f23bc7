package policy

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTermsAreFlowsAndRoutes(t *testing.T) {
	knobs := []Knob{
		{KnobID: KnobID{Kind: Blocking, Target: "a"}, Service: "a"},
		{KnobID: KnobID{Kind: Replicas, Target: "ns/d"}},
		{KnobID: KnobID{Kind: Weight, Target: "ns/vs/a", Part: "v1"}, Service: "a"},
		{KnobID: KnobID{Kind: Weight, Target: "ns/vs/a", Part: "v2"}, Service: "a"},
	}
	services := []Service{{Name: "a"}, {Name: "b"}}
	var a Action
	for i, k := range knobs {
		a = append(a, Setting{KnobID: k.KnobID, Value: []float64{.5, 3, 1, 0}[i]})
	}
	terms := NewTerms(knobs, services)
	x := make([]float64, terms.Len())
	terms.Fill(x, []float64{10, 7}, a)
	if want := []float64{1, 5, 0, 7, 1, 0, 1}; !slices.Equal(x, want) {
		t.Errorf("terms %v, want %v", x, want)
	}
	a[0].Value = 1
	terms.Fill(x, []float64{10, 7}, a)
	if want := []float64{1, 0, 0, 7, 0, 0, 1}; !slices.Equal(x, want) {
		t.Errorf("all blocked: terms %v, want %v", x, want)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		a[0].Value, a[2].Value = float64(rng.IntN(6))/5, float64(rng.IntN(6))/5
		a[3].Value = 1 - a[2].Value
		c, sum := make([]float64, terms.Len()), 0.0
		offered := []float64{20 * rng.Float64(), 20 * rng.Float64()}
		terms.Fill(x, offered, a)
		for i := range c {
			c[i] = rng.NormFloat64()
			sum += c[i] * x[i]
		}
		if got := terms.Dot(c, offered, a); math.Abs(got-sum) > 1e-9 {
			t.Fatalf("%v: Dot %v, the sum is %v", a, got, sum)
		}
		if terms.Dot(c[1:], offered, a) != 0 {
			t.Fatal("coefficients of another mesh correct something")
		}
	}
	for i := range MaxRoutes {
		services = append(services, Service{Name: string(rune('c' + i))})
	}
	if n := NewTerms(knobs, services).Len(); n != 1 {
		t.Errorf("%d terms of a large mesh, want the constant only", n)
	}
}
