package bounded

import (
	"math"
	"math/rand/v2"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/guard"
)

// mostCandidates are looked at in one cycle; where there are more, so many are drawn.
const mostCandidates = 256

const tiny = 1e-9

// candidates are the actions that the guard admits in the next cycle, with weights and
// blocking on the levels of the grid or as they are. Replicas stay: a pod takes longer to
// start than an interval.
func candidates(o policy.Observation, rng *rand.Rand) ([]policy.Action, error) {
	axes, err := policy.Axes(o.Knobs)
	if err != nil {
		return nil, err
	}
	options, size := make([][][]float64, len(axes)), 1
	for i, axis := range axes {
		options[i] = reachable(o, axis)
		size = min(size*len(options[i]), mostCandidates+1)
	}
	var out []policy.Action
	add := func(pick func(of int) int) {
		want := o.Live.Clone()
		for i, axis := range axes {
			for k, v := range options[i][pick(len(options[i]))] {
				want[axis.First+k].Value = v
			}
		}
		out = append(out, guard.Limit(o, want).Action)
	}
	if size > mostCandidates {
		for range mostCandidates {
			add(rng.IntN)
		}
		return out, nil
	}
	for n := range size {
		add(func(of int) int {
			at := n % of
			n /= of
			return at
		})
	}
	return out, nil
}

// reachable are the values of an axis that are one cycle away, the live ones first. Where the
// step is smaller than a level, these are the nearest levels, and the guard shortens the way.
func reachable(o policy.Observation, axis policy.Axis) [][]float64 {
	kind := o.Knobs[axis.First].Kind
	live := o.Live.Values()[axis.First : axis.First+len(axis.Values[0])]
	out := [][]float64{live}
	if kind == policy.Replicas {
		return out
	}
	nearest := math.Inf(1)
	for _, v := range axis.Values {
		if d := furthest(v, live); d > tiny {
			nearest = math.Min(nearest, d)
		}
	}
	for _, v := range axis.Values {
		d := furthest(v, live)
		if d > tiny && (d <= math.Max(o.Limits.MaxStep, nearest)+tiny || kind == policy.Blocking && v[0] > live[0]) {
			out = append(out, v)
		}
	}
	return out
}

// furthest is the largest difference of two settings.
func furthest(a, b []float64) float64 {
	d := 0.0
	for i := range a {
		d = math.Max(d, math.Abs(a[i]-b[i]))
	}
	return d
}
