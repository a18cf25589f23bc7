package train

// joint presents neighbouring axes as one, as long as they have no more than jointMost
// categories together. Axes that are chosen independently cannot agree on a change that
// only pays when it is made together (one replica less, and all requests to the other
// node), and never learn it; a common one can.
type joint struct {
	Env
	sizes   []int // of the axes of Env
	groups  []int // axes of Env in each joint one
	axes    []int
	actions []int32 // of Env
}

// jointMost bounds the categories of a joint axis, and so the width of a network's output.
const jointMost = 64

func newJoint(e Env) *joint {
	j := &joint{Env: e, sizes: e.Axes()}
	for i, n := range j.sizes {
		if last := len(j.axes) - 1; i > 0 && j.axes[last]*n <= jointMost {
			j.axes[last] *= n
			j.groups[last]++
			continue
		}
		j.axes, j.groups = append(j.axes, n), append(j.groups, 1)
	}
	j.actions = make([]int32, e.NumLanes()*len(j.sizes))
	return j
}

// Axes implements Env.
func (j *joint) Axes() []int { return append([]int(nil), j.axes...) }

// Step implements Env.
func (j *joint) Step(actions []int32, obs, rewards []float32, terminated, truncated []bool) error {
	for lane := range j.NumLanes() {
		j.split(actions[lane*len(j.axes):][:len(j.axes)], j.actions[lane*len(j.sizes):][:len(j.sizes)])
	}
	return j.Env.Step(j.actions, obs, rewards, terminated, truncated)
}

// split writes the categories that joint ones stand for, the last axis varying fastest.
func (j *joint) split(choice, to []int32) {
	end := 0
	for g, n := range j.groups {
		c := choice[g]
		end += n
		for axis := end - 1; axis >= end-n; axis-- {
			to[axis] = c % int32(j.sizes[axis])
			c /= int32(j.sizes[axis])
		}
	}
}
