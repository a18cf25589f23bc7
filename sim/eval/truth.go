package eval

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
	"github.com/windvane/windvane/sim/train"
)

// truth is a mesh as a model has it. It is read-only: see asker.
type truth struct {
	goal    *train.Goal
	latency *model.System // judges
	carrier *model.System // predicts the measured carried load: the model of all data
	choices *train.Choices
	carried *model.Table
	index   map[string]int // action of the grid by its key
}

// newTruth is a truth from a model and its table, with the model and the table of
// what is carried, at the same loads.
func newTruth(goal *train.Goal, judge *model.System, table *model.Table, carrier *model.System, carried *model.Table) (*truth, error) {
	choices, err := train.NewChoices(table)
	if err != nil {
		return nil, err
	}
	t := &truth{goal: goal, latency: judge, carrier: carrier, choices: choices, carried: carried, index: map[string]int{}}
	for i, a := range choices.Grid {
		t.index[key(a)] = i
	}
	return t, nil
}

// key names an action; settings within a millionth are the same.
func key(a policy.Action) string {
	b := make([]byte, 0, 8*len(a))
	for _, s := range a {
		b = binary.LittleEndian.AppendUint64(b, uint64(int64(math.Round(s.Value*1e6))))
	}
	return string(b)
}

// asker asks a truth. It is for one goroutine.
type asker struct {
	*truth
	corners  []model.Corner
	settings []float64
	others   map[string]single // actions off the grid that were asked for

	// The answer to the last question, by service.
	seconds  []float64 // latency, without noise
	admitted []float64 // share that is not blocked
	measured []float64 // carried load, requests/s, as a measurement would have it; NaN: not known
	cost     float64
}

// single are the tables of one action.
type single struct{ latency, carried *model.Table }

func (t *truth) asker() *asker {
	n := len(t.goal.Services)
	return &asker{
		truth: t, settings: make([]float64, len(t.latency.Knobs)), others: map[string]single{},
		seconds: make([]float64, n), admitted: make([]float64, n), measured: make([]float64, n),
	}
}

// at asks for an action of the grid.
func (a *asker) at(offered []float64, action int) {
	a.corners, _ = a.choices.Table.Corners(a.corners, offered, len(a.choices.Grid))
	a.choices.Table.Predict(a.seconds, a.corners, action)
	a.carried.Predict(a.measured, a.corners, action)
	copy(a.admitted, a.choices.Admitted[action])
	a.cost = a.choices.Cost[action]
}

// of asks for any action.
func (a *asker) of(offered []float64, action policy.Action) {
	k := key(action)
	if i, ok := a.index[k]; ok {
		a.at(offered, i)
		return
	}
	one, ok := a.others[k]
	if !ok {
		one = a.single(action)
		a.others[k] = one
	}
	a.corners, _ = one.latency.Corners(a.corners, offered, 1)
	one.latency.Predict(a.seconds, a.corners, 0)
	one.carried.Predict(a.measured, a.corners, 0)
	a.cost = train.Admitted(a.admitted, a.latency.Knobs, a.latency.Services, action)
}

func (a *asker) single(action policy.Action) single {
	for i := range action {
		a.settings[i] = action[i].Value
	}
	loads := a.choices.Table.Loads
	latency, carried := a.latency.TabulateOne(loads, a.settings)
	if a.carrier != a.latency {
		_, carried = a.carrier.TabulateOne(loads, a.settings)
	}
	return single{latency, carried}
}

// series is one run's offered load (requests/s) and the noise of its latencies
// (measured/true - 1), [interval][service].
type series struct {
	offered [][]float64
	noise   [][]float64
}

// The length of a run.
const (
	runIntervals = 2000
	dwell        = 60 // intervals at one combination of loads, where there are few
)

// seen visits every combination of the loads equally often, each for a while, in
// random order.
func seen(loads [][]float64, rng *rand.Rand) [][]float64 {
	var cells [][]float64
	model.EachLoad(loads, func(offered []float64) { cells = append(cells, append([]float64(nil), offered...)) })
	stay := min(dwell, max(1, 2*runIntervals/len(cells)))
	var out [][]float64
	for range max(1, runIntervals/(stay*len(cells))) {
		for _, i := range rng.Perm(len(cells)) {
			for range stay {
				out = append(out, cells[i])
			}
		}
	}
	return out
}

// periods of the services' sinusoids, in intervals: different, so that the loads
// meet in every combination.
var periods = []float64{500, 400, 600, 450, 550, 350}

// unseen is the paper's sinusoid, 12.5 + 7.5 sin, scaled to the loads, with a period
// of its own and a random phase for each service.
func unseen(loads [][]float64, rng *rand.Rand) [][]float64 {
	phase := make([]float64, len(loads))
	for s := range phase {
		phase[s] = 2 * math.Pi * rng.Float64()
	}
	out := make([][]float64, runIntervals)
	for t := range out {
		for s, l := range loads {
			low, high := l[0], l[len(l)-1]
			wave := math.Sin(2*math.Pi*float64(t)/periods[s%len(periods)] + phase[s])
			out[t] = append(out[t], (low+high)/2+(high-low)/2*wave)
		}
	}
	return out
}

// noiseOf aligns the services' residuals on configurations held out: the rows that
// every service has, in the order of the data, so that bursts stay bursts and stay
// shared.
func noiseOf(m *model.System) ([][]float64, error) {
	rows := map[int32]int{}
	for _, f := range m.Fit {
		for _, row := range f.At {
			rows[row]++
		}
	}
	var out [][]float64
	for s, f := range m.Fit {
		n := 0
		for i, row := range f.At {
			if rows[row] < len(m.Fit) {
				continue
			}
			if s == 0 {
				out = append(out, make([]float64, len(m.Fit)))
			}
			out[n][s] = f.Residuals[i]
			n++
		}
	}
	if len(out) < minNoise {
		return nil, fmt.Errorf("only %d rows have the latency of every service, want at least %d to judge with; collect more", len(out), minNoise)
	}
	return out, nil
}

// minNoise rows are the least that can be drawn from.
const minNoise = 100

// draw returns a contiguous piece of the noise from a random start, round its end.
func draw(noise [][]float64, intervals int, rng *rand.Rand) [][]float64 {
	start := rng.IntN(len(noise))
	out := make([][]float64, intervals)
	for t := range out {
		out[t] = noise[(start+t)%len(noise)]
	}
	return out
}

// errNoBounds is for rules under which no latency can be judged.
var errNoBounds = errors.New("no service has a latency objective on the dataset's latency signal; add [[service.objective]] with a bound to the rules")
