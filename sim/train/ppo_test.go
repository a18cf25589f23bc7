package train

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

// toy is a problem of 16 cells: 4 states, drawn anew in each step, in which two axes of
// 4 categories have to agree on what the state asks for. Where chain is set it is
// sequential instead: the state is a position that the action moves, and only the last
// position is worth something.
type toy struct {
	lanes   int
	state   []int
	seed    uint64
	chain   bool
	horizon int // of the chain, in steps
	age     []int
	final   []float32
}

func newToy(lanes int) *toy {
	return &toy{lanes: lanes, state: make([]int, lanes), age: make([]int, lanes), final: make([]float32, lanes)}
}

func (e *toy) NumLanes() int        { return e.lanes }
func (e *toy) ObservationSize() int { return 1 }
func (e *toy) Axes() []int {
	if e.chain {
		return []int{3}
	}
	return []int{4, 4}
}

func (e *toy) draw() int {
	e.seed = e.seed*6364136223846793005 + 1442695040888963407
	return int(e.seed >> 62)
}

func (e *toy) observe(obs []float32) {
	for lane, s := range e.state {
		obs[lane] = float32(s) / 3
	}
}

func (e *toy) Reset(seed uint64, obs []float32) error {
	e.seed = seed
	for lane := range e.state {
		e.state[lane], e.age[lane] = e.draw(), 0
	}
	e.observe(obs)
	return nil
}

// worth is 1 where both axes are right, and misleads: each alone is worth less than a
// category that is never right.
func (e *toy) worth(state int, a []int32) float32 {
	best := (state + 1) % 4
	switch {
	case int(a[0]) == best && int(a[1]) == best:
		return 1
	case int(a[0]) == state && int(a[1]) == state:
		return .5
	}
	return .1 * float32(a[0]+a[1]) / 6
}

func (e *toy) Step(actions []int32, obs, rewards []float32, terminated, truncated []bool) error {
	clear(terminated)
	clear(truncated)
	for lane, s := range e.state {
		if !e.chain {
			rewards[lane] = e.worth(s, actions[2*lane:][:2])
			e.state[lane] = e.draw()
			continue
		}
		s = max(0, min(3, s+int(actions[lane])-1))
		rewards[lane] = float32(s / 3)
		e.state[lane] = s
		if e.age[lane]++; e.age[lane] == e.horizon {
			truncated[lane] = true
			e.final[lane] = float32(s) / 3
			e.state[lane], e.age[lane] = e.draw(), 0
		}
	}
	e.observe(obs)
	return nil
}

func (e *toy) Final(lane int, obs []float32) { obs[0] = e.final[lane] }

// share is what the greedy policy gets of the optimum over the states.
func (e *toy) share(p *PPO) float64 {
	got := 0.
	for s := range 4 {
		obs := []float32{float32(s) / 3}
		var a [2]int32
		p.Actor().Choose(obs, a[:])
		got += float64(e.worth(s, a[:])) / 4
	}
	return got
}

func toyParams() PPOParams {
	p := DefaultPPO()
	p.Steps, p.Rollout, p.Minibatch, p.Epochs, p.Entropy = 16_000, 16, 64, 4, 1
	return p
}

func run(t *testing.T, e Env, params PPOParams, seed uint64) *PPO {
	t.Helper()
	p, err := NewPPO(e, params, seed)
	if err != nil {
		t.Fatal(err)
	}
	for !p.Done() {
		if err := p.Step(); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestPPOLearnsSixteenCells(t *testing.T) {
	for seed := range uint64(5) {
		e := newToy(16)
		if got := e.share(run(t, e, toyParams(), seed+1)); got < .97 {
			t.Errorf("seed %d: %.3f of the optimum after %d steps", seed+1, got, toyParams().Steps)
		}
	}
}

// Only who looks ahead walks towards what is worth something.
func TestPPOLooksAhead(t *testing.T) {
	e := newToy(16)
	e.chain, e.horizon = true, 8
	params := SequentialPPO()
	params.Steps, params.Rollout, params.Minibatch = 16_000, 32, 128
	p := run(t, e, params, 1)
	for s := range 3 {
		var a [1]int32
		p.Actor().Choose([]float32{float32(s) / 3}, a[:])
		if a[0] != 2 {
			t.Errorf("at %d the policy goes by %d, want 1", s, a[0]-1)
		}
	}
}

func TestPPOIsDeterministic(t *testing.T) {
	params := toyParams()
	params.Steps = 2000
	encode := func(seed uint64) []byte {
		b, err := run(t, newToy(8), params, seed).Actor().Net.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a := encode(7)
	if !bytes.Equal(a, encode(7)) {
		t.Error("the same seed gave other weights")
	}
	if bytes.Equal(a, encode(8)) {
		t.Error("another seed gave the same weights")
	}
}

func TestPPODoesNotAllocate(t *testing.T) {
	e := newToy(8)
	e.chain, e.horizon = true, 3
	p, err := NewPPO(e, SequentialPPO(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(3, func() {
		if err := p.Step(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a rollout", n)
	}
}

// An episode that was cut goes on with the value of where it was cut; one that ended
// does not, and neither hears of what came after it.
func TestTruncationBootstrapsAndTerminationDoesNot(t *testing.T) {
	r := newTransitions(3, 3, 1, 1)
	for i := range r.rewards {
		r.rewards[i], r.values[i] = 1, 10
	}
	copy(r.lastValue, []float32{20, 20, 20})
	const middle = 1 * 3
	r.truncated[middle+1], r.finalValue[middle+1] = true, 100
	r.terminated[middle+2] = true
	const gamma, lambda = .5, .5
	r.advantages(gamma, lambda)
	last := 1 + gamma*20 - 10.
	want := []float64{
		// Step 0, of the lane that goes on, the one that was cut, the one that ended.
		(1 + gamma*10 - 10) + gamma*lambda*((1+gamma*10-10)+gamma*lambda*last),
		(1 + gamma*10 - 10) + gamma*lambda*(1+gamma*100-10),
		(1 + gamma*10 - 10) + gamma*lambda*(1-10),
		(1 + gamma*10 - 10) + gamma*lambda*last,
		1 + gamma*100 - 10,
		1 - 10,
		last, last, last,
	}
	for i, w := range want {
		if math.Abs(float64(r.advantage[i])-w) > 1e-5 || math.Abs(float64(r.returns[i])-w-10) > 1e-5 {
			t.Errorf("step %d, lane %d: advantage %v, return %v, want %v, %v", i/3, i%3, r.advantage[i], r.returns[i], w, w+10)
		}
	}
}

// The gradient of the clipped objective is the one of finite differences.
func TestSurrogateGradient(t *testing.T) {
	p, err := NewPPO(newToy(2), toyParams(), 1)
	if err != nil {
		t.Fatal(err)
	}
	logits := []float32{.3, -1, .2, .7, 1.5, 0, -.4, .1}
	r := &p.roll
	r.actions[0], r.actions[1] = 2, 0
	const bonus, h = .3, 1e-3
	for _, tt := range []struct{ logp, advantage float32 }{{-2.2, 1}, {-2.2, -1}, {-6, 1}, {-6, -1}, {-.5, 1}, {-.5, -1}} {
		r.logp[0], r.advantage[0] = tt.logp, tt.advantage
		loss := func(z []float32) float64 {
			logp, entropy := 0., 0.
			for axis := range 2 {
				q := make([]float32, 4)
				softmax(q, z[4*axis:][:4])
				logp += math.Log(float64(q[r.actions[axis]]))
				for _, v := range q {
					entropy -= float64(v) * math.Log(float64(v))
				}
			}
			ratio, a := math.Exp(logp-float64(tt.logp)), float64(tt.advantage)
			clipped := math.Max(1-p.params.Clip, math.Min(1+p.params.Clip, ratio))
			return -math.Min(ratio*a, clipped*a) - bonus*entropy
		}
		got := slices.Clone(logits)
		p.surrogate(got, 0, bonus, 1)
		for i := range logits {
			z := slices.Clone(logits)
			z[i] += h
			up := loss(z)
			z[i] -= 2 * h
			if want := (up - loss(z)) / (2 * h); math.Abs(float64(got[i])-want) > 2e-3*(1+math.Abs(want)) {
				t.Errorf("%+v: gradient %d is %v, want %v", tt, i, got[i], want)
			}
		}
	}
}
