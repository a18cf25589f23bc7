package train

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/windvane/windvane/plugins/learned"
	"github.com/windvane/windvane/sim/env"
	"github.com/windvane/windvane/sim/model"
)

// budgetEnv is the problem of the error budget for a network: in each interval loads
// and, for each objective, how far a prediction may go are drawn anew; the network sees
// both. An action that keeps to the limits is worth its value as a share of that of all
// offered load, so that every load counts the same; one that does not is worth less the
// further it goes beyond, and always less than nothing. An interval is an episode of its
// own in all but name.
type budgetEnv struct {
	lanes   int
	space   *env.Space
	loads   [][]float64 // of the table
	bound   []float64
	points  [][]float64
	latency []float32 // [point][action][service]
	value   []float32 // [point][action], as a share of that of all offered load
	actions int

	rng   rand.PCG
	at    []int32   // [lane]: point
	limit []float64 // [lane][service]: seconds
}

// Limits on the memory and the time of an environment's tables.
const (
	maxBudgetPoints = 400
	maxBudgetValues = 1 << 24
)

// newBudgetEnv is for the loads between those of the table, too: a network that was
// trained at a table's loads alone has learned nothing about those between them (on MO1
// .95 of the optimum there, .988 with them).
func newBudgetEnv(goal *Goal, table *model.Table, lanes int) (*budgetEnv, error) {
	choices, err := NewChoices(table)
	if err != nil {
		return nil, err
	}
	space, err := env.NewSpace(table.Knobs)
	if err != nil {
		return nil, err
	}
	n, actions := len(table.Services), len(choices.Grid)
	points := env.Cross(between(table.Loads, min(maxBudgetPoints, maxBudgetValues/(actions*n))))
	if len(points)*actions*n > maxBudgetValues {
		return nil, fmt.Errorf("train: %d loads x %d actions are too many to learn from a table; use fewer levels, or the policy search", len(points), actions)
	}
	e := &budgetEnv{
		lanes: lanes, space: space, loads: table.Loads, bound: goal.Bound, points: points, actions: actions,
		latency: make([]float32, 0, len(points)*actions*n), value: make([]float32, 0, len(points)*actions),
		at: make([]int32, lanes), limit: make([]float64, lanes*n),
	}
	latency, all := make([]float64, n), ones(n)
	var corners []model.Corner
	for _, offered := range points {
		corners, _ = table.Corners(corners, offered, actions)
		whole := goal.Value(offered, all, 0)
		if !(whole > 0) {
			whole = 1 // nothing is offered, or it is worth nothing
		}
		for i := range choices.Grid {
			table.Predict(latency, corners, i)
			for _, v := range latency {
				e.latency = append(e.latency, float32(v))
			}
			e.value = append(e.value, float32(goal.Value(offered, choices.Admitted[i], choices.Cost[i])/whole))
		}
	}
	return e, nil
}

func ones(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1
	}
	return out
}

// between spreads loads evenly from each service's first to its last, as many as keep
// the combinations at or below most.
func between(loads [][]float64, most int) [][]float64 {
	each := int(math.Pow(float64(most), 1/float64(len(loads))) + 1e-9)
	out := make([][]float64, len(loads))
	for s, l := range loads {
		low, high := l[0], l[len(l)-1]
		if out[s] = []float64{low}; high > low {
			steps := max(each, 2) - 1
			for i := 1; i <= steps; i++ {
				out[s] = append(out[s], low+(high-low)*float64(i)/float64(steps))
			}
		}
	}
	return out
}

func (e *budgetEnv) NumLanes() int        { return e.lanes }
func (e *budgetEnv) ObservationSize() int { return 2 * len(e.bound) }
func (e *budgetEnv) Axes() []int          { return e.space.Axes() }
func (e *budgetEnv) Final(int, []float32) {}

// Reset implements Env.
func (e *budgetEnv) Reset(seed uint64, obs []float32) error {
	if len(obs) != e.lanes*e.ObservationSize() {
		return errors.New("train: observations of another length")
	}
	e.rng.Seed(seed, streamBudget)
	e.draw(obs)
	return nil
}

// streamBudget keeps the environment's random numbers apart from others of the same seed.
const streamBudget = 0x62756467

// draw moves every lane to other loads and limits.
func (e *budgetEnv) draw(obs []float32) {
	n := len(e.bound)
	for lane := range e.lanes {
		point := int32(e.rng.Uint64() >> 32 * uint64(len(e.points)) >> 32)
		e.at[lane] = point
		limit := e.limit[lane*n:][:n]
		for s, b := range e.bound {
			u := float64(e.rng.Uint64()>>11) / (1 << 53)
			limit[s] = b * learned.MinLimit * math.Pow(learned.MaxLimit/learned.MinLimit, u)
		}
		learned.Observe(obs[lane*2*n:][:2*n], e.loads, e.bound, e.points[point], limit)
	}
}

// Step implements Env.
func (e *budgetEnv) Step(actions []int32, obs, rewards []float32, terminated, truncated []bool) error {
	axes := len(actions) / e.lanes
	clear(terminated)
	clear(truncated)
	for lane := range rewards {
		action := e.space.Flat(actions[lane*axes:][:axes])
		rewards[lane] = e.worth(int(e.at[lane]), action, e.limit[lane*len(e.bound):][:len(e.bound)])
	}
	e.draw(obs)
	return nil
}

// penaltySlope is how fast what breaks a limit gets worse.
const penaltySlope = 2

func (e *budgetEnv) worth(point, action int, limit []float64) float32 {
	row, n := point*e.actions+action, len(limit)
	excess := float32(0)
	for s, v := range e.latency[row*n:][:n] {
		excess = max(excess, v/float32(limit[s]))
	}
	if excess > 1 {
		return -min(1, penaltySlope*(excess-1))
	}
	return e.value[row]
}
