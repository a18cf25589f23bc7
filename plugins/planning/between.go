package planning

import "github.com/windvane/windvane/plugins/policy"

// mostBetween bounds the axes on which settings may lie between two of the grid: as many as the
// corners of a cube of so many dimensions are looked at.
const mostBetween = 6

// side is one of two categories of an axis, as an offset of a position in Grid, with its share.
type side struct {
	offset int
	share  float64
}

// between predicts settings that the grid does not have, as others have set them, or a policy that
// knows no grid: linearly between the nearest ones that it has. It is false, and nothing is
// predicted, for settings beyond the grid, and for routes of more than two destinations.
func (c *Case) between(out []float64, a policy.Action) bool {
	at := 0
	c.sides = c.sides[:0]
	for i, axis := range c.Axes {
		low, share, ok := bracket(axis, a)
		if !ok {
			return false
		}
		at += low * c.Stride[i]
		if share > Tiny {
			c.sides = append(c.sides, side{c.Stride[i], share})
		}
	}
	if len(c.sides) > mostBetween {
		return false
	}
	for s := range out {
		out[s] = 0
	}
	for corner := range 1 << len(c.sides) {
		share, action := 1., at
		for k, x := range c.sides {
			if corner>>k&1 == 1 {
				share, action = share*x.share, action+x.offset
			} else {
				share *= 1 - x.share
			}
		}
		for s, v := range c.Predict(action) {
			out[s] += share * v
		}
	}
	return true
}

// bracket returns the category below what an action has on an axis, and the share of the next one.
func bracket(axis policy.Axis, a policy.Action) (low int, share float64, ok bool) {
	for low, values := range axis.Values {
		v := a[axis.First].Value
		if near(v, values[0]) {
			return low, 0, near(a[axis.First+len(values)-1].Value, values[len(values)-1])
		}
		if len(values) > 2 || low+1 == len(axis.Values) {
			continue
		}
		if next := axis.Values[low+1][0]; v > values[0] && v < next {
			return low, (v - values[0]) / (next - values[0]), true
		}
	}
	return 0, 0, false
}

func near(a, b float64) bool { return a-b <= policy.Rounding && b-a <= policy.Rounding }
