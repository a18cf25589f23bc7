package dataset

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
)

// played is a dataset of n intervals with the settings and loads of a function, and a latency
// that follows them with noise.
func played(t *testing.T, n int, at func(row int, r *rand.Rand) (blocking [2]float64, offered [2]float64)) *Dataset {
	t.Helper()
	d := New("m", 5, []policy.KnobID{
		{Kind: policy.Blocking, Target: "a"},
		{Kind: policy.Blocking, Target: "b"},
		{Kind: policy.Weight, Target: "default/front/a", Part: "v1"},
		{Kind: policy.Weight, Target: "default/front/a", Part: "v2"},
	}, []string{"a", "b"})
	r := rand.New(rand.NewPCG(1019, 0))
	for row := range n {
		b, o := at(row, r)
		w := float64(r.IntN(3)) / 2
		latency := []float64{.01 + .002*o[0]*(1-b[0]) + .001*r.NormFloat64(), .02 + .001*r.NormFloat64()}
		if err := d.Append(Row{Settings: []float64{b[0], b[1], w, 1 - w}, Offered: o[:], Carried: o[:], Latency: latency}); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func effect(t *testing.T, q Quality, knob string) Effect {
	t.Helper()
	for _, e := range q.Effects {
		if e.Knob == knob {
			return e
		}
	}
	t.Fatalf("no effect of %s in %+v", knob, q.Effects)
	return Effect{}
}

func TestEffectsThatCannotBeTold(t *testing.T) {
	ladder := func(r *rand.Rand) float64 { return float64(r.IntN(5)) * .2 }
	load := func(r *rand.Rand) float64 { return 5 + 15*r.Float64() }
	for name, x := range map[string]struct {
		at      func(row int, r *rand.Rand) (blocking [2]float64, offered [2]float64)
		verdict Verdict // on the blocking of a
		with    string
		advice  string
	}{
		"moved by itself": {func(_ int, r *rand.Rand) (b, o [2]float64) {
			return [2]float64{ladder(r), ladder(r)}, [2]float64{load(r), load(r)}
		}, Identifiable, "", ""},
		"never moved": {func(_ int, r *rand.Rand) (b, o [2]float64) {
			return [2]float64{.2, ladder(r)}, [2]float64{load(r), load(r)}
		}, NotIdentifiable, "", ""},
		"moved with a load": {func(_ int, r *rand.Rand) (b, o [2]float64) {
			l := load(r)
			return [2]float64{math.Round(l/4) * .2, ladder(r)}, [2]float64{load(r), l}
		}, NotIdentifiable, "the load of b", "blocking:a moved only together with the load of b (correlation 0.9"},
		"moved with another knob": {func(_ int, r *rand.Rand) (b, o [2]float64) {
			v := ladder(r)
			return [2]float64{v, 1 - v}, [2]float64{load(r), load(r)}
		}, NotIdentifiable, "blocking:b", "together with blocking:b (correlation -1.00)"},
		"is the sum of two loads": {func(_ int, r *rand.Rand) (b, o [2]float64) {
			o = [2]float64{load(r), load(r)}
			return [2]float64{(o[0] + o[1]) / 40, ladder(r)}, o
		}, NotIdentifiable, "", "as other knobs and loads did together (they explain 100 % of it)"},
		"moved twice": {func(row int, r *rand.Rand) (b, o [2]float64) {
			if row > 300 && row < 600 {
				b[0] = .4
			}
			b[1] = ladder(r)
			return b, [2]float64{load(r), load(r)}
		}, Weak, "", "blocking:a was changed 2 times only"},
	} {
		q := played(t, 1000, x.at).Quality(1)
		e := effect(t, q, "blocking:a")
		if e.Verdict != x.verdict || x.with != "" && e.With != x.with || !strings.Contains(e.Advice, x.advice) || (x.advice == "") != (e.Advice == "") {
			t.Errorf("%s: %+v", name, e)
		}
		if e := effect(t, q, "weight:default/front/a:v1"); e.Verdict != Identifiable || e.Levels != 3 || e.Own < .95 {
			t.Errorf("%s: a weight that moved by itself: %+v", name, e)
		}
		if len(q.Effects) != 3 {
			t.Errorf("%s: %d effects, want 3: the last weight follows from the first", name, len(q.Effects))
		}
		var b bytes.Buffer
		if err := q.WriteText(&b); err != nil || x.advice != "" && !strings.Contains(b.String(), "warning: "+e.Advice) {
			t.Errorf("%s: the text does not say it: %v\n%s", name, err, b.String())
		}
	}
}

func TestRegressionFindsTheCoefficients(t *testing.T) {
	r := rand.New(rand.NewPCG(1020, 0))
	columns := make([][]float64, 4) // two causes, their sum, and what follows from the causes
	for range 20_000 {
		a, b := r.NormFloat64(), 3*r.NormFloat64()
		for i, v := range []float64{a, b, a + b, 2*a - b + .5*r.NormFloat64()} {
			columns[i] = append(columns[i], v)
		}
	}
	columns[0][7], columns[3][9] = math.NaN(), math.NaN()
	c := correlate(columns)
	coefficients, left := c.regress(3, []int{0, 1, 2})
	got := []float64{coefficients[0] * c.sd[3] / c.sd[0], coefficients[1] * c.sd[3] / c.sd[1]}
	if math.Abs(got[0]-2) > .02 || math.Abs(got[1]+1) > .01 || coefficients[2] != 0 {
		t.Errorf("coefficients %v and %v, want 2, -1 and 0 for the column that is their sum", got, coefficients[2])
	}
	if want := .25 / (4 + 9 + .25); math.Abs(left-want) > .002 {
		t.Errorf("%.4f of the variance is left, want %.4f", left, want)
	}
	residuals := c.residuals(3, []int{0, 1, 2})
	if !math.IsNaN(residuals[9]) || math.Abs(covariance(residuals, 0)-left) > 1e-4 {
		t.Errorf("residuals: %v where nothing is known, variance %v; want NaN, %v", residuals[9], covariance(residuals, 0), left)
	}
}

// n values with a correlation of phi from one to the next are worth n (1-phi)/(1+phi).
func TestEffectiveRowsOfAutoregression(t *testing.T) {
	for _, phi := range []float64{0, .3, .6, .9} {
		r := rand.New(rand.NewPCG(1021, 0))
		const n = 20_000
		values := make([]float64, n)
		for i := 1; i < n; i++ {
			values[i] = phi*values[i-1] + r.NormFloat64()
		}
		values[50], values[51] = math.NaN(), math.NaN()
		e := effectiveOf("a", values)
		want := n * (1 - phi) / (1 + phi)
		if e.Rows != n-2 || math.Abs(e.Lag1-phi) > .03 || e.Worth < .75*want || e.Worth > 1.1*want {
			t.Errorf("phi %v: %+v, want about %.0f", phi, e, want)
		}
	}
	if e := effectiveOf("a", []float64{math.NaN(), math.NaN()}); e.Rows != 0 || e.Worth != 0 {
		t.Errorf("nothing measured: %+v", e)
	}
	if e := effectiveOf("a", make([]float64, 10)); e.Worth != 10 {
		t.Errorf("explained to the last digit: %+v", e)
	}
}

func TestFewRowsAreSaidToBeFew(t *testing.T) {
	for _, x := range []struct {
		rows int
		few  bool
	}{{30, true}, {300, false}} {
		q := played(t, x.rows, func(_ int, r *rand.Rand) (b, o [2]float64) {
			return [2]float64{float64(r.IntN(3)) / 5, float64(r.IntN(3)) / 5}, [2]float64{r.Float64(), r.Float64()}
		}).Quality(1)
		var b bytes.Buffer
		if err := q.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		// Three knobs that are free, and two loads.
		if said := strings.Contains(b.String(), "warning: the latencies of b are worth"); q.Effective[1].Wanted != 50 || said != x.few {
			t.Errorf("%d rows: %+v, said %v", x.rows, q.Effective[1], said)
		}
	}
}

func TestCoverageOfLoads(t *testing.T) {
	d := played(t, 1000, func(row int, _ *rand.Rand) (b, o [2]float64) {
		o = [2]float64{10 + 10*float64(row%5)/4, 7}
		if row%5 == 0 {
			b[0] = float64(row%2) * .4
		}
		return b, o
	})
	for row := range d.Rows() {
		d.Settings[2][row], d.Settings[3][row] = .5, .5
	}
	l := d.Quality(1).Loads
	if l[0].Low != 10 || l[0].Median != 15 || l[0].High != 20 || l[0].Tenths != 5 || l[0].Compared != 1 {
		t.Errorf("a: %+v; want 5 tenths with rows, one of them with two configurations", l[0])
	}
	if l[1].Median != 7 || l[1].Tenths != 1 || l[1].Compared != 1 {
		t.Errorf("b: %+v", l[1])
	}
}
