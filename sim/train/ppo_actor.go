package train

import "github.com/windvane/windvane/sim/nn"

// Actor is a trained policy: the most probable category on each axis.
type Actor struct {
	Net  *nn.Net // the logits of all axes, one after the other, for a centred observation
	Axes []int

	buffers *nn.Buffers
	x       []float32
}

// Actor returns a copy of the policy as it is now.
func (p *PPO) Actor() *Actor {
	return &Actor{
		Net: p.policy.Clone(), Axes: p.axes,
		buffers: p.policy.NewBuffers(1), x: make([]float32, p.policy.Inputs()),
	}
}

// Choose writes the choice for one observation, as an environment gives it.
func (a *Actor) Choose(obs []float32, choice []int32) {
	copy(a.x, obs)
	center(a.x)
	logits := a.Net.Forward(a.buffers, a.x)
	for axis, n := range a.Axes {
		best := 0
		for c, v := range logits[:n] {
			if v > logits[best] {
				best = c
			}
		}
		choice[axis], logits = int32(best), logits[n:]
	}
}
