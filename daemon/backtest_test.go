package daemon

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/rules"
)

const backtestRules = `
mesh = "shop"
interval = "5s"
settle = "1s"
[signals]
by = "service"
offered = 'shop:offered'
carried = 'shop:carried'
latency = 'shop:latency'
[[service]]
name = "a"
  [[service.objective]]
  signal = "latency"
  bound = "100ms"
  target = 0.95
  [service.blocking]
  maximum = 0.8
  levels = 5
`

// dumped is a dump of so many intervals in which blocking is another one every two minutes.
func dumped(t *testing.T, intervals int) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("# TYPE shop:offered gauge\n")
	blocking := 0.
	for n := range intervals {
		at := 1e6 + 5*n
		if n%24 == 0 {
			blocking = float64(rng.IntN(5)) / 5
		}
		offered := 20 + 10*math.Sin(float64(n)/40)
		carried := offered * (1 - blocking)
		_, _ = fmt.Fprintf(&b, "shop:offered{service=\"a\"} %v %d\nshop:carried{service=\"a\"} %v %d\nshop:latency{service=\"a\"} %v %d\nwindvane_blocking_ratio{mesh=\"shop\",service=\"a\"} %v %d\nother 1 %d\n",
			offered, at, carried, at, (.05+.002*carried)*math.Exp(.1*rng.NormFloat64()), at, blocking, at, at)
	}
	path := filepath.Join(t.TempDir(), "shop.txt")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func backtestOf(t *testing.T) BacktestOptions {
	t.Helper()
	m, err := rules.Parse("shop.toml", []byte(backtestRules))
	if err != nil {
		t.Fatal(err)
	}
	o := BacktestOptions{Policy: "threshold", Learn: .5, Worlds: 2, Seed: 1}
	o.Rules, o.Timeout = m, time.Minute
	return o
}

func TestBacktestOfADump(t *testing.T) {
	o := backtestOf(t)
	o.Dump = dumped(t, 1200)
	r, err := Backtest(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Coverage.Intervals < 550 || r.Coverage.Ratio < .9 || r.Decided.Acts == 0 || r.Objectives[0].Violated == nil {
		t.Errorf("coverage %+v, decided %+v, objectives %+v: want most of 600 intervals, and acts", r.Coverage, r.Decided, r.Objectives)
	}
}

func TestBadBacktests(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*BacktestOptions)
		want   string
	}{
		{"no such policy", func(o *BacktestOptions) { o.Policy = "treshold" }, `did you mean "threshold"?`},
		{"an artefact is needed", func(o *BacktestOptions) { o.Policy = "learned" }, "policy learned decides with a trained artefact"},
		{"no artefact there", func(o *BacktestOptions) { o.Artefact = "nowhere" }, "nowhere"},
		{"bad settings", func(o *BacktestOptions) { o.Settings = []byte(`{"x": 1}`); o.Dump = dumped(t, 1200) }, `unknown field "x"`},
		{"no such dump", func(o *BacktestOptions) { o.Dump = "nowhere.txt" }, "no such file"},
		{"another time", func(o *BacktestOptions) { o.Dump = dumped(t, 10); o.From = time.Unix(2e6, 0); o.To = time.Unix(3e6, 0) }, "none in the time that is asked for"},
		{"too short", func(o *BacktestOptions) { o.Dump = dumped(t, 100) }, "can be learned from, where 200 are needed"},
		{"nothing in the journal", func(o *BacktestOptions) { o.StateDirectory = t.TempDir() }, "journal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := backtestOf(t)
			c.change(&o)
			if _, err := Backtest(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want an error with %q", err, c.want)
			}
		})
	}
}
