package budget

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParts(t *testing.T) {
	for _, tc := range []struct {
		weights, want []float64
	}{
		{[]float64{1}, []float64{.05}},
		{[]float64{1, 1}, []float64{.025, .025}},
		{[]float64{3, 1, 1}, []float64{.03, .01, .01}},
	} {
		got := Parts(.05, tc.weights)
		for i, want := range tc.want {
			if math.Abs(got[i]-want) > 1e-15 {
				t.Errorf("weights %v: %v, want %v", tc.weights, got, tc.want)
			}
		}
	}
}

// Whatever happens: if every objective keeps its part, the joint target is kept, and
// the shared budget never says that more is left of it than there is.
func TestASharedBudgetIsSafe(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3000))
		n := 1 + r.IntN(5)
		weights := make([]float64, n)
		for i := range weights {
			weights[i] = .1 + r.Float64()
		}
		joint := .01 + .3*r.Float64()
		parts := Parts(joint, weights)
		sum := 0.0
		var objectives []Objective
		for i, p := range parts {
			sum += p
			objectives = append(objectives, Objective{Service: string(rune('a' + i)), Signal: "latency", Budget: p, Window: time.Hour, Shared: "all"})
		}
		if math.Abs(sum-joint) > 1e-12 {
			t.Fatalf("seed %d: parts add up to %v, want %v", seed, sum, joint)
		}
		l := NewLedger(objectives, []Shared{{"all", joint, time.Hour}})
		broken, intervals := 0, 500
		at := start
		for range intervals {
			at = at.Add(5 * time.Second)
			common, any := r.Float64() < joint/2, false
			for i, o := range objectives {
				e := 0.0
				if common || r.Float64() < parts[i]/2 {
					e, any = 1, true
				}
				if err := l.Add(o.Service, o.Signal, at, e); err != nil {
					t.Fatal(err)
				}
			}
			if any {
				broken++
			}
		}
		reports := l.Reports(at)
		shared := l.SharedReports(reports)[0]
		kept := true
		for _, o := range reports {
			kept = kept && *o.Left >= 0
		}
		truth := 1 - float64(broken)/float64(intervals)/joint
		if *shared.Left > truth+1e-9 {
			t.Errorf("seed %d: %v left, in truth %v", seed, *shared.Left, truth)
		}
		if kept && (truth < 0 || *shared.Left < -1e-9) {
			t.Errorf("seed %d: every part is kept, but the joint target has %v left (%v)", seed, *shared.Left, truth)
		}
	}
}

func ledger() *Ledger {
	return NewLedger([]Objective{
		{Service: "a", Signal: "latency", Budget: .025, Window: time.Hour, Shared: "both"},
		{Service: "b", Signal: "ratio", Budget: .025, Window: time.Hour, Shared: "both"},
		{Service: "b", Signal: "latency", Budget: .1, Window: 2 * time.Hour},
	}, []Shared{{"both", .05, time.Hour}})
}

func TestReports(t *testing.T) {
	l := ledger()
	for i := range 100 {
		at := start.Add(time.Duration(i) * 5 * time.Second)
		e := 0.0
		if i == 50 {
			e = 1
		}
		_ = l.Add("a", "latency", at, e) // both are objectives
		_ = l.Add("b", "latency", at, 0)
	}
	at := l.At()
	if want := start.Add(99 * 5 * time.Second); !at.Equal(want) {
		t.Fatalf("newest interval at %v, want %v", at, want)
	}
	got := l.Reports(at)
	if d := cmp.Diff([]*float64{new(.6), nil, new(1.0)}, []*float64{round(got[0].Left), got[1].Left, got[2].Left}); d != "" {
		t.Errorf("left (-want +got):\n%s", d)
	}
	if got[0].Rate != (Rate{1, 100}) || got[0].Burn[0].Window != 5*time.Minute || math.Abs(*got[0].Burn[2].Rate-.4) > 1e-12 || got[1].Burn[0].Rate != nil {
		t.Errorf("a: %+v", got[0])
	}
	if got[0].Burning != nil {
		t.Errorf("a burns over %v", got[0].Burning.Long)
	}
	if s := l.SharedReports(got); s[0].Left != nil {
		t.Errorf("%v is left of a budget whose second objective was never measured", *s[0].Left)
	}
	_ = l.Add("b", "ratio", at, .5)
	if s := l.SharedReports(l.Reports(at)); math.Abs(*s[0].Left-(1-(.01+.5)/.05)) > 1e-9 {
		t.Errorf("left of the shared budget: %v", *s[0].Left)
	}
	if _ = l.Add("a", "latency", start, 0); !l.At().Equal(start) {
		t.Errorf("the last interval is of %v, after a clock that was put back to %v", l.At(), start)
	}
	for want, err := range map[string]error{
		"no objective on latency of c": l.Add("c", "latency", at, 0),
		"latency of a: error budget":   l.Add("a", "latency", at, 2),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func round(v *float64) *float64 { return new(math.Round(*v*1e9) / 1e9) }

// A restart or a reload takes accounts along by service and signal; a new window of an
// objective starts anew, its burn rates go on.
func TestAdopt(t *testing.T) {
	old := ledger()
	for i := range 10 {
		_ = old.Add("a", "latency", start.Add(time.Duration(i)*time.Minute), 1)
		_ = old.Add("b", "latency", start.Add(time.Duration(i)*time.Minute), 1)
	}
	b, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	var read Ledger
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	l := NewLedger([]Objective{
		{Service: "b", Signal: "latency", Budget: .2, Window: time.Hour},
		{Service: "a", Signal: "latency", Budget: .5, Window: time.Hour},
		{Service: "c", Signal: "latency", Budget: .5, Window: time.Hour},
	}, nil)
	l.Adopt(&read)
	at := old.At()
	if !l.At().Equal(at) {
		t.Errorf("at %v, want %v", l.At(), at)
	}
	got := l.Reports(at)
	rates := []Rate{got[0].Rate, got[1].Rate, got[2].Rate}
	if d := cmp.Diff([]Rate{{}, {10, 10}, {}}, rates); d != "" {
		t.Errorf("rates (-want +got):\n%s", d)
	}
	if *got[0].Burn[2].Rate != 5 || *got[1].Left != -1 || got[2].Left != nil {
		t.Errorf("b burns at %v over an hour, want 5; a has %v left, want -1", *got[0].Burn[2].Rate, *got[1].Left)
	}
}

func FuzzLedger(f *testing.F) {
	l := ledger()
	_ = l.Add("a", "latency", start, .5)
	b, _ := json.Marshal(l)
	f.Add(b)
	f.Add([]byte(`{"accounts":[{"service":"a"}]}`))
	f.Add([]byte(`{"accounts":[{"account":{"window":{"window":"1h","newest":9223372036854775807,"bad":[1,2],"total":[1,2]}}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var read Ledger
		if json.Unmarshal(b, &read) != nil {
			return
		}
		l := ledger()
		l.Adopt(&read)
		for _, at := range []time.Time{start, l.At()} {
			for _, r := range l.Reports(at) {
				if r.Left != nil && !(*r.Left <= 1) {
					t.Errorf("%v left after reading %s", *r.Left, b)
				}
			}
		}
	})
}
