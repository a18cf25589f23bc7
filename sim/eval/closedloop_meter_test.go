package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/windvane/windvane/deploy/prometheus"
	"github.com/windvane/windvane/sim/emulator"
	"github.com/windvane/windvane/sim/testbed"
)

func TestQuantileByHand(t *testing.T) {
	bounds := []float64{1, 2, 4, math.Inf(1)}
	for _, c := range []struct {
		q      float64
		counts []float64
		want   float64
	}{
		{.95, []float64{0, 10, 20, 20}, 3.8}, // rank 19: 9 of the 10 in (2,4]
		{.25, []float64{20, 20, 20, 20}, .25},
		{.95, []float64{0, 10, 10, 20}, 4}, // beyond the last finite bound
		{.5, []float64{0, 10, 10, 20}, 2},  // at the edge, not at the end of an empty bucket
		{.5, []float64{2, 1, 4, 4}, 1},     // a decrease is rounding
		{.95, []float64{0, 0, 0, 0}, math.NaN()},
	} {
		got := quantileOf(c.q, bounds, append([]float64(nil), c.counts...))
		if got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) && math.Abs(got-c.want) > 1e-12 {
			t.Errorf("quantile %v of %v is %v, want %v", c.q, c.counts, got, c.want)
		}
	}
}

func TestRateByHand(t *testing.T) {
	for _, c := range []struct {
		name    string
		born    int
		samples []float64 // at scrapes 16 to 20
		want    float64
		ok      bool
	}{
		{"whole window: 4 s of increase over 4 s", 3, []float64{100, 110, 120, 130, 140}, 10, true},
		{"from one: extrapolated to zero, a tenth of a second before", 3, []float64{1, 11, 21, 31, 41}, 40 * (4.1 / 4) / 5, true},
		{"born within: half a scrape before the first sample", 18, []float64{0, 0, 50, 60, 70}, 20 * (2.5 / 2) / 5, true},
		{"one sample", 20, []float64{0, 0, 0, 0, 7}, 0, false},
		{"none", -1, nil, 0, false},
		{"no increase", 3, []float64{5, 5, 5, 5, 5}, 0, true},
	} {
		m := Meter{scrape: 1, slots: 5, n: 20, born: []int{c.born}, samples: make([][]float64, 5)}
		for i := range m.samples {
			m.samples[i] = []float64{0}
		}
		for i, v := range c.samples {
			m.samples[(16+i)%5][0] = v
		}
		if got, ok := m.rate(0); ok != c.ok || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

// The meter reads what the shipped recording rules record.
func TestMeterReadsAsTheRecordingRules(t *testing.T) {
	const seed = 11
	graph := loopGraph()
	start := time.Unix(1_700_000_000, 0).UTC()
	bed, err := testbed.New(testbed.Options{Mesh: "shop", Graph: graph, Seed: seed, Rules: prometheus.IstioRules, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := bed.Close(); err != nil {
			t.Error(err)
		}
	}()
	e, err := emulator.New(emulator.Options{Graph: graph, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMeter(e, 5*time.Second, time.Second, .95)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]Reading, 2)
	known := 0
	for range 40 {
		m.Advance(out)
		if err := bed.Advance(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		at := start.Add(time.Duration(m.Now() * float64(time.Second)))
		for i, name := range m.Services() {
			for record, got := range map[string]float64{
				"windvane:offered:rate": out[i].Offered, "windvane:carried:rate": out[i].Carried, "windvane:latency_seconds:p95": out[i].Latency,
			} {
				want := query(t, bed, fmt.Sprintf("%s{service=%q}", record, name), at)
				if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-9*math.Abs(want) {
					t.Errorf("%s of %s at %v is %v, the rules record %v", record, name, m.Now(), got, want)
				}
				if !math.IsNaN(want) {
					known++
				}
			}
		}
	}
	if known < 3*38 {
		t.Errorf("only %d values were compared", known)
	}
}

// query returns the value of a series; NaN if there is none.
func query(t *testing.T, bed *testbed.Testbed, expr string, at time.Time) float64 {
	t.Helper()
	r, err := http.Get(bed.PrometheusURL() + "/api/v1/query?" + url.Values{"query": {expr}, "time": {strconv.FormatInt(at.Unix(), 10)}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Data.Result) == 0 {
		return math.NaN()
	}
	v, err := strconv.ParseFloat(answer.Data.Result[0].Value[1].(string), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
