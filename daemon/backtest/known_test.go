package backtest

import (
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/daemon/lifecycle"
	"github.com/windvane/windvane/daemon/loop"
	"github.com/windvane/windvane/plugins/explore"
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/plugins/tabular"
	"github.com/windvane/windvane/plugins/threshold"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/train"
)

// history is what was recorded while a mesh was explored for a number of intervals: the
// directory of its journal.
func history(t *testing.T, seed uint64, intervals int) (string, *rules.Mesh) {
	t.Helper()
	dir := t.TempDir()
	j, _, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	e := newEmulated(t, seed, intervals)
	e.journal = j
	p := explore.New()
	if err := p.Configure(t.Context(), policy.Config{Settings: fmt.Appendf(nil, `{"seed":%d,"hold":"15s"}`, seed)}); err != nil {
		t.Fatal(err)
	}
	e.run(plain(p), 0, intervals)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, e.rules
}

// plain is a policy without an artefact.
func plain(p policy.Policy) Configured {
	return Configured{
		Active: &loop.Decider{Name: "judged", Policy: p}, Fallback: loop.Decider{Name: "threshold", Policy: threshold.New()},
		Initial: func(string, string) margin.Calibration { return margin.Calibration{} },
	}
}

// judgedPolicy is what a backtest judges, and what was configured for it.
func judgedPolicy(m *rules.Mesh, kind string, seed uint64, last *Configured) Policy {
	return Policy{Name: kind, Trains: kind == "tabular", Configure: func(ctx context.Context, d *dataset.Dataset, n int) ([]Configured, error) {
		var out []Configured
		if kind == "threshold" {
			for range n {
				out = append(out, plain(threshold.New()))
			}
			*last = plain(threshold.New())
			return out, nil
		}
		trained, err := train.EnumerateTabular(m, d, "", seed)
		if err != nil {
			return nil, err
		}
		artefact, err := trained.Table.Encode()
		if err != nil {
			return nil, err
		}
		for range n + 1 {
			p := tabular.New()
			if err := p.Configure(ctx, policy.Config{Artefact: artefact}); err != nil {
				return nil, err
			}
			c := plain(p)
			c.Initial = trained.Card.Initial
			out = append(out, c)
		}
		*last = out[n]
		return out[:n], nil
	}}
}

// answer is what a backtest said of a figure, and what then really was.
type answer struct {
	name string
	Figure
	is float64
}

func (a answer) held() bool { return a.is >= a.Low && a.is <= a.High }

// ask records a mesh while it is explored, has a policy judged on the second half of that, and
// then really has it control the same mesh, with the same requests to come, over that half.
func ask(t *testing.T, seed uint64, intervals int, kind string, worlds int) (*Report, []answer) {
	t.Helper()
	dir, m := history(t, seed, intervals)
	var last Configured
	r, err := Run(t.Context(), Options{
		Rules: m, From: began, To: began.Add(time.Duration(intervals) * m.Interval), Learn: .5, Seed: seed, Worlds: worlds, Policy: judgedPolicy(m, kind, seed, &last),
		Walk: func(ctx context.Context, each func(lifecycle.Interval) error) (*lifecycle.Report, error) {
			return lifecycle.Walk(ctx, lifecycle.Options{Rules: m, Journal: dir}, each)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := newEmulated(t, seed, intervals)
	e.run(last, intervals/2, intervals)
	var out []answer
	for s, service := range m.PolicyServices() {
		var broken, carried sum
		for _, iv := range e.intervals {
			if v := iv.Row.Latency[s]; v > service.Objectives[0].Bound {
				broken.add(1)
			} else if !math.IsNaN(v) {
				broken.add(0)
			}
			carried.add(iv.Row.Carried[s])
		}
		for _, a := range []struct {
			name string
			f    *Figure
			is   float64
		}{{"violated " + service.Name, r.Objectives[s].Violated, broken.mean()}, {"carried " + service.Name, r.Services[s].Carried, carried.mean()}} {
			if a.f == nil {
				t.Fatalf("there is no figure of %s: %+v", a.name, r.Coverage)
			}
			out = append(out, answer{a.name, *a.f, a.is})
		}
	}
	return r, out
}

// TestKnownAnswer holds predictions against what then really was. A short history is in every
// run of the tests. The figures of docs/backtest.md are of a day, and of
//
//	BACKTEST_SEEDS=1-20 go test -v -timeout 2h -run TestKnownAnswer ./daemon/backtest
func TestKnownAnswer(t *testing.T) {
	first, last, ok := strings.Cut(os.Getenv("BACKTEST_SEEDS"), "-")
	if !ok {
		r, answers := ask(t, 1003, 2000, "threshold", 2)
		if r.Coverage.Ratio < leastCovered {
			t.Errorf("%.2f of the intervals are covered", r.Coverage.Ratio)
		}
		for _, a := range answers { // of an hour and a half nobody learns more
			if off := math.Abs(a.Value - a.is); off > .15*math.Max(1, a.is) {
				t.Errorf("%s: %.3f is predicted, and it was %.3f", a.name, a.Value, a.is)
			}
		}
		return
	}
	from, err1 := strconv.ParseUint(first, 10, 64)
	to, err2 := strconv.ParseUint(last, 10, 64)
	if err1 != nil || err2 != nil {
		t.Fatalf("BACKTEST_SEEDS=%s: want the first and the last, as 1001-1004", os.Getenv("BACKTEST_SEEDS"))
	}
	held, off, n := map[string]int{}, map[string]float64{}, 0
	for seed := from; seed <= to; seed++ {
		r, answers := ask(t, seed, 17280, "tabular", 0)
		line := fmt.Sprintf("seed %d: covered %.3f, acted %d", seed, r.Coverage.Ratio, r.Decided.Acts)
		n++
		for _, a := range answers {
			if a.held() {
				held[a.name]++
			}
			off[a.name] = math.Max(off[a.name], math.Abs(a.Value-a.is))
			line += fmt.Sprintf("; %s %.4f [%.4f, %.4f] was %.4f", a.name, a.Value, a.Low, a.High, a.is)
		}
		t.Log(line)
	}
	for name, most := range off {
		t.Logf("%s: %d of %d ranges hold the truth; off by %.4f at most", name, held[name], n, most)
	}
}
