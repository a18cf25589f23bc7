package train

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/windvane/windvane/sim/nn"
)

// Env is what PPO learns in: copies ("lanes") of one problem that are stepped at once.
// sim/env has the one of a mesh and states the contract.
type Env interface {
	NumLanes() int
	ObservationSize() int
	Axes() []int // categories of each axis of an action
	Reset(seed uint64, obs []float32) error
	Step(actions []int32, obs, rewards []float32, terminated, truncated []bool) error
	Final(lane int, obs []float32) // the last observation of the episode that just ended
}

// PPOParams are all constants of PPO. Those that no paper states were chosen on MO1
// with seeds that are not reported anywhere (see DefaultPPO).
type PPOParams struct {
	Steps     int // transitions in all
	Rollout   int // transitions of each lane between two updates
	Epochs    int // passes over them
	Minibatch int
	Hidden    []int // units of the hidden layers, of policy and value alike

	Gamma  float64 // discount
	Lambda float64 // of the advantage estimate, Schulman et al. 2016
	Clip   float64 // of the probability ratio, Schulman et al. 2017

	Rate       float64 // of Adam; it falls to zero linearly
	ValueRate  float64
	MaxNorm    float64 // of a gradient
	Entropy    float64 // weight of the entropy bonus at the start …
	EntropyEnd float64 // … and from the share EntropyBy of the steps on; linear between
	EntropyBy  float64
}

// DefaultPPO are the constants for problems in which an action matters for its own
// interval only: there is nothing to discount, so that a reward is its own return and
// the value is only a baseline. Chosen on MO1 with seeds from 1000: small minibatches
// (512 instead of 128 stay with one action for all loads), and an entropy bonus that
// stands against advantages of deviation 1 for long (.02 instead of .2 does the same),
// matter most.
func DefaultPPO() PPOParams {
	return PPOParams{
		Steps: 300_000, Rollout: 16, Epochs: 3, Minibatch: 128, Hidden: []int{64, 64},
		Gamma: 0, Lambda: .95, Clip: .2,
		Rate: 3e-3, ValueRate: 3e-3, MaxNorm: .5,
		Entropy: .2, EntropyEnd: 0, EntropyBy: .8,
	}
}

// SequentialPPO are the constants for problems in which an action has consequences:
// step limits and delays of a few intervals. What a step costs or gains is over when the
// load has moved on, so that a discount that looks some three intervals ahead is right
// for loads that stay about that long; .9 is as good in the best of seeds, and loses 1 to
// 2 % in the others.
func SequentialPPO() PPOParams {
	p := DefaultPPO()
	p.Gamma, p.Steps = .7, 500_000
	return p
}

// Lanes is the number of lanes that the constants were chosen for.
const Lanes = 128

// PPO is proximal policy optimisation (Schulman et al. 2017) with a categorical choice
// on each axis, independent given the observation. It is written to be read from top
// to bottom; `for !p.Done() { err = p.Step() }` is a training. The same environment,
// constants and seed give the same bits.
type PPO struct {
	params PPOParams
	env    Env
	seed   uint64
	axes   []int
	done   int // transitions so far
	rng    *rand.PCG

	policy, value *nn.Net
	policyAdam    *nn.Adam
	valueAdam     *nn.Adam
	scale         rewardScale

	roll  transitions
	batch minibatch
}

// NewPPO starts a training: networks, environment and random numbers are all of the
// seed.
func NewPPO(e Env, params PPOParams, seed uint64) (*PPO, error) {
	axes, lanes := e.Axes(), e.NumLanes()
	outputs := 0
	for _, n := range axes {
		outputs += n
	}
	if outputs == 0 || lanes < 1 || params.Rollout < 1 || params.Epochs < 1 || params.Minibatch < 1 || params.Steps < 1 {
		return nil, errors.New("ppo: steps, rollout, epochs, minibatch, lanes and axes must all be at least 1")
	}
	p := &PPO{params: params, env: e, seed: seed, axes: axes, rng: rand.NewPCG(seed, streamPPO)}
	sizes := slices.Concat([]int{e.ObservationSize()}, params.Hidden)
	p.policy = nn.New(append(slices.Clip(sizes), outputs)...)
	p.value = nn.New(append(slices.Clip(sizes), 1)...)
	rng := rand.New(p.rng)
	p.policy.Orthogonal(rng, .01)
	p.value.Orthogonal(rng, 1)
	p.policyAdam, p.valueAdam = nn.NewAdam(len(p.policy.Params())), nn.NewAdam(len(p.value.Params()))
	p.scale = newRewardScale(params.Gamma, lanes)
	p.roll = newTransitions(params.Rollout, lanes, e.ObservationSize(), len(axes))
	p.batch = newMinibatch(p, min(params.Minibatch, params.Rollout*lanes))
	return p, p.begin()
}

// begin starts the environment anew, with random numbers of its own for each place in
// the training.
func (p *PPO) begin() error {
	if err := p.env.Reset(p.seed+uint64(p.done), p.roll.next); err != nil {
		return fmt.Errorf("ppo: %w", err)
	}
	center(p.roll.next)
	return nil
}

// streamPPO keeps the learner's random numbers apart from others of the same seed.
const streamPPO = 0x70706f

// Done reports whether all transitions were taken.
func (p *PPO) Done() bool { return p.done >= p.params.Steps }

// Taken is the number of transitions so far.
func (p *PPO) Taken() int { return p.done }

// Step takes one rollout and learns from it.
func (p *PPO) Step() error {
	if p.params.Gamma == 0 {
		// Nothing carries over, so that a training can be resumed here without a trace.
		if err := p.begin(); err != nil {
			return err
		}
	}
	if err := p.collect(); err != nil {
		return fmt.Errorf("ppo: %w", err)
	}
	p.assess()
	left := 1 - float64(p.done)/float64(p.params.Steps)
	bonus := p.params.EntropyEnd
	if by := p.params.EntropyBy; by > 0 && 1-left < by {
		bonus += (p.params.Entropy - p.params.EntropyEnd) * (1 - (1-left)/by)
	}
	for i := range p.roll.order {
		p.roll.order[i] = int32(i)
	}
	for range p.params.Epochs {
		p.roll.shuffle(p.rng)
		for at := 0; at < len(p.roll.order); at += p.batch.size {
			p.learn(p.roll.order[at:min(at+p.batch.size, len(p.roll.order))], bonus, max(left, 0))
		}
	}
	p.done += p.params.Rollout * p.env.NumLanes()
	return nil
}

// collect plays the policy.
func (p *PPO) collect() error {
	r := &p.roll
	for t := range r.steps {
		obs := r.obs[t*r.lanes*r.size:][:r.lanes*r.size]
		copy(obs, r.next)
		logits := p.policy.Forward(p.batch.policy, obs)
		actions := r.actions[t*r.lanes*r.axes:][:r.lanes*r.axes]
		p.sample(logits, actions, r.logp[t*r.lanes:][:r.lanes])
		rewards := r.rewards[t*r.lanes:][:r.lanes]
		truncated, terminated := r.truncated[t*r.lanes:][:r.lanes], r.terminated[t*r.lanes:][:r.lanes]
		if err := p.env.Step(actions, r.next, rewards, terminated, truncated); err != nil {
			return err
		}
		center(r.next)
		p.scale.apply(rewards, terminated, truncated)
		if p.params.Gamma > 0 {
			p.bootstrap(t, truncated)
		}
	}
	return nil
}

// bootstrap values where truncated episodes were cut: they would have gone on. An
// episode that terminated has no future.
func (p *PPO) bootstrap(t int, truncated []bool) {
	r, n := &p.roll, 0
	for lane, cut := range truncated {
		if cut {
			p.env.Final(lane, r.final[n*r.size:][:r.size])
			r.cut[n] = lane
			n++
		}
	}
	if n == 0 {
		return
	}
	center(r.final[:n*r.size])
	for i, v := range p.value.Forward(p.batch.value, r.final[:n*r.size]) {
		r.finalValue[t*r.lanes+r.cut[i]] = v
	}
}

// sample draws an action for each row of logits, and writes the logarithm of its
// probability.
func (p *PPO) sample(logits []float32, actions []int32, logp []float32) {
	for i := range logp {
		sum := 0.
		for _, n := range p.axes {
			probability := p.batch.probability[:n]
			whole := softmax(probability, logits[:n])
			u, c := float32(p.rng.Uint64()>>40)/(1<<24), 0
			for ; c < n-1 && u >= probability[c]; c++ {
				u -= probability[c]
			}
			actions[0] = int32(c)
			sum += float64(logits[c] - whole)
			actions, logits = actions[1:], logits[n:]
		}
		logp[i] = float32(sum)
	}
}

// assess estimates advantages and returns of the rollout, and normalises the former.
func (p *PPO) assess() {
	r := &p.roll
	for at := 0; at < len(r.values); at += p.batch.rows {
		n := min(p.batch.rows, len(r.values)-at)
		copy(r.values[at:], p.value.Forward(p.batch.value, r.obs[at*r.size:][:n*r.size]))
	}
	if p.params.Gamma > 0 {
		copy(r.lastValue, p.value.Forward(p.batch.value, r.next))
	}
	r.advantages(p.params.Gamma, p.params.Lambda)
	normalise(r.advantage)
}

// learn takes one step of both networks down the gradient of the clipped objective,
// on the given transitions.
func (p *PPO) learn(rows []int32, bonus, left float64) {
	b, r := &p.batch, &p.roll
	x := b.obs[:len(rows)*r.size]
	for i, row := range rows {
		copy(x[i*r.size:][:r.size], r.obs[int(row)*r.size:])
	}
	logits := p.policy.Forward(b.policy, x)
	outputs := p.policy.Outputs()
	for i, row := range rows {
		p.surrogate(logits[i*outputs:][:outputs], int(row), bonus, 1/float64(len(rows)))
	}
	p.policy.Backward(b.policy, logits, b.policyGradient)
	nn.Clip(p.params.MaxNorm, b.policyGradient)
	p.policyAdam.Step(p.policy.Params(), b.policyGradient, p.params.Rate*left)

	values := p.value.Forward(b.value, x)
	for i, row := range rows {
		values[i] = (values[i] - r.returns[row]) / float32(len(rows))
	}
	p.value.Backward(b.value, values, b.valueGradient)
	nn.Clip(p.params.MaxNorm, b.valueGradient)
	p.valueAdam.Step(p.value.Params(), b.valueGradient, p.params.ValueRate*left)
}

// surrogate replaces the logits of one transition by the gradient of
//
//	-min(ratio A, clip(ratio) A) - bonus entropy
//
// times weight. ratio is the probability of the action now over what it was.
func (p *PPO) surrogate(logits []float32, row int, bonus, weight float64) {
	r, probability := &p.roll, p.batch.probability[:len(logits)]
	actions := r.actions[row*r.axes:][:r.axes]
	sum, at := 0., 0
	for axis, n := range p.axes {
		z := logits[at : at+n]
		whole := softmax(probability[at:at+n], z)
		sum += float64(z[actions[axis]] - whole)
		for c := range z {
			z[c] -= whole // now the logarithm of the probability
		}
		at += n
	}
	ratio, advantage := math.Exp(sum-float64(r.logp[row])), float64(r.advantage[row])
	push := float32(-advantage * ratio * weight)
	if advantage > 0 && ratio > 1+p.params.Clip || advantage < 0 && ratio < 1-p.params.Clip {
		push = 0 // the clipped objective is flat there
	}
	spread := float32(bonus * weight)
	at = 0
	for axis, n := range p.axes {
		z, entropy := logits[at:at+n], float32(0)
		for c, q := range probability[at : at+n] {
			entropy -= q * z[c]
		}
		for c, q := range probability[at : at+n] {
			z[c] = q * (spread*(z[c]+entropy) - push)
		}
		z[actions[axis]] += push
		at += n
	}
}

// softmax writes the probabilities of logits, and returns the logarithm of the sum of
// their exponentials: a logit less it is the logarithm of its probability.
func softmax(to, logits []float32) float32 {
	most := logits[0]
	for _, v := range logits[1:] {
		most = max(most, v)
	}
	sum := float32(0)
	for i, v := range logits {
		e := float32(math.Exp(float64(v - most)))
		to[i] = e
		sum += e
	}
	for i := range to {
		to[i] /= sum
	}
	return most + float32(math.Log(float64(sum)))
}
