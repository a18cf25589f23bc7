package eval

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

func replayMesh(t *testing.T) *rules.Mesh {
	t.Helper()
	m, err := rules.Load("../../examples/mo1/rules.toml")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// replayTruth is what the synthetic directory says, in seconds, of services 1 and 2
// at loads l and settings in fifths: each is slowed by what takes its v1.
func replayTruth(l [2]float64, p11, p21, b1, b2 int) [2]float64 {
	f1, f2 := l[0]*(1-float64(b1)/5), l[1]*(1-float64(b2)/5)
	v1 := f1*float64(p21)/5 + f2*float64(p11)/5
	v2 := f1 + f2 - v1
	return [2]float64{.012 + .0016*v1 + .0002*v2, .050 + .0020*v1 + .0045*v2}
}

// zippedTruth is the synthetic truth as a file.
var zippedTruth = sync.OnceValue(func() []byte {
	var truth []byte
	for l1 := 5.; l1 <= 20; l1++ {
		for l2 := 5.; l2 <= 20; l2++ {
			for c := range replayConfigurations {
				s := replayTruth([2]float64{l1, l2}, c/216, c/36%6, c/6%6, c%6)
				for _, v := range s {
					truth = binary.LittleEndian.AppendUint16(truth, uint16(math.Round(v/replayUnit)))
				}
			}
		}
	}
	return zipped(truth)
})

// writeReplay makes a replay directory with one split: every second configuration may
// be learned from. Its noise comes in bursts.
func writeReplay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var may, residuals strings.Builder
	for c := 0; c < replayConfigurations; c += 2 {
		fmt.Fprintln(&may, c)
	}
	residuals.WriteString("r1,r2\n")
	rng, burst := rand.New(rand.NewPCG(1, 2)), 0.0
	for range 1000 {
		burst = .5*burst + .04*rng.NormFloat64()
		fmt.Fprintf(&residuals, "%.5f,%.5f\n", burst, .5*burst)
	}
	for name, content := range map[string][]byte{
		"split0-train.txt": []byte(may.String()), "split0-hgb.u16.gz": zippedTruth(), "split0-et.u16.gz": zippedTruth(),
		"residuals.csv.gz": zipped([]byte(residuals.String())),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		panic(err) // there is such a level
	}
	if _, err := z.Write(b); err != nil {
		panic(err) // a buffer takes everything
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// replayData has rows of the synthetic truth at random settings and loads.
func replayData(m *rules.Mesh) *dataset.Dataset {
	var ids []policy.KnobID
	for _, k := range m.Knobs() {
		ids = append(ids, k.KnobID)
	}
	d := dataset.New("mo1", 5, ids, []string{"compute", "information"})
	rng := rand.New(rand.NewPCG(2, 2))
	for range 3000 {
		p11, p21, b1, b2 := rng.IntN(6), rng.IntN(6), rng.IntN(6), rng.IntN(6)
		l := [2]float64{5 + 15*rng.Float64(), 5 + 15*rng.Float64()}
		s := replayTruth(l, p11, p21, b1, b2)
		noise := 1 + .03*rng.NormFloat64()
		f := func(fifths int) float64 { return float64(fifths) / 5 }
		err := d.Append(dataset.Row{
			// blocking of compute and information, weights of compute and information
			Settings: []float64{f(b2), f(b1), f(p11), 1 - f(p11), f(p21), 1 - f(p21)},
			Offered:  []float64{l[1], l[0]}, Carried: []float64{l[1], l[0]},
			Latency: []float64{s[1] * noise, s[0] * noise},
		})
		if err != nil {
			panic(err)
		}
	}
	return d
}

func TestReplayReadsTheFormat(t *testing.T) {
	m, dir := replayMesh(t), writeReplay(t)
	l, err := newReplayLayout(m)
	if err != nil {
		t.Fatal(err)
	}
	table, err := l.truth(dir, 0, "et", []string{"latency", "latency"}, []string{"compute", "information"})
	if err != nil {
		t.Fatal(err)
	}
	grid, err := table.Actions()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, 2)
	for _, offered := range [][]float64{{5, 20}, {20, 5}, {11, 7}, {7.5, 16.25}} {
		corners, inside := table.Corners(nil, offered, len(grid))
		if !inside {
			t.Fatalf("loads %v are outside", offered)
		}
		for i, a := range grid {
			v := func(knob int) int { return int(math.Round(5 * a[knob].Value)) }
			table.Predict(out, corners, i)
			want := replayTruth([2]float64{offered[1], offered[0]}, v(2), v(4), v(1), v(0))
			if math.Abs(out[0]-want[1]) > 1.1e-5 || math.Abs(out[1]-want[0]) > 1.1e-5 {
				t.Fatalf("loads %v, %v: %v, want %v", offered, a, out, want)
			}
		}
	}
	d := replayData(m)
	half, err := l.split(dir, 0, d)
	if err != nil {
		t.Fatal(err)
	}
	if n := half.Rows(); n < 1300 || n > 1700 {
		t.Errorf("%d of %d rows may be learned from, want about half", n, d.Rows())
	}
	for row := range half.Rows() {
		if b2 := half.Settings[0][row]; int(math.Round(5*b2))%2 != 0 {
			t.Fatalf("row %d is of a configuration of the other half", row)
		}
	}
}

func replayOptions(t *testing.T) ReplayOptions {
	t.Helper()
	m := replayMesh(t)
	return ReplayOptions{
		Directory: writeReplay(t), Rules: m, Dataset: replayData(m), Budgets: []float64{.1}, Delays: []int{0, 1}, Seed: 1001, Runs: 1,
		Trees: model.TreeParams{Trees: 30, Leaves: 20, Rate: .2, MinLeafRows: 10}, intervals: 250, loads: [][]float64{{5, 10, 15, 20}, {5, 10, 15, 20}},
	}
}

func TestReplayJudges(t *testing.T) {
	r, err := Replay(context.Background(), replayOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := len(replayKinds) * 2 * defaultControllers; len(r.Rows) != want {
		t.Fatalf("%d rows, want %d", len(r.Rows), want)
	}
	for _, row := range r.Rows {
		if row.Controller == ControllerFull && (row.ViolatedMost > row.Budget+.06 || row.OptimumRatio < .7 || row.OptimumRatio > 1.1) {
			t.Errorf("%s, budget %v, delay %d: violated up to %.3f, %.3f of the optimum", row.Truth, row.Budget, row.Delay, row.ViolatedMost, row.OptimumRatio)
		}
		if row.Controller == ControllerOptimum && row.ViolatedMost < 2*row.Budget {
			t.Errorf("the published optimum breaks %.3f only", row.ViolatedMost)
		}
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "integrator") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

func TestReplayIsDeterministic(t *testing.T) {
	o := replayOptions(t)
	o.Trees.Trees, o.intervals = 5, 60
	sameAgain(t, func() (any, error) { return Replay(t.Context(), o) })
}

func TestReplayRefusesWhatDoesNotFit(t *testing.T) {
	for name, spoil := range map[string]func(o *ReplayOptions){
		"other rules":       func(o *ReplayOptions) { o.Rules = tinyMesh(t) },
		"no directory":      func(o *ReplayOptions) { o.Directory = filepath.Join(o.Directory, "none") },
		"budget":            func(o *ReplayOptions) { o.Budgets = []float64{1} },
		"delay":             func(o *ReplayOptions) { o.Delays = []int{-1} },
		"controller":        func(o *ReplayOptions) { o.Controllers = []string{"ful"} },
		"empty data":        func(o *ReplayOptions) { o.Dataset = o.Dataset.Select(func(int) bool { return false }) },
		"truncated truth":   func(o *ReplayOptions) { write(t, o.Directory, "split0-hgb.u16.gz", zipped([]byte("x"))) },
		"not compressed":    func(o *ReplayOptions) { write(t, o.Directory, "split0-et.u16.gz", []byte("x")) },
		"configuration":     func(o *ReplayOptions) { write(t, o.Directory, "split0-train.txt", []byte("1296\n")) },
		"residual":          func(o *ReplayOptions) { write(t, o.Directory, "residuals.csv.gz", zipped([]byte("r1,r2\n-1,0\n"))) },
		"residual's column": func(o *ReplayOptions) { write(t, o.Directory, "residuals.csv.gz", zipped([]byte("a,b\n0,0\n"))) },
		"few residuals":     func(o *ReplayOptions) { write(t, o.Directory, "residuals.csv.gz", zipped([]byte("r1,r2\n0,0\n"))) },
	} {
		o := replayOptions(t)
		spoil(&o)
		if _, err := Replay(context.Background(), o); err == nil || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The dual bound is the optimum of the linear programme: no mixture found by giving
// prices is better, and with the best prices one comes close.
func TestWholeRunOptimumIsTheProgrammes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 20 {
		// Two actions at each of two loads: the programme is solved by a scan of mixtures.
		w := &wholeRun{n: 1}
		for range 2 {
			w.at = append(w.at, sampled{weight: 1 + rng.Float64(), prospects: []prospect{
				{value: 2 + rng.Float64(), broken: []float64{.3 + .7*rng.Float64()}},
				{value: rng.Float64(), broken: []float64{.1 * rng.Float64()}},
			}})
		}
		budget := .15 + .3*rng.Float64()
		best := 0.0
		for i := range 2001 {
			x := float64(i) / 2000
			left := budget*(w.at[0].weight+w.at[1].weight) - w.at[0].weight*(x*w.at[0].prospects[0].broken[0]+(1-x)*w.at[0].prospects[1].broken[0])
			p, q := w.at[1].prospects[0], w.at[1].prospects[1]
			y := math.Min(1, (left/w.at[1].weight-q.broken[0])/(p.broken[0]-q.broken[0]))
			if y < 0 {
				continue
			}
			best = math.Max(best, w.at[0].weight*(x*w.at[0].prospects[0].value+(1-x)*w.at[0].prospects[1].value)+w.at[1].weight*(y*p.value+(1-y)*q.value))
		}
		if got := w.value([]float64{budget}); math.Abs(got-best) > 2e-3*best {
			t.Errorf("optimum %v, by a scan of mixtures %v", got, best)
		}
	}
}

// With two services, the optimum by the dual is never below, and nearly, that of the
// best single prices.
func TestWholeRunOptimumBoundsEveryPlan(t *testing.T) {
	m, dir := replayMesh(t), writeReplay(t)
	l, err := newReplayLayout(m)
	if err != nil {
		t.Fatal(err)
	}
	noise, err := l.residuals(dir)
	if err != nil {
		t.Fatal(err)
	}
	table, err := l.truth(dir, 0, "hgb", []string{"latency", "latency"}, []string{"compute", "information"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := train.NewChoices(table)
	if err != nil {
		t.Fatal(err)
	}
	g, err := train.NewGoal(m, table.Services)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 4))
	run := series{offered: unseen([][]float64{{5, 20}, {5, 20}}, rng)[:80], noise: draw(noise, 80, rng)}
	w := newWholeRun(g, c, run)
	most := w.value(g.Budget)
	value := 0.0
	for t, action := range budgetPlan(g, c, run) {
		value += g.Value(run.offered[t], c.Admitted[action], c.Cost[action])
	}
	if value > most*(1+1e-9) || value < .97*most {
		t.Errorf("a plan that keeps the budgets is worth %v, the optimum %v", value, most)
	}
	if tighter := w.value([]float64{.01, .01}); tighter >= most {
		t.Errorf("with a fifth of the budgets the optimum is %v, before %v", tighter, most)
	}
}

func TestWorstWindow(t *testing.T) {
	b := slices.Concat(make([]bool, 90), slices.Repeat([]bool{true}, 15), make([]bool, 200))
	if got := worstWindow(b); got != .15 {
		t.Errorf("worst window of 100: %v, want 0.15", got)
	}
	if got := worstWindow(b[85:95]); got != .5 {
		t.Errorf("a run shorter than the window: %v, want 0.5", got)
	}
}

func TestBarsAreAboutTheirControllers(t *testing.T) {
	full := ReplayRow{
		Truth: "et", Budget: .05, Controller: ControllerFull, ViolatedLeast: .045, ViolatedMost: .056, OptimumRatio: .85,
		OptimumLeast: .8, WorstWindow: .12,
	}
	late, plain, price := full, full, full
	late.Delay, late.OptimumRatio = 1, .77
	plain.Controller, plain.OptimumRatio = ControllerIntegrator, .78
	price.Controller, price.OptimumRatio = ControllerPrice, .9
	failed := map[string]bool{}
	bars := barsOf([]ReplayRow{full, late, plain, price})
	for _, b := range bars {
		if !b.Met {
			failed[fmt.Sprintf("%s %s %d", b.Name, b.Want, b.Delay)] = true
		}
	}
	want := map[string]bool{
		"violated, every service in every run <= 0.055 0": true, "violated, every service in every run <= 0.055 1": true,
		"cost of one interval of delay, of the optimum <= 0.07 1": true,
	}
	if d := cmp.Diff(want, failed); d != "" || len(bars) != 11 {
		t.Errorf("%d bars; those that are not met (-want +got):\n%s", len(bars), d)
	}
}
