package model

import (
	"bytes"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

var testKnobs = []policy.Knob{
	{KnobID: policy.KnobID{Kind: policy.Blocking, Target: "a"}, Service: "a", Max: 1, Levels: 6},
	{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v1"}, Service: "a", Max: 1, Levels: 6},
	{KnobID: policy.KnobID{Kind: policy.Weight, Target: "ns/vs/a", Part: "v2"}, Service: "a", Max: 1, Levels: 6},
}

// quickTrees are enough where the fit is not the point.
var quickTrees = TreeParams{Trees: 30, Leaves: 15, Rate: .2, MinLeafRows: 20}

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
	m, err := FitSystem(mesh(1, 1500), testKnobs, DefaultTreeParams(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if m.Fit[0].R2 < .95 {
		t.Errorf("R2 on held-out configurations = %.3f, want at least .95", m.Fit[0].R2)
	}
	if r := m.Fit[0].R2Loads; r == nil || *r < .9 {
		t.Errorf("R2 on held-out loads = %v, want at least .9", r)
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
	m, err := FitSystem(mesh(1, 500), testKnobs, quickTrees, 7)
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

// The same bytes again, on one core too.
func TestSystemIsDeterministic(t *testing.T) {
	fit := func() []byte {
		m, err := FitSystem(mesh(2, 500), testKnobs, quickTrees, 7)
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	all := fit()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if one := fit(); !bytes.Equal(one, all) {
		t.Error("one core fits another model than all of them")
	}
}

func TestSystemRefusesWhatItCannotKnow(t *testing.T) {
	d := mesh(1, 500)
	still := d.Select(func(row int) bool { return d.Settings[0][row] == .2 && d.Settings[1][row] == .4 })
	_, err := FitSystem(still, testKnobs, quickTrees, 1)
	for _, want := range []string{"blocking:a never moved in the data (always 0.2)", "weight:ns/vs/a:v1 never moved in the data (always 0.4)"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say that %s", err, want)
		}
	}
	few := d.Select(func(row int) bool { return row < 30 })
	if _, err := FitSystem(few, testKnobs, quickTrees, 1); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("error %v for 30 rows", err)
	}
	if _, err := FitSystem(d, testKnobs[:2], quickTrees, 1); err == nil {
		t.Error("rules with other knobs were taken")
	}
}

func TestTabulateAndDecodeKeepPredictions(t *testing.T) {
	m, err := FitSystem(mesh(1, 500), testKnobs, quickTrees, 7)
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
		corners, inside := table.Corners(nil, []float64{load}, len(grid))
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
	if span := decoded.Offered[0]; table.Support[0] != span {
		t.Errorf("the table's support is %v, the data's loads %v", table.Support[0], span)
	}
	if _, inside := table.Corners(nil, []float64{31}, len(grid)); !inside {
		t.Error("31 is within the data, though beyond the table's loads")
	}
	if _, inside := table.Corners(nil, []float64{41}, len(grid)); inside {
		t.Error("41 is within the data")
	}
	for _, damaged := range [][]byte{nil, b[:len(b)/2], []byte("x")} {
		if _, err := DecodeSystem(damaged); err == nil {
			t.Errorf("%d damaged bytes were taken", len(damaged))
		}
	}
}

// Shares sum to 1, each corner is named once, and at a point of the grid there is only one.
func TestCornersShareOutOne(t *testing.T) {
	table := &Table{Services: []string{"a", "b"}, Loads: [][]float64{{5, 10, 20}, {1, 3}}}
	for _, tt := range []struct {
		load    []float64
		corners int
		inside  bool
	}{
		{[]float64{5, 1}, 1, true},
		{[]float64{20, 3}, 1, true},
		{[]float64{7, 3}, 2, true},
		{[]float64{12, 2}, 4, true},
		{[]float64{25, 2}, 2, false},
		{[]float64{1, 0}, 1, false},
	} {
		got, inside := table.Corners(nil, tt.load, 10)
		sum, load, blocks := 0.0, [2]float64{}, map[int]bool{}
		for _, c := range got {
			sum += c.share
			blocks[c.block] = true
			point := c.block / 20
			load[0] += c.share * table.Loads[0][point/2]
			load[1] += c.share * table.Loads[1][point%2]
		}
		if len(got) != tt.corners || len(blocks) != tt.corners || inside != tt.inside || math.Abs(sum-1) > 1e-12 {
			t.Errorf("load %v: %d corners (%d distinct) of %v in all, inside %v", tt.load, len(got), len(blocks), sum, inside)
		}
		if tt.inside && (math.Abs(load[0]-tt.load[0]) > 1e-9 || math.Abs(load[1]-tt.load[1]) > 1e-9) {
			t.Errorf("load %v: the corners lie around %v", tt.load, load)
		}
	}
	buffer := make([]Corner, 0, 4)
	if n := testing.AllocsPerRun(100, func() { table.Corners(buffer, []float64{12, 2}, 10) }); n != 0 {
		t.Errorf("%v allocations with a buffer", n)
	}
}

func TestCarriedLoadIsLearnedWhereItWasMeasured(t *testing.T) {
	d := mesh(1, 1000)
	m, err := FitMean(d, testKnobs, DefaultTreeParams())
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, 1)
	if m.Predictor().Carried(out, []float64{.4, .4, .6}, []float64{30}); math.Abs(out[0]-18) > 2 {
		t.Errorf("carried %v, want about 18", out[0])
	}
	for row := range d.Carried[0] {
		d.Carried[0][row] = math.NaN()
	}
	if m, err = FitMean(d, testKnobs, DefaultTreeParams()); err != nil {
		t.Fatal(err)
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = DecodeSystem(b); err != nil {
		t.Fatal(err)
	}
	if m.Predictor().Carried(out, []float64{.4, .4, .6}, []float64{30}); !math.IsNaN(out[0]) {
		t.Errorf("carried %v without data, want NaN", out[0])
	}
}

func TestResidualsNameTheirRows(t *testing.T) {
	d := mesh(1, 500)
	m, err := FitSystem(d, testKnobs, quickTrees, 7)
	if err != nil {
		t.Fatal(err)
	}
	f := m.Fit[0]
	if len(f.At) != len(f.Residuals) || len(f.At) >= d.Rows() {
		t.Fatalf("%d rows of %d residuals; the data have %d rows, some without a latency", len(f.At), len(f.Residuals), d.Rows())
	}
	for _, row := range f.At {
		if math.IsNaN(d.Latency[0][row]) {
			t.Errorf("row %d has no latency", row)
		}
	}
}
