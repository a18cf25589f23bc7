package load_test

import (
	"math"
	"strings"
	"testing"

	"github.com/windvane/windvane/sim/load"
)

func must[P load.Process](t *testing.T) func(P, error) load.Process {
	return func(p P, err error) load.Process {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

func TestRates(t *testing.T) {
	constant := must[load.Constant](t)(load.NewConstant(7))
	sine := must[load.Sine](t)(load.NewSine(load.Sine{Mean: 12.5, Amplitude: 7.5, PeriodSeconds: 400, Phase: math.Pi / 2}))
	steps := must[*load.Steps](t)(load.NewSteps([]float64{0, 10, 20}, []float64{5, 0, 8}))
	replay := must[*load.Replay](t)(load.NewReplay(5, []float64{10, 20, 0}))
	burst := must[*load.Burst](t)(load.NewBurst(constant,
		load.Window{From: 10, To: 30, Factor: 2}, load.Window{From: 20, To: 40, Factor: 3}, load.Window{From: 50, To: 60, Factor: 0}))
	dip := must[*load.Burst](t)(load.NewBurst(constant, load.Window{From: 0, To: 50, Factor: 3}, load.Window{From: 0, To: 10, Factor: .5}))
	sequence := must[*load.Sequence](t)(load.NewSequence([]float64{0, 100}, constant, replay))
	shift := must[*load.Shift](t)(load.NewShift(steps, 15))
	for _, c := range []struct {
		name string
		p    load.Process
		max  float64
		want map[float64]float64
	}{
		{"constant", constant, 7, map[float64]float64{0: 7, 1e9: 7}},
		{"sine", sine, 20, map[float64]float64{0: 20, 100: 12.5, 200: 5, 400: 20}},
		{"steps", steps, 8, map[float64]float64{0: 5, 9.99: 5, 10: 0, 20: 8, 1e18: 8}},
		{"replay", replay, 20, map[float64]float64{0: 10, 2.5: 15, 5: 20, 7.5: 10, 10: 0, 1e300: 0}},
		{"burst", burst, 42, map[float64]float64{9: 7, 10: 14, 20: 42, 30: 21, 40: 7, 55: 0, 60: 7}},
		{"dip", dip, 21, map[float64]float64{0: 10.5, 10: 21, 50: 7}},
		{"sequence", sequence, 20, map[float64]float64{99: 7, 100: 10, 102.5: 15}},
		{"shift", shift, 8, map[float64]float64{0: 0, 4: 0, 5: 8}},
	} {
		if c.p.Max() != c.max {
			t.Errorf("%s: max %v, want %v", c.name, c.p.Max(), c.max)
		}
		for at, want := range c.want {
			if got := c.p.Rate(at); math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: rate at %v is %v, want %v", c.name, at, got, want)
			}
		}
		for at := 0.0; at < 500; at += .37 {
			if r := c.p.Rate(at); !(r >= 0 && r <= c.p.Max()) {
				t.Errorf("%s: rate at %v is %v, outside 0 to %v", c.name, at, r, c.p.Max())
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	one := load.Constant(1)
	second := func(_ load.Process, err error) error { return err }
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"constant negative": {second(load.NewConstant(-1)), "constant load is -1"},
		"constant nan":      {second(load.NewConstant(nan)), "NaN"},
		"sine amplitude":    {second(load.NewSine(load.Sine{Mean: 1, Amplitude: 2, PeriodSeconds: 1})), "above the mean"},
		"sine period":       {second(load.NewSine(load.Sine{Mean: 1})), "period of 0"},
		"sine phase":        {second(load.NewSine(load.Sine{PeriodSeconds: 1, Phase: inf})), "phase"},
		"steps empty":       {second(load.NewSteps(nil, nil)), "at least one"},
		"steps lengths":     {second(load.NewSteps([]float64{0}, []float64{1, 2})), "1 times for 2 rates"},
		"steps start":       {second(load.NewSteps([]float64{1}, []float64{1})), "want 0"},
		"steps order":       {second(load.NewSteps([]float64{0, 2, 2}, []float64{1, 1, 1})), "increasing"},
		"steps nan":         {second(load.NewSteps([]float64{0, nan}, []float64{1, 1})), "increasing"},
		"steps rate":        {second(load.NewSteps([]float64{0}, []float64{inf})), "rate 0"},
		"replay spacing":    {second(load.NewReplay(0, []float64{1})), "0 seconds apart"},
		"replay empty":      {second(load.NewReplay(1, nil)), "no samples"},
		"replay rate":       {second(load.NewReplay(1, []float64{1, -2})), "rate 1"},
		"burst base":        {second(load.NewBurst(nil)), "missing"},
		"burst window":      {second(load.NewBurst(one, load.Window{From: 2, To: 1, Factor: 1})), "window 0"},
		"burst factor":      {second(load.NewBurst(one, load.Window{From: 0, To: 1, Factor: nan})), "factor of window 0"},
		"sequence part":     {second(load.NewSequence([]float64{0}, nil)), "part 0 is missing"},
		"sequence bad part": {second(load.NewSequence([]float64{0}, load.Constant(nan))), "part 0"},
		"shift seconds":     {second(load.NewShift(one, -1)), "-1 seconds"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, c.err, c.want)
		}
	}
}
