package model

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

var testKnobs = []policy.Knob{
	{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Service: "a", Max: 1, Levels: 6},
	{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v1"}, Service: "a", Max: 1, Levels: 6},
	{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v2"}, Service: "a", Max: 1, Levels: 6},
}

// mesh is two nodes of capacities 30 and 50 requests/s behind one service; its
// latency is that of the slower node.
func mesh(seed uint64, rows int) *dataset.Dataset {
	rng := rand.New(rand.NewPCG(seed, 3))
	var ids []policy.KnobID
	for _, k := range testKnobs {
		ids = append(ids, k.KnobID)
	}
	d := dataset.New("test", 5, ids, []string{"a"})
	for range rows {
		b, w, load := float64(rng.IntN(6))/5, float64(rng.IntN(6))/5, 5+35*rng.Float64()
		admitted := load * (1 - b)
		latency := .02 + math.Max(.3*admitted*w/30, .3*admitted*(1-w)/50)
		latency *= 1 + .03*rng.NormFloat64()
		row := dataset.Row{Settings: []float64{b, w, 1 - w}, Offered: []float64{load}, Carried: []float64{admitted}, Latency: []float64{latency}}
		if rng.IntN(50) == 0 {
			row.Latency[0] = math.NaN()
		}
		if err := d.Append(row); err != nil {
			panic(err)
		}
	}
	return d
}

func TestSystemPredictsHeldOutConfigurations(t *testing.T) {
	m, err := FitSystem(mesh(1, 3000), testKnobs, DefaultTreeParams(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if m.Fit[0].R2 < .95 {
		t.Errorf("R2 on held-out configurations = %.3f, want at least .95", m.Fit[0].R2)
	}
	if q := m.Fit[0].Quantile(.95); q < .03 || q > .3 {
		t.Errorf(".95 quantile of the residuals = %.3f; the noise alone has .05", q)
	}
	p, out := m.Predictor(), make([]float64, 1)
	p.Latency(out, []float64{0, .4, .6}, []float64{30})
	if want := .02 + .3*30*.4/30; math.Abs(out[0]/want-1) > .1 {
		t.Errorf("latency %v, want about %v", out[0], want)
	}
	if n := testing.AllocsPerRun(100, func() { p.Latency(out, []float64{0, .4, .6}, []float64{30}) }); n != 0 {
		t.Errorf("%v allocations a prediction", n)
	}
}

func TestSystemKnowsItsSupport(t *testing.T) {
	m, err := FitSystem(mesh(1, 500), testKnobs, DefaultTreeParams(), 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		settings []float64
		load     float64
		want     bool
	}{
		{[]float64{0, .4, .6}, 20, true},
		{[]float64{0, .4, .6}, 60, false},
		{[]float64{0, .4, .6}, math.NaN(), false},
		{[]float64{1.2, .4, .6}, 20, false},
	} {
		if got := m.Supported(tt.settings, []float64{tt.load}); got != tt.want {
			t.Errorf("supported(%v, %v) = %v", tt.settings, tt.load, got)
		}
	}
}

func TestSystemIsDeterministic(t *testing.T) {
	a, err := FitSystem(mesh(2, 500), testKnobs, DefaultTreeParams(), 7)
	if err != nil {
		t.Fatal(err)
	}
	b, err := FitSystem(mesh(2, 500), testKnobs, DefaultTreeParams(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a.Fit, b.Fit); d != "" {
		t.Errorf("two fits differ:\n%s", d)
	}
}

func TestSystemRefusesWhatItCannotKnow(t *testing.T) {
	d := mesh(1, 500)
	still := d.Select(func(row int) bool { return d.Settings[0][row] == .2 })
	if _, err := FitSystem(still, testKnobs, DefaultTreeParams(), 1); err == nil || !strings.Contains(err.Error(), "blocking:a never moved") {
		t.Errorf("error %v does not name the knob that never moved", err)
	}
	few := d.Select(func(row int) bool { return row < 30 })
	if _, err := FitSystem(few, testKnobs, DefaultTreeParams(), 1); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("error %v for 30 rows", err)
	}
	if _, err := FitSystem(d, testKnobs[:2], DefaultTreeParams(), 1); err == nil {
		t.Error("rules with other knobs were taken")
	}
}

func TestTabulateAndDecodeKeepPredictions(t *testing.T) {
	m, err := FitSystem(mesh(1, 500), testKnobs, DefaultTreeParams(), 7)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := DecodeSystem(b)
	if err != nil {
		t.Fatal(err)
	}
	table, err := decoded.Tabulate([][]float64{{10, 20, 30}}, []string{"latency"})
	if err != nil {
		t.Fatal(err)
	}
	grid, err := table.Actions()
	if err != nil {
		t.Fatal(err)
	}
	p, want, got := m.Predictor(), make([]float64, 1), make([]float64, 1)
	for _, load := range []float64{10, 20, 30} {
		corners, inside := table.Corners([]float64{load}, len(grid))
		if !inside {
			t.Fatalf("load %v is outside", load)
		}
		for i, a := range grid {
			p.Latency(want, []float64{a[0].Value, a[1].Value, a[2].Value}, []float64{load})
			if table.Predict(got, corners, i); math.Abs(got[0]-want[0]) > 1e-6 {
				t.Fatalf("load %v, %v: %v in the table, %v in the model", load, a, got[0], want[0])
			}
		}
	}
	if _, inside := table.Corners([]float64{31}, len(grid)); inside {
		t.Error("31 is inside of 10 to 30")
	}
	for _, damaged := range [][]byte{nil, b[:len(b)/2], []byte("x")} {
		if _, err := DecodeSystem(damaged); err == nil {
			t.Errorf("%d damaged bytes were taken", len(damaged))
		}
	}
}
