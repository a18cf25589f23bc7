package train

import "github.com/windvane/windvane/sim/nn"

// Actor is a trained policy: the most probable category on each axis.
type Actor struct {
	Net  *nn.Net // the logits of all axes, one after the other
	Axes []int

	buffers *nn.Buffers
}

// Actor returns a copy of the policy as it is now, for observations as an environment
// gives them.
func (p *PPO) Actor() *Actor {
	net := p.policy.Clone()
	net.Absorb(2*centred, -centred)
	return &Actor{Net: net, Axes: p.axes, buffers: net.NewBuffers(1)}
}

// Choose writes the choice for one observation.
func (a *Actor) Choose(obs []float32, choice []int32) {
	logits := a.Net.Forward(a.buffers, obs)
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
