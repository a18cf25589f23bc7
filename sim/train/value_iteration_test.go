package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/env"
)

// levels is a space of blockings with so many levels each.
func levels(t *testing.T, of ...int) *env.Space {
	t.Helper()
	var knobs []policy.Knob
	for i, n := range of {
		name := string(rune('a' + i))
		knobs = append(knobs, policy.Knob{KnobID: policy.KnobID{Kind: policy.Blocking, Target: name}, Service: name, Max: 1, Levels: n})
	}
	s, err := env.NewSpace(knobs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func chain(t *testing.T, rows ...[]env.Jump) *env.Chain {
	t.Helper()
	points := make([][]float64, len(rows))
	for i := range points {
		points[i] = []float64{float64(i)}
	}
	c, err := env.NewChain(points, rows)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func plan(t *testing.T, s *Sequential) *Plan {
	t.Helper()
	p, err := ValueIteration(s, 1e-9)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// swap goes from each of two points to the other.
func swap(t *testing.T) *env.Chain {
	return chain(t, []env.Jump{{To: 1, P: 1}}, []env.Jump{{To: 0, P: 1}})
}

func values(t *testing.T, got []float64, want ...float64) {
	t.Helper()
	for i, v := range want {
		if math.Abs(got[i]-v) > 1e-6 {
			t.Errorf("state %d is worth %v, want %v", i, got[i], v)
		}
	}
}

// A mountain car of three levels. At A level 0 earns 1, at B level 2 earns 3, and an
// interval moves one level. Who looks ahead gives up the 1 and stays near 2: by hand,
// with d for the discount, B is worth 3/(1-d^2) from level 1 or 2, A d times that from
// any level, and B from level 0, which is too far off, d times A.
func TestValueIterationLooksAhead(t *testing.T) {
	space := levels(t, 3)
	s := &Sequential{
		Chain: swap(t), Space: space, Limiter: env.NewLimiter(space, 1, false), Discount: .9,
		Rewards: []float32{1, 0, 0 /* at A */, 0, 0, 3 /* at B */},
	}
	p := plan(t, s)
	b := 3 / (1 - .81)
	values(t, p.Value, .9*b, .9*b, .9*b, .81*b, b, b)
	for state, want := range []int32{1, 1, 1, 0, 2, 2} { // of equal actions the first
		if p.Next[state] != want {
			t.Errorf("state %d: level %d, want %d", state, p.Next[state], want)
		}
	}
	if got := mean(t, s, p); math.Abs(got-1.5) > 1e-9 {
		t.Errorf("mean reward %v, want 1.5", got)
	}
	// Who does not look ahead stays at level 0 and earns the 1.
	short, err := Myopic(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := mean(t, s, short); math.Abs(got-.5) > 1e-9 {
		t.Errorf("myopic: mean reward %v, want .5", got)
	}
}

func mean(t *testing.T, s *Sequential, p *Plan) float64 {
	t.Helper()
	m, err := s.Mean(p, 0, 10, 100)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// With a delay of one interval and nothing else, the best action is the one for the
// load that comes next.
func TestValueIterationForesees(t *testing.T) {
	space := levels(t, 2)
	s := &Sequential{
		Chain: swap(t), Space: space, Limiter: env.NewLimiter(space, 0, false), Discount: .5, Delay: 1,
		Rewards: []float32{1, 0, 0, 4},
	}
	p := plan(t, s)
	// From A: 4 for B, then 1 for A, halved each time: 4 + .5*1 + .25*4 … = 4.5/(1-.25) = 6.
	values(t, p.Value, 6, 6, 4, 4)
	if p.Next[0] != 1 || p.Next[1] != 1 || p.Next[2] != 0 || p.Next[3] != 0 {
		t.Errorf("plan %v", p.Next)
	}
	if got := mean(t, s, p); math.Abs(got-2.5) > 1e-9 {
		t.Errorf("mean reward %v, want 2.5", got)
	}
	short, err := Myopic(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := mean(t, s, short); got != 0 {
		t.Errorf("myopic: mean reward %v, want 0: always too late", got)
	}
}

// Two points, left with a chance of .25 and .5. By hand: V = r + d P V.
func TestValueIterationOverChance(t *testing.T) {
	space := levels(t, 2)
	s := &Sequential{
		Chain: chain(t, []env.Jump{{To: 0, P: .75}, {To: 1, P: .25}}, []env.Jump{{To: 0, P: .5}, {To: 1, P: .5}}),
		Space: space, Limiter: env.NewLimiter(space, 0, false), Discount: .8,
		Rewards: []float32{2, 1, 0, 5},
	}
	p := plan(t, s)
	// (1-.6) A - .2 B = 2, (1-.4) B - .4 A = 5.
	det := .4*.6 - .2*.4
	a, b := (2*.6+.2*5)/det, (.4*5+.4*2)/det
	values(t, p.Value, a, a, b, b)
	// Two thirds of the time at A.
	m, err := s.Mean(p, 0, 200, 50)
	if err != nil || math.Abs(m-(2./3*2+1./3*5)) > 1e-9 {
		t.Errorf("mean reward %v, %v, want 3", m, err)
	}
}

// The delay is folded into the reward. Here it is not: naive value iteration over the
// load, the commanded action and what is in the pipeline, on random problems.
func TestValueIterationAgreesWithTheFullState(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for round := range 12 {
		space, points := levels(t, 3, 2), 3
		rows := make([][]env.Jump, points)
		for i := range rows {
			p := rng.Float64()
			rows[i] = []env.Jump{{To: int32((i + 1) % points), P: p}, {To: int32(i), P: 1 - p}}
		}
		s := &Sequential{
			Chain: chain(t, rows...), Space: space, Limiter: env.NewLimiter(space, round%2, false), Delay: round % 3, Discount: .7,
		}
		for range points * space.Len() {
			s.Rewards = append(s.Rewards, rng.Float32())
		}
		p := plan(t, s)
		full := newNaive(s)
		for range 80 {
			full.sweep()
		}
		for state := range p.Value {
			point, last := state/space.Len(), state%space.Len()
			// What is in the pipeline already: the same action all along.
			inFlight, ahead := 0., 1.
			for k := range s.Delay {
				inFlight += ahead * s.ahead(k)[point*space.Len()+last]
				ahead *= s.Discount
			}
			if want, got := full.of(point, last), inFlight+ahead*p.Value[state]; math.Abs(got-want) > 1e-6 {
				t.Fatalf("round %d: state %d is worth %v, want %v", round, state, got, want)
			}
		}
	}
}

// naive has a state for each point and pipeline.
type naive struct {
	s         *Sequential
	pipelines int
	value     []float64 // [point][pipeline], the newest action the last digit
}

func newNaive(s *Sequential) *naive {
	n := &naive{s: s, pipelines: 1}
	for range max(s.Delay, 1) {
		n.pipelines *= s.Space.Len()
	}
	n.value = make([]float64, len(s.Chain.Points())*n.pipelines)
	return n
}

// of is the worth of a pipeline that is full of one action.
func (n *naive) of(point, action int) float64 {
	at := 0
	for range max(n.s.Delay, 1) {
		at = at*n.s.Space.Len() + action
	}
	return n.value[point*n.pipelines+at]
}

func (n *naive) sweep() {
	s, size := n.s, n.s.Space.Len()
	next := make([]float64, len(n.value))
	axes := len(s.Space.Axes())
	from, to := make([]int32, axes), make([]int32, axes)
	for state := range n.value {
		point, pipeline := state/n.pipelines, state%n.pipelines
		oldest := pipeline / (n.pipelines / size)
		s.Space.Choice(pipeline%size, from)
		next[state] = math.Inf(-1)
		for action := range size {
			s.Space.Choice(action, to)
			for axis := range to {
				to[axis] = s.Limiter.Move(axis, from[axis], to[axis])
			}
			command := s.Space.Flat(to)
			live := oldest
			if s.Delay == 0 {
				live = command
			}
			v := float64(s.Rewards[point*size+live])
			for _, j := range s.Chain.Row(point) {
				v += s.Discount * j.P * n.value[int(j.To)*n.pipelines+(pipeline*size+command)%n.pipelines]
			}
			next[state] = math.Max(next[state], v)
		}
	}
	n.value = next
}

// A plan that is followed in the simulator earns what Mean says.
func TestMeanIsWhatTheSimulatorPays(t *testing.T) {
	m := mesh(t, testRules+testReward)
	tab, err := EnumerateTabular(m, trace(t, m), "", 1)
	if err != nil {
		t.Fatal(err)
	}
	goal, err := NewGoal(m, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	grid, err := env.NewGrid(tab.Table, goal)
	if err != nil {
		t.Fatal(err)
	}
	loads, err := env.Uniform(env.Cross(tab.Table.Loads), 3)
	if err != nil {
		t.Fatal(err)
	}
	for delay := range 3 {
		s, err := NewSequential(grid, loads, env.NewLimiter(grid.Space(), 1, false), delay, .95)
		if err != nil {
			t.Fatal(err)
		}
		p := plan(t, s)
		want, err := s.Mean(p, 0, 50, 50)
		if err != nil {
			t.Fatal(err)
		}
		got := follow(t, env.Config{Backend: grid, Loads: loads, Lanes: 400, StepLimit: 1, Delay: delay, Initial: []int32{0, 0}}, p)
		if math.Abs(got-want) > .02*want {
			t.Errorf("delay %d: the simulator pays %v, want %v", delay, got, want)
		}
	}
}

// follow is the mean reward of a plan over 100 intervals after 50.
func follow(t *testing.T, c env.Config, p *Plan) float64 {
	t.Helper()
	e, err := env.New(c)
	if err != nil {
		t.Fatal(err)
	}
	axes := len(e.Axes())
	obs, rewards := make([]float32, c.Lanes*e.ObservationSize()), make([]float32, c.Lanes)
	actions, last := make([]int32, c.Lanes*axes), make([]int32, axes)
	terminated, truncated := make([]bool, c.Lanes), make([]bool, c.Lanes)
	if err := e.Reset(1, obs); err != nil {
		t.Fatal(err)
	}
	sum := 0.
	for step := range 150 {
		for lane := range c.Lanes {
			e.Commanded(lane, last)
			next := p.Next[int(e.Point(lane))*e.Space().Len()+e.Space().Flat(last)]
			e.Space().Choice(int(next), actions[lane*axes:(lane+1)*axes])
		}
		if err := e.Step(actions, obs, rewards, terminated, truncated); err != nil {
			t.Fatal(err)
		}
		for _, r := range rewards {
			if step >= 50 {
				sum += float64(r)
			}
		}
	}
	return sum / float64(100*c.Lanes)
}

func TestValueIterationRefuses(t *testing.T) {
	space := levels(t, 2)
	good := Sequential{Chain: swap(t), Space: space, Limiter: env.NewLimiter(space, 1, false), Discount: .9, Rewards: make([]float32, 4)}
	for name, c := range map[string]struct {
		change func(s *Sequential)
		want   string
	}{
		"no chain":   {func(s *Sequential) { s.Chain = nil }, "needs a chain"},
		"rewards":    {func(s *Sequential) { s.Rewards = nil }, "0 rewards"},
		"delay":      {func(s *Sequential) { s.Delay = -1 }, "delay of -1"},
		"discount":   {func(s *Sequential) { s.Discount = 1 }, "discount 1"},
		"no number":  {func(s *Sequential) { s.Discount = math.NaN() }, "discount NaN"},
		"no limiter": {func(s *Sequential) { s.Limiter = nil }, "limiter"},
	} {
		bad := good
		c.change(&bad)
		if _, err := ValueIteration(&bad, 1e-6); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not say %q", name, err, c.want)
		}
	}
	if _, err := ValueIteration(&good, 0); err == nil {
		t.Error("no tolerance is no error")
	}
	if _, err := good.Mean(&Plan{}, 0, 0, 1); err == nil {
		t.Error("the mean of an empty plan is no error")
	}
}

// Under a load that stays, following the rollout ends no lower than following the base
// policy, and somewhere higher; with a horizon of one interval it is the base policy.
func TestRolloutImprovesOnMyopic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	space := levels(t, 6, 6)
	stays := chain(t, []env.Jump{{To: 0, P: 1}})
	better := 0
	for range 30 {
		s := &Sequential{Chain: stays, Space: space, Limiter: env.NewLimiter(space, 1, false), Discount: .9}
		for range space.Len() {
			s.Rewards = append(s.Rewards, float32(rng.Float64()))
		}
		base, err := Myopic(s)
		if err != nil {
			t.Fatal(err)
		}
		same, err := Rollout(s, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(same.Next, base.Next) {
			t.Fatal("over one interval the rollout is not the base policy")
		}
		ahead, err := Rollout(s, 1000)
		if err != nil {
			t.Fatal(err)
		}
		first := int32(rng.IntN(space.Len()))
		var got [2]float64
		for i, p := range []*Plan{base, ahead} {
			if got[i], err = s.Mean(p, first, 50, 10); err != nil {
				t.Fatal(err)
			}
		}
		if got[1] < got[0]-1e-9 {
			t.Errorf("the rollout earns %v, the base policy %v", got[1], got[0])
		}
		if got[1] > got[0]+1e-9 {
			better++
		}
	}
	if better == 0 {
		t.Error("nowhere is the rollout better than the base policy")
	}
	if _, err := Rollout(&Sequential{}, 5); err == nil {
		t.Error("plans for nothing")
	}
}

// It goes one level at a time to the action that is best in the mean, and stays.
func TestHoldStaysAtTheBestStaticAction(t *testing.T) {
	space := levels(t, 4)
	s := &Sequential{
		Chain: swap(t), Space: space, Limiter: env.NewLimiter(space, 1, false), Discount: .5,
		Rewards: []float32{0, 5, 0, 4 /* at A */, 0, 0, 0, 4 /* at B */},
	}
	p, err := Hold(s)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Next, []int32{1, 2, 3, 3, 1, 2, 3, 3}) {
		t.Errorf("plan %v", p.Next)
	}
	if got := mean(t, s, p); got != 4 {
		t.Errorf("mean reward %v, want 4", got)
	}
}
