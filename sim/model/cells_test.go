package model

import (
	"math"
	"strings"
	"testing"

	"github.com/windvane/windvane/sim/dataset"
)

// A cell answers with its mean; beside it the nearest configurations of the same loads
// do, and say that they are no evidence.
func TestCellsAreMeans(t *testing.T) {
	d := dataset.New("test", 5, mesh(1, 1).Knobs, []string{"a"})
	for _, r := range []struct{ weight, load, latency float64 }{
		{.2, 10, 1}, {.2, 10, 3}, {.6, 10, 8}, {1, 10, math.NaN()}, {.2, 30, 10},
	} {
		for _, block := range []float64{0, 1} { // every knob must move
			row := dataset.Row{Settings: []float64{block, r.weight, 1 - r.weight}, Offered: []float64{r.load}, Carried: []float64{1}, Latency: []float64{r.latency * (1 + block)}}
			if err := d.Append(row); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := FitCells(d, testKnobs)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		block, weight, load, want float64
		supported                 bool
	}{
		{0, .2, 10, 2, true},
		{1, .2, 11, 4, true}, // about the same load
		{0, .6, 10, 8, true},
		{0, .4, 10, 5, false}, // between two
		{0, 1, 10, 8, false},  // never measured there
		{0, .6, 29, 10, false},
	} {
		out := make([]float64, 1)
		supported := c.Latency(out, []float64{tt.block, tt.weight, 1 - tt.weight}, []float64{tt.load})
		if math.Abs(out[0]-tt.want) > 1e-9 || supported != tt.supported {
			t.Errorf("%+v: %v, supported %v", tt, out[0], supported)
		}
	}
	for row := range d.Rows() {
		d.Offered[0][row] = math.NaN()
	}
	if _, err := FitCells(d, testKnobs); err == nil || !strings.Contains(err.Error(), "offered loads") {
		t.Errorf("error %v does not say what is missing", err)
	}
}
