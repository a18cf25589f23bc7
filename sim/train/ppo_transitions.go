package train

import (
	"math"
	"math/rand/v2"

	"github.com/windvane/windvane/sim/nn"
)

// transitions are those between two updates, [step][lane], and what is known of
// them.
type transitions struct {
	steps, lanes, size, axes int

	obs        []float32 // centred
	actions    []int32
	logp       []float32 // of the action when it was taken
	rewards    []float32 // scaled
	terminated []bool
	truncated  []bool

	values     []float32
	finalValue []float32 // where truncated: of the observation that the episode was cut at
	lastValue  []float32 // [lane]: of the observation after the last step
	advantage  []float32
	returns    []float32

	next  []float32 // the observations to act on
	final []float32 // [cut]
	cut   []int     // lanes
	order []int32   // of the transitions in an epoch
}

func newTransitions(steps, lanes, size, axes int) transitions {
	n := steps * lanes
	return transitions{
		steps: steps, lanes: lanes, size: size, axes: axes,
		obs: make([]float32, n*size), actions: make([]int32, n*axes), logp: make([]float32, n), rewards: make([]float32, n),
		terminated: make([]bool, n), truncated: make([]bool, n),
		values: make([]float32, n), finalValue: make([]float32, n), lastValue: make([]float32, lanes),
		advantage: make([]float32, n), returns: make([]float32, n),
		next: make([]float32, lanes*size), final: make([]float32, lanes*size), cut: make([]int, lanes), order: make([]int32, n),
	}
}

// advantages are generalised advantage estimates (Schulman et al. 2016); the returns
// are what the values should have been. Where an episode terminated there is nothing
// to come; where it was truncated, what would have come is the value of where it was.
func (r *transitions) advantages(gamma, lambda float64) {
	g, decay := float32(gamma), float32(gamma*lambda)
	for lane := range r.lanes {
		next, ahead := r.lastValue[lane], float32(0)
		for t := r.steps - 1; t >= 0; t-- {
			i := t*r.lanes + lane
			switch {
			case r.terminated[i]:
				next, ahead = 0, 0
			case r.truncated[i]:
				next, ahead = r.finalValue[i], 0
			}
			ahead = r.rewards[i] + g*next - r.values[i] + decay*ahead
			next = r.values[i]
			r.advantage[i], r.returns[i] = ahead, ahead+r.values[i]
		}
	}
}

// shuffle is Fisher and Yates's, as rand.Shuffle is, without its closure.
func (r *transitions) shuffle(rng *rand.PCG) {
	for i := len(r.order) - 1; i > 0; i-- {
		j := int(rng.Uint64() >> 32 * uint64(i+1) >> 32)
		r.order[i], r.order[j] = r.order[j], r.order[i]
	}
}

// minibatch are the buffers of one update.
type minibatch struct {
	size           int // of a minibatch
	rows           int // that a network is asked for at once, at most
	obs            []float32
	policy, value  *nn.Buffers
	policyGradient []float32
	valueGradient  []float32
	probability    []float32 // of one row
}

func newMinibatch(p *PPO, size int) minibatch {
	rows := max(size, p.roll.lanes)
	return minibatch{
		size: size, rows: rows, obs: make([]float32, size*p.roll.size),
		policy: p.policy.NewBuffers(rows), value: p.value.NewBuffers(rows),
		policyGradient: make([]float32, len(p.policy.Params())), valueGradient: make([]float32, len(p.value.Params())),
		probability: make([]float32, p.policy.Outputs()),
	}
}

// centred is how far from 0 what a network sees goes: from [-1, 1] a network of tanh
// takes several times as long to tell neighbouring loads apart.
const centred = 3

// center moves observations, which an environment gives within [0, 1].
func center(obs []float32) {
	for i, v := range obs {
		obs[i] = centred * (2*v - 1)
	}
}

// normalise makes the mean 0 and the standard deviation 1.
func normalise(v []float32) {
	mean, square := 0., 0.
	for _, x := range v {
		mean += float64(x)
		square += float64(x) * float64(x)
	}
	mean /= float64(len(v))
	deviation := math.Sqrt(math.Max(0, square/float64(len(v))-mean*mean)) + 1e-8
	m, s := float32(mean), float32(1/deviation)
	for i, x := range v {
		v[i] = (x - m) * s
	}
}

// rewardScale divides rewards by the running standard deviation of the discounted
// return (Engstrom et al. 2020), so that the value's learning rate suits any unit of
// reward.
type rewardScale struct {
	Gamma               float64
	Ahead               []float64 // [lane]: discounted return so far
	Count, Mean, Spread float64   // Welford's: Spread is the sum of squared deviations
}

func newRewardScale(gamma float64, lanes int) rewardScale {
	return rewardScale{Gamma: gamma, Ahead: make([]float64, lanes)}
}

func (s *rewardScale) apply(rewards []float32, terminated, truncated []bool) {
	for lane, v := range rewards {
		s.Ahead[lane] = s.Gamma*s.Ahead[lane] + float64(v)
		s.Count++
		d := s.Ahead[lane] - s.Mean
		s.Mean += d / s.Count
		s.Spread += d * (s.Ahead[lane] - s.Mean)
		if terminated[lane] || truncated[lane] {
			s.Ahead[lane] = 0
		}
	}
	scale := float32(1 / (math.Sqrt(s.Spread/s.Count) + 1e-8))
	for lane := range rewards {
		rewards[lane] *= scale
	}
}
