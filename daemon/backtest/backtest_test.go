package backtest

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/threshold"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/eval"
	"github.com/windvane/windvane/sim/eval/page"
)

// made is a history by formulas: blocking moves at random unless it is held, latency is what the
// admitted loads make of it, with some noise.
func made(t *testing.T, intervals int, held bool) (*rules.Mesh, []lifecycle.Interval) {
	t.Helper()
	_, m, err := eval.SmallGraph()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var out []lifecycle.Interval
	live := make([]float64, len(m.Knobs()))
	for n := range intervals {
		iv := lifecycle.Interval{At: began.Add(time.Duration(n+1) * m.Interval)}
		for k, knob := range m.Knobs() {
			switch {
			case knob.Kind == policy.Weight && k%2 == 0:
				live[k] = float64(rng.IntN(6)) / 5
				live[k+1] = 1 - live[k]
			case knob.Kind == policy.Blocking && !held:
				live[k] = float64(rng.IntN(5)) / 5
			}
			iv.Settings = append(iv.Settings, policy.Setting{KnobID: knob.KnobID})
		}
		for k := range live {
			iv.Settings[k].Value = live[k]
		}
		iv.Row.Settings = iv.Settings.Values()
		for s, service := range m.PolicyServices() {
			offered := 20 + 10*math.Sin(float64(n)/50+float64(s))
			carried := offered * (1 - live[s])
			latency := service.Objectives[0].Bound * (.5 + carried/40) * math.Exp(.1*rng.NormFloat64())
			iv.Row.Offered, iv.Row.Carried, iv.Row.Latency = append(iv.Row.Offered, offered), append(iv.Row.Carried, carried), append(iv.Row.Latency, latency)
			for name, v := range map[string]float64{"carried": carried, "latency": latency, "offered": offered} {
				iv.State = append(iv.State, policy.Signal{Name: name, Service: service.Name, Role: policy.Role(name), Value: v, At: iv.At, Status: policy.Valid})
			}
		}
		iv.State.Sort()
		out = append(out, iv)
	}
	return m, out
}

// options judge the threshold policy on a history.
func options(m *rules.Mesh, history []lifecycle.Interval) Options {
	return Options{
		Rules: m, From: began, To: began.Add(time.Duration(len(history)) * m.Interval), Learn: .5, Worlds: 2, Seed: 7,
		Policy: Policy{Name: "threshold", Configure: func(_ context.Context, _ *dataset.Dataset, n int) (out []Configured, _ error) {
			for range n {
				out = append(out, plain(threshold.New()))
			}
			return out, nil
		}},
		Walk: func(_ context.Context, each func(lifecycle.Interval) error) (*lifecycle.Report, error) {
			r := &lifecycle.Report{Mesh: m.Name, Intervals: len(history), LeftOut: []lifecycle.LeftOut{}}
			for _, iv := range history {
				if err := each(iv); err != nil {
					return nil, err
				}
			}
			return r, nil
		},
	}
}

func TestTheSameHistoryGivesTheSameBytes(t *testing.T) {
	m, history := made(t, 450, false)
	for i := 300; i < 350; i++ { // nothing was measured
		iv := &history[i]
		iv.Row.Latency = []float64{math.NaN(), math.NaN()}
		for k := range iv.State {
			iv.State[k].Status = policy.Absent
		}
	}
	var first []byte
	for range 2 {
		r, err := Run(t.Context(), options(m, history))
		if err != nil {
			t.Fatal(err)
		}
		src, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, src) {
			t.Fatal("two backtests of the same history differ")
		}
		first = src
		for _, o := range r.Objectives {
			if o.Violated == nil || !(o.Violated.Low <= o.Violated.Value && o.Violated.Value <= o.Violated.High) || o.Measured == nil {
				t.Errorf("objective %+v: want a figure within its range, and what was", o)
			}
		}
		c := r.Coverage
		if c.Intervals != 225 || c.Blind != 50 || c.Measured+c.Modelled+c.Beyond+c.Blind != c.Intervals {
			t.Errorf("coverage %+v: want all of 225 intervals, 50 of which were not measured", c)
		}
		var text, html bytes.Buffer
		if err := r.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if err := page.Write(&html, r.Page(About{})); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"latency of compute", "nine times of ten within", "would have acted in"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("the summary lacks %q:\n%s", want, text.String())
			}
		}
		if !strings.Contains(html.String(), "What history cannot tell") {
			t.Error("the page does not say what history cannot tell")
		}
	}
}

func TestWhatNeverMovedHasNoFigure(t *testing.T) {
	m, history := made(t, 450, true)
	for i := range history { // of the judged half the load is twice the bound's
		for s := range history[i].Row.Latency {
			history[i].Row.Latency[s] *= 2
		}
		for k := range history[i].State {
			if history[i].State[k].Role == policy.RoleLatency {
				history[i].State[k].Value *= 2
			}
		}
	}
	r, err := Run(t.Context(), options(m, history))
	if err != nil {
		t.Fatal(err)
	}
	if r.Coverage.Beyond < r.Coverage.Intervals/2 {
		t.Errorf("coverage %+v: want that of most intervals nothing is told: the policy blocks, which never was", r.Coverage)
	}
	for _, o := range r.Objectives {
		if o.Violated != nil {
			t.Errorf("%s has the figure %+v; history does not tell it", o.Service, *o.Violated)
		}
	}
	if all := strings.Join(r.Untold, "\n"); !strings.Contains(all, "blocking:compute does: it never moved") || !strings.Contains(all, "of the judged time is covered") {
		t.Errorf("not identifiable: %s", all)
	}
}

func TestBadHistory(t *testing.T) {
	m, history := made(t, 450, false)
	unknown := make([]lifecycle.Interval, len(history))
	for i, iv := range history {
		iv.Settings, iv.Row.Settings, iv.Reason = nil, nil, lifecycle.Unknown
		unknown[i] = iv
	}
	few := slices.Concat(unknown[:150], history[150:])
	for _, c := range []struct {
		name    string
		history []lifecycle.Interval
		change  func(*Options)
		want    string
	}{
		{"no interval", nil, nil, "there is no interval of mesh small"},
		{"settings never known", unknown, nil, "of none of 450 intervals it is known what was in force"},
		{"too few known", few, nil, "only 75 intervals before 2026-11-01T00:18:45Z can be learned from, where 200 are needed"},
		{"wrong share", history, func(o *Options) { o.Learn = 1 }, "want more than 0 and less than 1"},
		{"wrong times", history, func(o *Options) { o.To = o.From }, "want an earlier beginning"},
	} {
		o := options(m, c.history)
		o.To = began.Add(450 * m.Interval)
		if c.change != nil {
			c.change(&o)
		}
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
}

func TestErrorsAreMeasuredInUnitsOfTheirSize(t *testing.T) {
	// The first level has the rows up to 59.
	l := newLevels(600, func(row int) (e, said float64) { return float64(row%100) - 50, float64(row) })
	for _, e := range []float64{-50, 0, 9} {
		if got := l.error(5, l.rank(e, 5)); math.Abs(got-e) > 1 {
			t.Errorf("the error %v has a rank of which the error is %v", e, got)
		}
	}
	if !math.IsNaN(l.rank(math.NaN(), 5)) {
		t.Error("what was not measured has a rank")
	}
}
